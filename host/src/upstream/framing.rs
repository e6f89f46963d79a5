//! Where the body of an answer ends (RFC 9112 section 6.3), and its bytes without their framing.
//!
//! Strict where leniency would mean two readings of one message: lines end with CRLF, a size is hexadecimal digits and
//! nothing else. Extensions are dropped and trailers are kept, within a bound.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Most bytes of chunk extensions and trailers in one body.
const OVERHEAD: u32 = 16 << 10;

/// Most trailers of one body.
const FIELDS: usize = 100;

/// How the rest of a body is delimited.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// Chunks; boxed, for every answer's body has room for this.
    Chunked(Box<Chunks>),
    /// It ends with the connection.
    UntilClose,
}

/// Where in a chunked body the reader stands.
#[derive(Debug)]
pub(crate) struct Chunks {
    state: State,
    /// Bytes of extensions and trailers so far.
    overhead: u32,
    /// The lines of the trailer section so far.
    trailers: Vec<u8>,
    /// Whether white space before an extension and control characters in it are refused too.
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a size, with the digits so far.
    Size {
        value: u64,
        digits: u8,
    },
    /// Behind a size: white space or an extension.
    Extension {
        size: u64,
    },
    /// A size line's CR has come.
    SizeEnd {
        size: u64,
    },
    /// So many bytes of a chunk are left.
    Data {
        left: u64,
    },
    /// A chunk is over: its CR, then its LF.
    DataCr,
    DataLf,
    /// At the beginning of a trailer line, in it, after its CR.
    TrailerStart,
    Trailer,
    TrailerEnd,
    /// The CR of the empty line that ends everything has come.
    LastLf,
    End,
}

impl Framing {
    /// Chunks, none of them read.
    pub(super) fn chunked() -> Self {
        Self::Chunked(Box::new(Chunks::new(false)))
    }

    /// Whether all of the body has been taken.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.is_done(),
            Self::UntilClose => false,
        }
    }

    /// How much is left, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(chunks) => chunks.is_done().then_some(0),
            Self::UntilClose => None,
        }
    }

    /// Whether there are trailers behind the body that nobody has taken.
    pub(super) fn has_trailers(&self) -> bool {
        matches!(self, Self::Chunked(chunks) if !chunks.trailers.is_empty())
    }

    /// Takes the trailers behind the body (RFC 9112 section 7.1.2).
    pub(super) fn take_trailers(&mut self) -> Result<HeaderMap, &'static str> {
        let malformed = "its trailers are malformed";
        let Self::Chunked(chunks) = self else { return Ok(HeaderMap::new()) };
        let mut lines = std::mem::take(&mut chunks.trailers);
        lines.extend_from_slice(b"\r\n");
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let parsed = httparse::parse_headers(&lines, &mut fields).map_err(|_| malformed)?;
        let httparse::Status::Complete((_, fields)) = parsed else { return Err(malformed) };
        let mut trailers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| malformed)?;
            trailers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| malformed)?);
        }
        Ok(trailers)
    }

    /// Takes what is there of the body; None when there is nothing. Never takes a byte behind the body's end.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, &'static str> {
        let take = match self {
            Self::Length(left) => {
                let take = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= take as u64;
                take
            }
            Self::Chunked(chunks) => return chunks.take(buffer),
            Self::UntilClose => buffer.len(),
        };
        Ok((take > 0).then(|| buffer.split_to(take).freeze()))
    }
}

impl Chunks {
    fn new(strict: bool) -> Self {
        Self { state: State::Size { value: 0, digits: 0 }, overhead: 0, trailers: Vec::new(), strict }
    }

    /// Chunks of a request: nobody has to be met halfway.
    pub(crate) fn strict() -> Self {
        Self::new(true)
    }

