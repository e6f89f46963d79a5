//! Raw bytes: a client and an upstream that say exactly what a test tells them to. Every wait has a deadline.

mod message;
mod upstream;

pub(crate) use message::Message;
pub(crate) use upstream::RawUpstream;

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take to come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// One end of a connection.
pub(crate) struct Raw {
    stream: TcpStream,
    /// Read, but not asked for yet.
    ahead: Vec<u8>,
    record: Option<Arc<Mutex<Vec<Message>>>>,
}

impl Raw {
    /// Connects as a client.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Takes a connection over.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, ahead: Vec::new(), record: None }
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends bytes to an end that may be gone, or that may not read.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Writes until the other end has not taken a byte for some time, or is gone; tells how much it took.
    pub(crate) fn flood(&mut self, patience: Duration, piece: &[u8]) -> (u64, io::ErrorKind) {
        self.stream.set_write_timeout(Some(patience)).unwrap();
        let mut sent = 0;
        loop {
            match self.stream.write(piece) {
                Ok(bytes) => sent += bytes as u64,
                Err(error) => return (sent, error.kind()),
            }
        }
    }

    /// Reads a message from a client; None when it has left.
    pub(crate) fn request(&mut self) -> Option<Message> {
        let head = self.head()?;
        let mut message = Message { head, body: Vec::new(), whole: true };
        if message.is_chunked() {
            message.whole = self.chunks(&mut message.body);
        } else if let Some(length) = message.length() {
            message.whole = self.exactly(length, &mut message.body);
        }
        if let Some(record) = &self.record {
            record.lock().unwrap().push(message.clone());
        }
        Some(message)
    }

    /// Reads the head of a message and leaves its body; None when the other end has left.
    pub(crate) fn head(&mut self) -> Option<String> {
        let end = self.find(b"\r\n\r\n")?;
        Some(self.take(end).into_iter().map(char::from).collect())
    }

    /// Reads an answer.
    pub(crate) fn response(&mut self) -> Message {
        let mut message = self.response_to_head();
        if message.status() < 200 || matches!(message.status(), 204 | 304) {
            return message;
        }
        message.whole = if message.is_chunked() {
            self.chunks(&mut message.body)
        } else if let Some(length) = message.length() {
            self.exactly(length, &mut message.body)
        } else {
            message.body = self.rest();
            true
        };
        message
    }

    /// Reads an answer that has no body, whatever it says.
    pub(crate) fn response_to_head(&mut self) -> Message {
        let head = self.head().expect("an answer");
        Message { head, body: Vec::new(), whole: true }
    }

    /// Reads up to a text that comes, and tells what came with it.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let end = self.find(text.as_bytes()).unwrap_or_else(|| panic!("the end before {text:?}: {:?}", self.ahead));
        self.take(end).into_iter().map(char::from).collect()
    }

    /// Reads to the end, be it a clean one or a reset.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.ahead)
    }

    /// Reads to the end and keeps nothing; tells how much it was.
    pub(crate) fn drain(&mut self) -> u64 {
        let mut drained = self.ahead.len() as u64;
        let mut piece = vec![0; 256 << 10];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return drained,
                Ok(bytes) => drained += bytes as u64,
                Err(error) => panic!("{error} after {drained} bytes"),
            }
        }
    }

    /// Reads so many bytes and keeps nothing.
    pub(crate) fn skip(&mut self, mut bytes: u64) {
        let mut piece = vec![0; 256 << 10];
        let ahead = self.ahead.len().min(usize::try_from(bytes).unwrap());
        bytes -= self.take(ahead).len() as u64;
        while bytes > 0 {
            let most = piece.len().min(usize::try_from(bytes).unwrap());
            let read = self.stream.read(&mut piece[..most]).unwrap();
            assert!(read > 0, "the end, {bytes} bytes too early");
            bytes -= read as u64;
        }
    }

    /// Reads so many bytes; None when the end comes before.
    pub(crate) fn exact(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let mut read = Vec::new();
        self.exactly(bytes, &mut read).then_some(read)
    }

    /// Whether nothing comes for so long.
    pub(crate) fn quiet(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let mut piece = [0; 16 << 10];
        let read = self.stream.read(&mut piece);
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        self.ahead.extend_from_slice(&piece[..*read.as_ref().unwrap_or(&0)]);
        read.is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
    }

    /// Whether the other end closes the connection within some time, seen without reading what it has sent.
    pub(crate) fn is_left(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        // A byte into a closed connection brings a reset.
        while self.stream.take_error().is_ok_and(|error| error.is_none()) && Instant::now() < end {
            if (&self.stream).write_all(b" ").is_err() {
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        Instant::now() < end
    }

    /// Sends back what comes, to its end.
    pub(crate) fn echo(&mut self) {
        let ahead = std::mem::take(&mut self.ahead);
        let copied = self.try_send(ahead).and_then(|()| io::copy(&mut &self.stream, &mut &self.stream));
        if copied.is_ok() {
            self.shut();
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn shut(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(end) = self.find(b"\r\n") else { return false };
            let line = String::from_utf8(self.take(end)).unwrap();
            let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
            let mut data = Vec::new();
            if size == 0 {
                // Trailers, if any, end with an empty line.
                while let Some(end) = self.find(b"\r\n") {
                    if self.take(end) == b"\r\n" {
                        return true;
                    }
                }
                return false;
            }
            let whole = self.exactly(size + 2, &mut data);
            body.extend_from_slice(&data[..data.len().min(size)]);
            if !whole {
                return false;
            }
        }
    }

    fn exactly(&mut self, length: usize, body: &mut Vec<u8>) -> bool {
        while self.ahead.len() < length && self.more() {}
        let there = self.take(length.min(self.ahead.len()));
        body.extend_from_slice(&there);
        there.len() == length
    }

    /// Where a text ends, once it has come.
    fn find(&mut self, text: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = self.ahead.windows(text.len()).position(|window| window == text) {
                return Some(at + text.len());
            }
            if !self.more() {
                return None;
            }
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.ahead.drain(..length).collect()
    }

    /// Waits for more; false at the end.
    fn more(&mut self) -> bool {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(0) => false,
            Ok(read) => {
                self.ahead.extend_from_slice(&piece[..read]);
                true
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("nothing has come for {DEADLINE:?}; so far: {:?}", String::from_utf8_lossy(&self.ahead))
            }
            Err(_) => false,
        }
    }
}

/// An answer with this body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A GET of a path, with more header lines: each ends with CR LF.
pub(crate) fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n")
}

/// Sends a request on a connection of its own and reads the answer.
pub(crate) fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Message {
    Raw::connect(address).send(request).response()
}
