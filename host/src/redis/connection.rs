//! One connection to Redis: commands go out and answers come in, one at a time (RESP2). What is read has bounds.
//!
//! Whoever is dropped in the middle of a command drops the connection with it: no answer is ever read by another.

use std::io::{self, ErrorKind};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{config, tls::Connector};

/// The longest line or text of an answer.
const TEXT: usize = 16 << 10;

/// The longest list of numbers.
const LIST: usize = 1024;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection that has shown who it is.
pub(super) struct Connection(BufReader<Box<dyn Stream>>);

/// What Redis answers. Nothing else is ever asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Text(String),
    Numbers(Vec<i64>),
    /// It refuses, and says why.
    Error(String),
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
        let mut this = Self(BufReader::new(stream));
        if let Some(password) = &redis.password {
            let user = redis.user.as_deref().map(str::as_bytes);
            let words = [Some(&b"AUTH"[..]), user, Some(password.0.as_bytes())];
            this.well(&words.into_iter().flatten().collect::<Vec<_>>()).await?;
        }
        if redis.database > 0 {
            this.well(&[b"SELECT", redis.database.to_string().as_bytes()]).await?;
        }
        Ok(this)
    }

    /// A command that has to go well.
    async fn well(&mut self, words: &[&[u8]]) -> io::Result<()> {
        match self.ask(words).await? {
            Answer::Error(why) => Err(io::Error::other(why)),
            _ => Ok(()),
        }
    }

    /// Sends a command and reads its answer.
    pub(super) async fn ask(&mut self, words: &[&[u8]]) -> io::Result<Answer> {
        self.0.write_all(&command(words)).await?;
        self.0.flush().await?;
        let line = self.line().await?;
        let broken = || io::Error::new(ErrorKind::InvalidData, "an answer that was not asked for");
        let (kind, rest) = line.split_at_checked(1).ok_or_else(broken)?;
        match kind {
            "+" => Ok(Answer::Text(rest.to_owned())),
            "-" => Ok(Answer::Error(rest.to_owned())),
            "$" => {
                let length = rest.parse::<usize>().ok().filter(|length| *length <= TEXT).ok_or_else(broken)?;
                let mut text = vec![0; length + 2];
                self.0.read_exact(&mut text).await?;
                text.truncate(length);
                String::from_utf8(text).map(Answer::Text).map_err(|_| broken())
            }
            "*" => {
                let length = rest.parse::<usize>().ok().filter(|length| *length <= LIST).ok_or_else(broken)?;
                let mut numbers = Vec::with_capacity(length);
                for _ in 0..length {
                    let line = self.line().await?;
                    numbers.push(line.strip_prefix(':').and_then(|number| number.parse().ok()).ok_or_else(broken)?);
                }
                Ok(Answer::Numbers(numbers))
            }
            _ => Err(broken()),
        }
    }

    /// A line without its end.
    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.0).take(TEXT as u64).read_until(b'\n', &mut line).await?;
        let whole = line.strip_suffix(b"\r\n").ok_or(match line.is_empty() {
            true => ErrorKind::UnexpectedEof,
            false => ErrorKind::InvalidData,
        })?;
        String::from_utf8(whole.to_vec()).map_err(io::Error::other)
    }
}

/// A command as it is sent: a list of texts, each with its length.
fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What a connection makes of an answer, and what it had sent.
    async fn answered(answer: &[u8]) -> Option<Answer> {
        let (near, mut far) = duplex(1 << 20);
        far.write_all(answer).await.expect("there is room");
        let mut connection = Connection(BufReader::new(Box::new(near)));
        let answered = connection.well_read(&mut far).await;
        answered.ok()
    }

    impl Connection {
        async fn well_read(&mut self, far: &mut tokio::io::DuplexStream) -> io::Result<Answer> {
            far.shutdown().await?;
            let answer = self.ask(&[b"EVAL", b""]).await?;
            let mut sent = vec![0; 20];
            far.read_exact(&mut sent).await?;
            assert_eq!(sent, b"*2\r\n$4\r\nEVAL\r\n$0\r\n\r\n"[..20]);
            Ok(answer)
        }
    }

    #[tokio::test]
    async fn answers_are_read_whole_or_not_at_all() {
        let text = |text: &str| Some(Answer::Text(text.to_owned()));
        assert_eq!(answered(b"+OK\r\n").await, text("OK"));
        assert_eq!(answered(b"$5\r\nhello\r\n").await, text("hello"));
        assert_eq!(answered(b"*3\r\n:0\r\n:-7\r\n:12\r\n").await, Some(Answer::Numbers(vec![0, -7, 12])));
        assert_eq!(answered(b"-NOSCRIPT none\r\n").await, Some(Answer::Error("NOSCRIPT none".to_owned())));
        let long = [b"+".to_vec(), vec![b'a'; TEXT], b"\r\n".to_vec()].concat();
        let broken: [&[u8]; 12] = [
            b"",
            b"\r\n",
            b"+OK",
            b"+OK\n",
            b":1\r\n",
            b"$5\r\nhel",
            b"$99999999999\r\n",
            b"$-1\r\n",
            b"*9999999\r\n",
            b"*1\r\n+a\r\n",
            b"*2\r\n:1\r\n",
            &long,
        ];
        for answer in broken {
            assert_eq!(answered(answer).await, None, "{:?}", String::from_utf8_lossy(answer));
        }
    }
}
