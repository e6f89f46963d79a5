//! What an upstream sends has one reading, however it arrives, and no byte behind a message is touched.
//!
//! The answer's reader is the loop of `connection.rs` and `body.rs` without their socket.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Method, Version, header::TRAILER};

use super::{
    framing::Framing,
    head::{self, Asked, Head},
};
use crate::{edge::is_hop_by_hop, fuzz::Seen};

/// Inputs up to this length are cut at every place, longer ones at some.
const CUT_EVERYWHERE: usize = 200;

/// The bytes of an answer, behind a line with the method that was asked with.
pub(crate) fn answer(bytes: &[u8]) -> Seen {
    let at = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let method = Method::from_bytes(&bytes[..at]).unwrap_or(Method::GET);
    let bytes = bytes.get(at + 1..).unwrap_or_default();
    let whole = Answer::read(&method, [bytes]);
    if let Ok(answer) = &whole {
        assert_eq!(answer.bytes(), bytes.len(), "{answer:?}");
        // Trailers go on, and so does what announces them.
        let of_hop = |name: &HeaderName| is_hop_by_hop(name.as_str()) && name != TRAILER;
        assert!(!answer.headers.keys().any(of_hop), "{answer:?}");
        assert!(answer.version == Version::HTTP_11 || answer.version == Version::HTTP_10);
    }
    cuts(bytes, |pieces| {
        let cut = Answer::read(&method, pieces.iter().copied());
        assert_eq!(
            cut,
            whole,
            "{:?} of {}",
            pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>(),
            bytes.escape_ascii()
        );
    });
    Seen::accepted(whole.is_ok_and(|answer| answer.status > 0))
}

/// A chunked body, compared with a reader of the whole.
pub(crate) fn chunks(bytes: &[u8]) -> Seen {
    let whole = Body::read(Framing::chunked(), [bytes]);
    let expected = dechunked(bytes);
    assert_eq!(whole.as_ref().ok(), expected.as_ref(), "{}", bytes.escape_ascii());
    cuts(bytes, |pieces| {
        let cut = Body::read(Framing::chunked(), pieces.iter().copied());
        assert_eq!(
            cut,
            whole,
            "{:?} of {}",
            pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>(),
            bytes.escape_ascii()
        );
    });
    for length in [0, 1, 7, 1000] {
        let body = Body::read(Framing::Length(length), [bytes]).expect("a length can not be malformed");
        let taken = bytes.len().min(length as usize);
        assert_eq!((&*body.data, &*body.left), bytes.split_at(taken));
        assert_eq!(body.done, taken as u64 == length);
    }
    Seen::accepted(whole.is_ok_and(|body| body.done))
}

/// Runs a check with the bytes in two pieces, cut at each place (at some places, when there are many), and in pieces of a
/// few bytes.
fn cuts(bytes: &[u8], check: impl Fn(&[&[u8]])) {
    let step = if bytes.len() <= CUT_EVERYWHERE { 1 } else { bytes.len() / 30 };
    for at in (0..bytes.len()).step_by(step) {
        let (one, other) = bytes.split_at(at);
        check(&[one, other]);
    }
    for size in [1, 2, 3, 5] {
        check(&bytes.chunks(size).collect::<Vec<_>>());
    }
}

/// What was read of a body.
#[derive(Debug, Default, PartialEq, Eq)]
struct Body {
    data: Vec<u8>,
    done: bool,
    /// What was not taken.
    left: Vec<u8>,
}

impl Body {
    fn read<'a>(mut framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, &'static str> {
        let mut body = Self::default();
        let mut buffer = BytesMut::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            body.take(&mut framing, &mut buffer)?;
        }
        body.done = framing.is_done();
        body.left = buffer.to_vec();
        if body.done {
            // Whatever they are, they are taken once.
            let _ = framing.take_trailers();
            assert!(!framing.has_trailers());
        }
        Ok(body)
    }

    fn take(&mut self, framing: &mut Framing, buffer: &mut BytesMut) -> Result<(), &'static str> {
        while let Some(data) = framing.take(buffer)? {
            assert!(!data.is_empty());
            self.data.extend_from_slice(&data);
        }
        Ok(())
    }
}

