//! A kept HTTP/1.1 connection of a client, strict where it reads: an answer is whole, and framed in one way, or it is
//! none. What became of a request without a whole answer is told apart, for not all of it is the gateway's fault.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The longest wait for a connection, and for each read.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest header section.
const HEAD: usize = 64 << 10;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The lines between the status line and the empty one.
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of the first header of a name, which is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value(&self.head, name)
    }

    /// Whether it is the last on its connection.
    pub(crate) fn is_last(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// The value of the first header of a name in the lines of a header section.
pub(super) fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then(|| value.trim()))
}

/// Why a request has no whole answer.
#[derive(Debug)]
pub(crate) enum Lost {
    /// No connection was to be had.
    Unconnected(io::Error),
    /// The connection ended before a byte of the answer came.
    Unanswered(io::Error),
    /// Nothing came in time.
    Late,
    /// The connection ended within the answer.
    Broken(String),
    /// The answer is not HTTP, or says two things about its length.
    Malformed(String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unconnected(error) => write!(f, "no connection: {error}"),
            Self::Unanswered(error) => write!(f, "the connection ended before an answer: {error}"),
            Self::Late => write!(f, "no answer in {} s", LIMIT.as_secs()),
            Self::Broken(what) => write!(f, "the connection ended within the answer: {what}"),
            Self::Malformed(what) => write!(f, "the answer is not good: {what}"),
        }
    }
}

/// A connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What was read and not yet used.
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Lost> {
        let open = || {
            let stream = TcpStream::connect_timeout(&address, LIMIT)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_write_timeout(Some(LIMIT))?;
            Ok(Self { stream, buffer: Vec::new() })
        };
        open().map_err(Lost::Unconnected)
    }

    /// Sends a request in these pieces and reads its answer.
    pub(crate) fn ask(&mut self, request: &[&[u8]]) -> Result<Answer, Lost> {
        // An answer may be there all the same: a gateway may answer, and close, before it has read everything.
        let sent = request.iter().try_for_each(|piece| self.stream.write_all(piece));
        let end = match (self.head(), sent) {
            (Err(Lost::Unanswered(_)), Err(error)) => return Err(Lost::Unanswered(error)),
            (end, _) => end?,
        };
        let head = String::from_utf8(self.buffer.drain(..end + 4).take(end).collect());
        let head = head.map_err(|_| Lost::Malformed("headers that are not UTF-8".to_owned()))?;
        let (line, head) = head.split_once("\r\n").unwrap_or((&head, ""));
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| Lost::Malformed(format!("a status line `{line}`")))?;
        let body = self.body(head)?;
        if !self.buffer.is_empty() {
            return Err(Lost::Malformed(format!("{} bytes after its end", self.buffer.len())));
        }
        Ok(Answer { status, head: head.to_owned(), body })
    }

    /// Reads a header section; where it ends.
    fn head(&mut self) -> Result<usize, Lost> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(end);
            }
            if self.buffer.len() > HEAD {
                return Err(Lost::Malformed("a header section without an end".to_owned()));
            }
            self.more()?;
        }
    }

    fn body(&mut self, head: &str) -> Result<Vec<u8>, Lost> {
        let bad = |what: &str| Err(Lost::Malformed(what.to_owned()));
        match (value(head, "transfer-encoding"), value(head, "content-length")) {
            (None, Some(length)) => match length.parse() {
                Ok(length) => self.exactly(length),
                Err(_) => bad("a length that is no number"),
            },
            (Some("chunked"), None) => self.chunks(),
            (None, None) => bad("neither a length nor chunks"),
            _ => bad("two framings, or an unknown one"),
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Lost> {
        while self.buffer.len() < length {
            self.more().map_err(|lost| within(lost, &format!("{} of {length} bytes came", self.buffer.len())))?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Lost> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match self.buffer.windows(2).position(|two| two == b"\r\n") {
                    Some(end) => break end,
                    None => self.more().map_err(|lost| within(lost, "between two chunks"))?,
                }
            };
            let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
            let size = std::str::from_utf8(&line).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.ok_or_else(|| Lost::Malformed("a chunk's size that is no number".to_owned()))?;
            let mut chunk = self.exactly(size + 2)?;
            if chunk.split_off(size) != b"\r\n" {
                return Err(Lost::Malformed("a chunk without an end".to_owned()));
            }
            if size == 0 {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }

    fn more(&mut self) -> Result<(), Lost> {
        let mut bytes = [0; 16 << 10];
        let error = match self.stream.read(&mut bytes) {
            Ok(0) => io::Error::from(io::ErrorKind::UnexpectedEof),
            Ok(length) => {
                self.buffer.extend_from_slice(&bytes[..length]);
                return Ok(());
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(Lost::Late);
            }
            Err(error) => error,
        };
        match self.buffer.is_empty() {
            true => Err(Lost::Unanswered(error)),
            false => Err(Lost::Broken(format!("in its header section: {error}"))),
        }
    }
}

/// After the header section, an end is one within the answer.
fn within(lost: Lost, place: &str) -> Lost {
    match lost {
        Lost::Unanswered(error) => Lost::Broken(format!("{place}: {error}")),
        Lost::Broken(_) => Lost::Broken(place.to_owned()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// What a client makes of these bytes and the connection's end.
    fn asked(answer: &'static str) -> Result<Answer, Lost> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let read = stream.read(&mut [0; 100]).expect("a request");
            assert!(read > 0);
            stream.write_all(answer.as_bytes()).expect("sent");
        });
        let answer = Connection::open(address).and_then(|mut connection| connection.ask(&[b"GET / HTTP/1.1\r\n\r\n"]));
        serving.join().expect("it serves");
        answer
    }

    #[test]
    fn whole_answers_are_read_in_both_framings() {
        let answer = asked("HTTP/1.1 201 Created\r\nX-A: b\r\ncontent-length: 3\r\nConnection: close\r\n\r\nabc");
        let answer = answer.expect("a good answer");
        assert_eq!((answer.status, answer.header("x-a"), answer.body.as_slice()), (201, Some("b"), &b"abc"[..]));
        assert!(answer.is_last());
        let answer = asked("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
        assert_eq!(answer.expect("a good answer").body, b"abc");
    }

    #[test]
    fn what_is_not_whole_is_told_apart() {
        assert!(matches!(asked(""), Err(Lost::Unanswered(_))));
        let broken = [
            "HTTP/1.1 200",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
        ];
        for answer in broken {
            assert!(matches!(asked(answer), Err(Lost::Broken(_))), "{answer}");
        }
        let malformed = [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\na",
            "SSH-2.0\r\n\r\n",
        ];
        for answer in malformed {
            assert!(matches!(asked(answer), Err(Lost::Malformed(_))), "{answer}");
        }
    }
}
