//! The upstream of a soak: fast, and told by a function what to answer. It is lean so that the gateway is what is loaded.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::Result;

use super::connection::value;

/// A request, with its body read.
pub(crate) struct Received<'a> {
    /// The path with its query.
    pub(crate) target: &'a str,
    head: &'a str,
    /// Length of its body.
    pub(crate) length: usize,
}

impl<'a> Received<'a> {
    /// The value of the first header of a name, which is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        value(self.head, name)
    }
}

/// What is answered, with 200.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    /// Before the first byte.
    pub(crate) delay: Duration,
    /// Further header lines, each with its end.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    /// In so many chunks, each after another delay; 0: whole, with its length.
    pub(crate) chunks: usize,
}

type Answer = dyn Fn(&Received<'_>) -> Reply + Send + Sync;

/// Serves on a port of its own from now on, in threads that end with the process: one for each connection.
pub(crate) fn start(answer: impl Fn(&Received<'_>) -> Reply + Send + Sync + 'static) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let answer: Arc<Answer> = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || serve(stream, &*answer));
        }
    });
    Ok(address)
}

/// Serves a connection until the peer closes it or says something that is not HTTP/1.1.
fn serve(mut stream: TcpStream, answer: &Answer) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            match buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end,
                None => more(&mut stream, &mut buffer)?,
            }
        };
        let head: Vec<u8> = buffer.drain(..end + 4).take(end).collect();
        let head = std::str::from_utf8(&head).ok()?;
        let (line, head) = head.split_once("\r\n").unwrap_or((head, ""));
        let length = value(head, "content-length").map_or(Some(0), |length| length.parse().ok())?;
        while buffer.len() < length {
            more(&mut stream, &mut buffer)?;
        }
        buffer.drain(..length);
        let reply = answer(&Received { target: line.split(' ').nth(1)?, head, length });
        send(&mut stream, &reply)?;
    }
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 16 << 10];
    let length = stream.read(&mut bytes).ok().filter(|length| *length > 0)?;
    buffer.extend_from_slice(&bytes[..length]);
    Some(())
}

fn send(stream: &mut TcpStream, reply: &Reply) -> Option<()> {
    if !reply.delay.is_zero() {
        thread::sleep(reply.delay);
    }
    let head = format!("HTTP/1.1 200 OK\r\n{}", reply.headers);
    if reply.chunks == 0 {
        let mut answer = format!("{head}content-length: {}\r\n\r\n", reply.body.len()).into_bytes();
        answer.extend_from_slice(&reply.body);
        return stream.write_all(&answer).ok();
    }
    stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).ok()?;
    for chunk in reply.body.chunks(reply.body.len().div_ceil(reply.chunks).max(1)) {
        thread::sleep(reply.delay);
        let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        stream.write_all(&framed).ok()?;
    }
    stream.write_all(b"0\r\n\r\n").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::connection::Connection;

    #[test]
    fn it_answers_as_it_is_told_and_keeps_the_connection() {
        let address = start(|received| Reply {
            body: format!("{} {:?} {}", received.target, received.header("x-a"), received.length).into_bytes(),
            chunks: usize::from(received.target == "/chunks") * 3,
            ..Reply::default()
        });
        let mut connection = Connection::open(address.expect("a port")).expect("it listens");
        let whole = connection.ask(&[b"POST /whole HTTP/1.1\r\nX-A: b\r\ncontent-length: 2\r\n\r\na", b"b"]);
        assert_eq!(whole.expect("an answer").body, b"/whole Some(\"b\") 2");
        let chunks = connection.ask(&[b"GET /chunks HTTP/1.1\r\n\r\n"]).expect("an answer");
        assert_eq!((chunks.header("content-length"), chunks.body.as_slice()), (None, &b"/chunks None 0"[..]));
    }
}
