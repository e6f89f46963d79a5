//! One connection to Redis: the protocol is that of the `redis` crate, TLS that of upstreams.
//!
//! Whoever is dropped in the middle of a command drops the connection with it: no answer is ever read by another.

use std::io;

use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisError, Value, aio::MultiplexedConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::{JoinHandle, spawn_local},
};
use tokio_rustls::TlsConnector;

use crate::{config, tls::Connector};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection that has shown who it is.
pub(super) struct Connection {
    asked: MultiplexedConnection,
    /// What reads and writes it.
    driver: JoinHandle<()>,
}

/// What Redis answers. Nothing else is ever asked for.
pub(super) enum Answer {
    Numbers(Vec<i64>),
    /// It has not seen the script.
    NoScript,
}

impl Connection {
    /// Opens one. It has no deadline of its own.
    pub(super) async fn open(redis: &config::Redis, connector: Option<&Connector>) -> io::Result<Self> {
        let stream = TcpStream::connect((&*redis.host, redis.port)).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match connector {
            None => Box::new(stream),
            Some(Connector { config, name, .. }) => {
                Box::new(TlsConnector::from(config.clone()).connect(name.clone(), stream).await?)
            }
        };
        let (asked, driver) =
            MultiplexedConnection::new_with_config(&who(redis), stream, waits()).await.map_err(failed)?;
        Ok(Self { asked, driver: spawn_local(driver) })
    }

    /// Sends a command and reads its answer.
    pub(super) async fn ask(&mut self, words: &[&[u8]]) -> io::Result<Answer> {
        let mut command = Cmd::new();
        for word in words {
            command.arg(word);
        }
        match self.asked.send_packed_command(&command).await.and_then(Value::extract_error) {
            Ok(Value::Array(numbers)) => numbers.iter().map(number).collect::<Option<_>>().map(Answer::Numbers),
            Err(error) if error.code() == Some("NOSCRIPT") => Some(Answer::NoScript),
            Err(error) => return Err(failed(error)),
            Ok(_) => None,
        }
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an answer that was not asked for"))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// No time-outs: those who ask have their own.
fn waits() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None)
}

/// What a connection begins with.
fn who(redis: &config::Redis) -> RedisConnectionInfo {
    let mut who = RedisConnectionInfo::default().set_db(i64::from(redis.database)).set_skip_set_lib_name();
    if let Some(password) = &redis.password {
        who = who.set_password(&*password.0);
    }
    if let Some(user) = &redis.user {
        who = who.set_username(&**user);
    }
    who
}

fn number(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value { Some(*number) } else { None }
}

fn failed(error: RedisError) -> io::Error {
    io::Error::other(error.to_string())
}
