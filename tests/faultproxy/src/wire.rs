//! One end of a connection: bytes as they come, with a deadline for each wait.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use socket2::SockRef;

/// How long anything may take to come. What is kept open for longer is a fault that a test is to see, not to wait for.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Wire {
    stream: TcpStream,
    /// Read and not taken yet.
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Takes everything up to a text and the text; None at an end before anything has come.
    pub(crate) fn until(&mut self, text: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut from = 0;
        loop {
            let found = self.buffer[from..].windows(text.len()).position(|window| window == text);
            if let Some(at) = found {
                return Ok(Some(self.take(from + at + text.len())));
            }
            from = self.buffer.len().saturating_sub(text.len() - 1);
            match (self.more()?, self.buffer.is_empty()) {
                (true, _) => {}
                (false, true) => return Ok(None),
                (false, false) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Takes so many bytes.
    pub(crate) fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.more()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.take(length))
    }

    /// Takes everything to the end.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.more()? {}
        Ok(self.take(self.buffer.len()))
    }

    /// Ends it with a reset.
    pub(crate) fn reset(self) {
        // If it cannot be set, the other end sees a close, and the test fails.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Ends it as after a good message: what still comes is read, for a close with unread bytes is a reset.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.drain()
    }

    /// Reads until the other end closes it, and keeps nothing.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        loop {
            self.buffer.clear();
            if !self.more()? {
                return Ok(());
            }
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.buffer.drain(..length).collect()
    }

    /// Waits for more; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 16 << 10];
        let read = self.stream.read(&mut bytes)?;
        self.buffer.extend_from_slice(&bytes[..read]);
        Ok(read > 0)
    }
}
