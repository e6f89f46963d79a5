//! Faults: what is done, and where in an exchange.

use std::time::Duration;

/// What is done at one place of an exchange, in this order. Unless it ends the connection, the exchange goes on after it.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What.
    pub acts: Vec<Act>,
}

/// A place in an exchange. One that an answer does not have is never come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// After so many bytes of the request's body, or all of it.
    Request(usize),
    /// After the request, before the first byte of the answer.
    Asked,
    /// After so many bytes of the answer, or all of it.
    Answer(usize),
    /// Within the status line.
    StatusLine,
    /// Between two lines of the header section.
    HeaderLine,
    /// Before the empty line.
    HeaderEnd,
    /// After the header section.
    BodyStart,
    /// Within the bytes of the body; with chunks, within one.
    Body,
    /// Within the line that tells the size of a chunk.
    ChunkSize,
    /// After that line.
    ChunkStart,
    /// After the bytes of a chunk, before the line end that belongs to it.
    ChunkEnd,
    /// After all chunks but the last.
    LastChunk,
    /// After the line of the last chunk, where trailers may be.
    Trailers,
    /// Before the last byte of the answer.
    LastByte,
    /// After the answer.
    End,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum Act {
    /// The connection is reset.
    Reset,
    /// It is closed as after a good message.
    Close,
    /// Nothing is done until the other end closes it.
    Hang,
    /// Nothing is done for so long.
    Wait(Duration),
    /// What follows comes byte by byte, one each time.
    Trickle(Duration),
    /// This is said.
    Say(Vec<u8>),
    /// This is said until the other end takes no more.
    Flood(Vec<u8>),
}

impl Fault {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::new(Place::End, [])
    }

    /// Something goes wrong.
    pub fn new(place: Place, acts: impl IntoIterator<Item = Act>) -> Self {
        Self { place, acts: acts.into_iter().collect() }
    }
}

impl Act {
    /// Says a text.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say(text.into().into_bytes())
    }
}
