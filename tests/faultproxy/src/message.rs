//! Messages as they are on the wire, and where the places of an answer are.

use std::{borrow::Cow, io};

use crate::{fault::Place, wire::Wire};

/// A message, or the part of one that was read so far.
#[derive(Default)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    /// Where the body begins.
    body: usize,
    chunks: Vec<Chunk>,
    /// Whether it ends with its connection.
    pub(crate) until_close: bool,
}

/// Where the line with a chunk's size, its data and the data's end are.
struct Chunk {
    line: usize,
    start: usize,
    end: usize,
}

impl Message {
    /// Reads a header section; None when the other end has left.
    pub(crate) fn head(wire: &mut Wire) -> io::Result<Option<Self>> {
        let Some(bytes) = wire.until(b"\r\n\r\n")? else { return Ok(None) };
        Ok(Some(Self { body: bytes.len(), bytes, ..Self::default() }))
    }

    /// A word of the first line.
    pub(crate) fn word(&self, number: usize) -> String {
        self.text().split([' ', '\r']).nth(number).unwrap_or_default().to_owned()
    }

    fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes[..self.body])
    }

    fn header(&self, name: &str) -> Option<String> {
        let text = self.text();
        let mut fields = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }

    /// So many bytes of the body, or all of it: how many, where that is told.
    pub(crate) fn length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }

    /// Reads what is left of a request's body.
    pub(crate) fn request_body(&mut self, wire: &mut Wire) -> io::Result<()> {
        match self.length() {
            Some(length) => self.more(wire, (self.body + length).saturating_sub(self.bytes.len())),
            None if self.header("transfer-encoding").is_some() => self.chunks(wire),
            None => Ok(()),
        }
    }

    /// Reads an answer's body.
    pub(crate) fn answer_body(&mut self, wire: &mut Wire, method: &str) -> io::Result<()> {
        if method == "HEAD" || matches!(self.word(1).as_str(), "204" | "304") {
            return Ok(());
        }
        if self.length().is_none() && self.header("transfer-encoding").is_none() {
            self.until_close = true;
            self.bytes.extend(wire.rest()?);
            return Ok(());
        }
        self.request_body(wire)
    }

    /// Reads so many bytes more.
    pub(crate) fn more(&mut self, wire: &mut Wire, bytes: usize) -> io::Result<()> {
        self.bytes.extend(wire.exactly(bytes)?);
        Ok(())
    }

    fn line(&mut self, wire: &mut Wire) -> io::Result<String> {
        let line = wire.until(b"\r\n")?.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.bytes.extend_from_slice(&line);
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn chunks(&mut self, wire: &mut Wire) -> io::Result<()> {
        loop {
            let line = self.bytes.len();
            let size = usize::from_str_radix(&self.line(wire)?, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            let start = self.bytes.len();
            self.chunks.push(Chunk { line, start, end: start + size });
            if size == 0 {
                while !self.line(wire)?.is_empty() {}
                return Ok(());
            }
            self.more(wire, size + 2)?;
        }
    }

    /// After how many bytes a place comes.
    pub(crate) fn offset(&self, place: Place) -> Option<usize> {
        let length = self.bytes.len();
        let (last, data) = self.chunks.split_last().map_or((None, &[][..]), |(last, data)| (Some(last), data));
        // The last that has data: the client has seen others before it.
        let chunk = data.last();
        match place {
            Place::Request(_) => None,
            Place::Asked => Some(0),
            Place::Answer(bytes) => Some(bytes.min(length)),
            Place::StatusLine => Some("HTTP/1.1 ".len()),
            Place::HeaderLine => self.bytes.windows(2).position(|two| two == b"\r\n").map(|at| at + 2),
            Place::HeaderEnd => Some(self.body - 2),
            Place::BodyStart => Some(self.body),
            Place::Body => match (chunk, last) {
                (Some(chunk), _) => Some(chunk.start.midpoint(chunk.end)),
                (None, None) if length > self.body + 1 => Some(self.body.midpoint(length)),
                _ => None,
            },
            Place::ChunkSize => chunk.map(|chunk| chunk.line + 1),
            Place::ChunkStart => chunk.map(|chunk| chunk.start),
            Place::ChunkEnd => chunk.map(|chunk| chunk.end),
            Place::LastChunk => last.map(|last| last.line),
            Place::Trailers => last.map(|last| last.start),
            Place::LastByte => Some(length - 1),
            Place::End => Some(length),
        }
    }
}