/// What was read of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    /// 0: no header section yet.
    status: u16,
    version: Version,
    headers: HeaderMap,
    keep: bool,
    /// Bytes of header sections and of framing.
    overhead: usize,
    body: Body,
}

impl Answer {
    fn read<'a>(asked: &Method, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, String> {
        let (mut buffer, mut seen, mut all) = (BytesMut::new(), 0, 0);
        let mut framing = None;
        let mut answer = Self {
            status: 0,
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
            keep: false,
            overhead: 0,
            body: Body::default(),
        };
        for piece in pieces {
            all += piece.len();
            buffer.extend_from_slice(piece);
            while framing.is_none()
                && let Some(block) = head::take(&mut buffer, &mut seen)
            {
                framing = answer.take_head(&block, asked, &mut buffer)?;
            }
            if let Some(framing) = &mut framing {
                answer.body.take(framing, &mut buffer)?;
            }
        }
        answer.body.done = framing.is_some_and(|framing| framing.is_done());
        answer.body.left = buffer.to_vec();
        answer.overhead = all - answer.body.data.len() - answer.body.left.len();
        Ok(answer)
    }

    /// The framing of the body, unless more header sections follow.
    fn take_head(&mut self, block: &Bytes, asked: &Method, _: &mut BytesMut) -> Result<Option<Framing>, String> {
        let Head { status, version, headers, framing, keep } =
            head::parse(block, Asked { method: asked, upgrades: false }, HeaderMap::new())?;
        if status.is_informational() {
            return Ok(None);
        }
        (self.status, self.version, self.headers, self.keep) = (status.as_u16(), version, headers, keep);
        assert!(!keep || !matches!(framing, Framing::UntilClose));
        Ok(Some(framing))
    }

    fn bytes(&self) -> usize {
        self.overhead + self.body.data.len() + self.body.left.len()
    }
}

/// RFC 9112 section 7.1 for a message that is here as a whole, as strict as the gateway is. None when it is malformed.
fn dechunked(bytes: &[u8]) -> Option<Body> {
    let mut body = Body::default();
    let mut rest = bytes;
    let mut overhead = 0;
    loop {
        let (line, after) = line(rest, &mut overhead, true)?;
        let Some(line) = line else { return Some(body) };
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = u64::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()?;
        if size == 0 {
            rest = after;
            break;
        }
        let taken = after.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        body.data.extend_from_slice(&after[..taken]);
        rest = match &after[taken..] {
            [] | [b'\r'] => return Some(body),
            [b'\r', b'\n', rest @ ..] => rest,
            _ => return None,
        };
    }
    loop {
        let (line, after) = line(rest, &mut overhead, false)?;
        rest = after;
        match line {
            None => return Some(body),
            Some([]) => return Some(Body { done: true, left: rest.to_vec(), ..body }),
            Some(_) => {}
        }
    }
}

/// A line that ends with CRLF, if it is whole, and what follows. None when it can not be one: a size line begins with
/// digits, and a trailer has no CR or LF of its own.
fn line<'a>(bytes: &'a [u8], overhead: &mut usize, size: bool) -> Option<(Option<&'a [u8]>, &'a [u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\r' || byte == b'\n').unwrap_or(bytes.len());
    let (line, after) = bytes.split_at(end);
    let digits = if size { line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count() } else { 0 };
    let begins = !size || (1..=16).contains(&digits) || bytes.is_empty();
    let extends = !size || matches!(line.get(digits), None | Some(b';' | b' ' | b'\t'));
    if !begins || !extends {
        return None;
    }
    // The first byte behind the digits, and the CR, are no extension yet: counted as the reader counts.
    *overhead += match (size, line.len() > digits) {
        (true, true) => line.len() - digits - 1 + usize::from(!after.is_empty()),
        (true, false) => 0,
        (false, _) => line.len() + usize::from(!after.is_empty()),
    };
    if *overhead > 16 << 10 {
        return None;
    }
    match after {
        [] | [b'\r'] => Some((None, after)),
        [b'\r', b'\n', rest @ ..] => Some((Some(line), rest)),
        _ => None,
    }
}