    /// Whether all of the body has been taken.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::End
    }

    /// Goes over bytes, to the body's end at the most; how many, or how many were good.
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty() && !self.is_done()) {
            taken += match self.state {
                State::Data { left } => {
                    let data = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.state = Self::behind(left - data as u64);
                    data
                }
                _ => {
                    self.state = self.step(rest[0]).map_err(|_| taken)?;
                    1
                }
            };
        }
        Ok(taken)
    }

    /// Where the reader stands when so many bytes of a chunk are left.
    fn behind(left: u64) -> State {
        if left == 0 { State::DataCr } else { State::Data { left } }
    }

    fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, &'static str> {
        self.control(buffer)?;
        let State::Data { left } = self.state else { return Ok(None) };
        if buffer.is_empty() {
            return Ok(None);
        }
        let take = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let data = buffer.split_to(take).freeze();
        self.state = Self::behind(left - take as u64);
        // What follows the last bytes is mostly there already: then the end is known together with them.
        self.control(buffer)?;
        Ok(Some(data))
    }

    /// Takes the bytes that are no data.
    fn control(&mut self, buffer: &mut BytesMut) -> Result<(), &'static str> {
        let mut taken = 0;
        while let Some(&byte) = buffer.get(taken)
            && !matches!(self.state, State::Data { .. } | State::End)
        {
            self.state = self.step(byte)?;
            match self.state {
                State::Trailer => self.trailers.push(byte),
                State::TrailerStart if !self.trailers.is_empty() => self.trailers.extend_from_slice(b"\r\n"),
                _ => {}
            }
            taken += 1;
        }
        buffer.advance(taken);
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<State, &'static str> {
        if matches!(self.state, State::Extension { .. } | State::Trailer | State::TrailerStart) {
            self.overhead += 1;
            if self.overhead > OVERHEAD {
                return Err("its chunk extensions or trailers are too long");
            }
        }
        Ok(match (self.state, byte) {
            (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                if digits == 16 {
                    return Err("a chunk size is too large");
                }
                State::Size { value: value << 4 | digit, digits: digits + 1 }
            }
            (State::Size { digits: 0, .. }, _) => return Err("a chunk has no size"),
            (State::Size { value: size, .. }, b'\r') | (State::Extension { size }, b'\r') => State::SizeEnd { size },
            (State::Size { .. }, b' ' | b'\t') if self.strict => return Err("a chunk size has white space behind it"),
            (State::Size { value: size, .. }, b';' | b' ' | b'\t') => State::Extension { size },
            (State::Extension { .. } | State::TrailerStart | State::Trailer, 0..=8 | 11 | 12 | 14..=31 | 127)
                if self.strict =>
            {
                return Err("its chunk extensions or trailers have control characters");
            }
            (State::Extension { size }, _) if byte != b'\n' => State::Extension { size },
            (State::SizeEnd { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeEnd { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { value: 0, digits: 0 },
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::TrailerStart | State::Trailer, _) if byte != b'\n' && byte != b'\r' => State::Trailer,
            (State::Trailer, b'\r') => State::TrailerEnd,
            (State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::LastLf, b'\n') => State::End,
            _ => return Err("its chunks are malformed"),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Feeds a body in pieces of some length; its data, whether it has ended, and what is left over.
    fn read(mut framing: Framing, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, bool, Vec<u8>), &'static str> {
        let (mut data, mut buffer) = (Vec::new(), BytesMut::new());
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            while let Some(taken) = framing.take(&mut buffer)? {
                data.extend_from_slice(&taken);
            }
        }
        Ok((data, framing.is_done(), buffer.to_vec()))
    }

    #[test]
    fn chunks_are_read_however_they_arrive() {
        let body = b"5\r\nhello\r\n0A;name=\"v\" \r\n, 0\r\nworld\r\n000\r\nx-end: 1\r\nx-y: 2\r\n\r\nHTTP";
        for piece in 1..body.len() {
            let (data, done, left) = read(Framing::chunked(), body, piece).unwrap();
            assert_eq!(
                (data.as_slice(), done, left.as_slice()),
                (&b"hello, 0\r\nworld"[..], true, &b"HTTP"[..]),
                "{piece}"
            );
        }
    }

    #[test]
    fn trailers_are_there_once_the_body_has_ended() {
        let mut framing = Framing::chunked();
        let mut buffer = BytesMut::from(&b"1\r\na\r\n0\r\nX-End:  1\r\nx-y: 2\r\nx-y: 3\r\n\r\nHTTP"[..]);
        assert_eq!(framing.take(&mut buffer).unwrap().unwrap(), "a");
        assert!(framing.is_done() && framing.has_trailers());
        let trailers = framing.take_trailers().unwrap();
        assert!(!framing.has_trailers());
        assert_eq!(trailers["x-end"], "1");
        assert_eq!(trailers.get_all("x-y").iter().collect::<Vec<_>>(), ["2", "3"]);
        for malformed in ["no colon", "a b: c", " folded: 1"] {
            let mut framing = Framing::chunked();
            let text = format!("0\r\n{malformed}\r\n\r\n");
            framing.take(&mut BytesMut::from(text.as_bytes())).unwrap();
            assert!(framing.take_trailers().is_err(), "{malformed}");
        }
    }

    #[test]
    fn what_is_cut_off_has_no_end() {
        let body = b"5\r\nhello\r\n0\r\n\r\n";
        for length in 0..body.len() {
            let (_, done, _) = read(Framing::chunked(), &body[..length], 100).unwrap();
            assert!(!done, "{length}");
        }
        assert!(!read(Framing::Length(5), b"hell", 2).unwrap().1);
        assert!(!read(Framing::UntilClose, b"hello", 2).unwrap().1);
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for body in [
            "\r\n",
            ";x\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1\n",
            "1\r\r\n",
            "1\rx",
            "1;a\nb\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\rx",
            "00000000000000001\r\n",
            "0\r\n\n",
            "0\r\n\rx",
            "0\r\na: b\n\r\n",
        ] {
            assert!(read(Framing::chunked(), body.as_bytes(), 100).is_err(), "{body:?}");
        }
        let long = |text: &str| read(Framing::chunked(), text.as_bytes(), 1000).is_err();
        assert!(long(&format!("1;{}", "e".repeat(20 << 10))) && long(&format!("0\r\nx: {}", "t".repeat(20 << 10))));
        assert!(long(&"1;ee\r\na\r\n".repeat(10_000)));
    }

    #[test]
    fn a_length_is_never_exceeded() {
        let (data, done, left) = read(Framing::Length(5), b"hello, world", 100).unwrap();
        assert_eq!((data.as_slice(), done, left.as_slice()), (&b"hello"[..], true, &b", world"[..]));
        assert!(Framing::Length(0).is_done());
    }
}
