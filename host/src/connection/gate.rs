//! The gate in front of hyper: which bytes of an HTTP/1 client may reach it.
//!
//! hyper reads some messages that have a second reading elsewhere: lines that end with LF alone, `Content-Length` twice or
//! beside `Transfer-Encoding`, white space behind a chunk's size, a fragment in a target. Here the framing of each request
//! is followed strictly (RFC 9112 sections 2.2, 6 and 7.1), and what is doubtful is replaced by a byte that hyper refuses.
//! Nothing is stored but the beginning of a line; what passes is what hyper would read anyway.

use memchr::memchr;

use crate::upstream::Chunks;

/// In place of the end of a doubtful line of a header section: no parser takes a NUL there. hyper looks once the section has an
/// end.
const IN_HEAD: &[u8] = b"\0\r\n\r\n";

/// In place of what a chunked body must not have: in whatever part of it, one of these bytes is an error.
const IN_CHUNKS: &[u8] = b"\0\n\r\n\r\n";

/// What is known of a client's bytes so far.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: State,
    /// The beginning of a line whose end has not come. hyper's bound on header sections holds for it too.
    line: Vec<u8>,
    head: Head,
}

#[derive(Debug, Default)]
enum State {
    /// In a header section, or before one.
    #[default]
    Head,
    /// So many bytes of a body are left.
    Length(u64),
    Chunked(Chunks),
    /// Behind a request that may switch protocols: what comes is HTTP only once it was not.
    Switching,
    /// Nothing passes any more.
    Shut,
}

/// What a header section has said so far of what follows it.
#[derive(Debug, Default)]
struct Head {
    begun: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

/// A line has two readings.
#[derive(Debug)]
struct Doubtful;

/// What may pass of some bytes, and what then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// So many bytes.
    pub(super) bytes: usize,
    pub(super) then: Then,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// That was all of them.
    More,
    /// The rest has to wait until it is known whether it is HTTP.
    Wait,
    /// These bytes, and nothing else for ever.
    Refuse(&'static [u8]),
}

impl Gate {
    /// Whether nothing passes any more.
    pub(super) fn is_shut(&self) -> bool {
        matches!(self.state, State::Shut)
    }

    /// Whether it has to be known whether protocols were switched.
    pub(super) fn waits(&self) -> bool {
        matches!(self.state, State::Switching)
    }

    /// They were not: what follows is the next request.
    pub(super) fn stays_http(&mut self) {
        self.state = State::Head;
    }

    /// Follows what has come.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Passed {
        let mut passed = 0;
        while let Some(rest) = bytes.get(passed..).filter(|rest| !rest.is_empty()) {
            let (taken, refused) = match &mut self.state {
                State::Head => self.lines(rest),
                State::Length(left) => {
                    let taken = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    if *left == 0 {
                        self.state = State::Head;
                    }
                    (taken, None)
                }
                State::Chunked(chunks) => match chunks.skip(rest) {
                    Ok(taken) => {
                        if chunks.is_done() {
                            self.state = State::Head;
                        }
                        (taken, None)
                    }
                    Err(taken) => (taken, Some(IN_CHUNKS)),
                },
                State::Switching => return Passed { bytes: passed, then: Then::Wait },
                State::Shut => (0, Some(&b""[..])),
            };
            passed += taken;
            if let Some(bytes) = refused {
                self.state = State::Shut;
                return Passed { bytes: passed, then: Then::Refuse(bytes) };
            }
        }
        Passed { bytes: passed, then: Then::More }
    }

    /// Takes lines of a header section, to its end at the most. A doubtful one keeps its last byte, and so never ends.
    fn lines(&mut self, bytes: &[u8]) -> (usize, Option<&'static [u8]>) {
        let mut taken = 0;
        while let State::Head = self.state {
            let rest = &bytes[taken..];
            let Some(end) = memchr(b'\n', rest) else {
                self.line.extend_from_slice(rest);
                return (bytes.len(), None);
            };
            let read = if self.line.is_empty() {
                self.head.read(&rest[..end])
            } else {
                self.line.extend_from_slice(&rest[..end]);
                let read = self.head.read(&self.line);
                self.line = Vec::new();
                read
            };
            match read {
                Ok(Some(state)) => self.state = state,
                Ok(None) => {}
                Err(Doubtful) => return (taken + end, Some(IN_HEAD)),
            }
            taken += end + 1;
        }
        (taken, None)
    }
}

impl Head {
    /// Reads a line without its LF; what follows, if it was the last.
    fn read(&mut self, line: &[u8]) -> Result<Option<State>, Doubtful> {
        let line = line.strip_suffix(b"\r").ok_or(Doubtful)?;
        if !self.begun {
            // An empty line before a request is skipped (RFC 9112 section 2.2).
            self.begun = !line.is_empty();
            return if has_fragment(line) { Err(Doubtful) } else { Ok(None) };
        }
        match line.first() {
            None => return std::mem::take(self).end().map(Some),
            Some(b'c' | b'C') => {
                if let Some(value) = value(line, b"content-length") {
                    let length = digits(value).filter(|_| self.length.is_none());
                    self.length = Some(length.ok_or(Doubtful)?);
                }
            }
            Some(b't' | b'T') => {
                if let Some(value) = value(line, b"transfer-encoding") {
                    if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(Doubtful);
                    }
                    self.chunked = true;
                }
            }
            Some(b'u' | b'U') => self.upgrade |= value(line, b"upgrade").is_some(),
            _ => {}
        }
        Ok(None)
    }

    /// The framing of what follows.
    fn end(self) -> Result<State, Doubtful> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Doubtful),
            (None, true) => Ok(State::Chunked(Chunks::strict())),
            (None | Some(0), false) if self.upgrade => Ok(State::Switching),
            (None | Some(0), false) => Ok(State::Head),
            (Some(length), false) => Ok(State::Length(length)),
        }
    }
}

/// Whether a request line has a fragment: hyper cuts it off, and others do not (RFC 9112 section 3.2).
fn has_fragment(line: &[u8]) -> bool {
    memchr(b'#', line).is_some_and(|at| line[..at].contains(&b' '))
}

/// The value of a field, if it has this name.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":").filter(|_| found.eq_ignore_ascii_case(name))?;
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    Some(&value[start..end])
}

/// A length: digits, and nothing else.
fn digits(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What comes out of some bytes in pieces of some length, and whether the gate is shut.
    fn out(bytes: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let (mut gate, mut out) = (Gate::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            let passed = gate.pass(piece);
            out.extend_from_slice(&piece[..passed.bytes]);
            if let Then::Refuse(bytes) = passed.then {
                out.extend_from_slice(bytes);
            }
        }
        (out, gate.is_shut())
    }

    #[test]
    fn what_has_one_reading_passes_unchanged_however_it_arrives() {
        let bytes = b"\r\nG#T / HTTP/1.1\r\nhost: a\r\n\r\nPOST / HTTP/1.1\r\nContent-Length:\t3 \r\n\r\na\nbPUT / HTTP/1.1\r\n\
            transfer-encoding: Chunked\r\n\r\n3;a=b\r\na\nb\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        for piece in 1..bytes.len() {
            assert_eq!(out(bytes, piece), (bytes.to_vec(), false), "{piece}");
        }
    }

    #[test]
    fn a_doubtful_line_never_ends_and_nothing_follows_it() {
        let start = "POST / HTTP/1.1\r\nhost: a\r\n";
        for (before, doubtful) in [
            ("", "GET / HTTP/1.1\n"),
            ("", "\n"),
            ("", "GET /#a HTTP/1.1\r\n"),
            (start, "a: b\n"),
            (start, "\n"),
            (start, "content-length:\r\n"),
            (start, "content-length: +1\r\n"),
            (start, "content-length: 1, 1\r\n"),
            (start, "content-length: 18446744073709551616\r\n"),
            (start, "transfer-encoding: gzip, chunked\r\n"),
            (start, "transfer-encoding:\u{b}chunked\r\n"),
            ("A / HTTP/1.1\r\ncontent-length: 1\r\n", "content-length: 1\r\n"),
            ("A / HTTP/1.1\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\n"),
            ("A / HTTP/1.1\r\ntransfer-encoding: chunked\r\nCONTENT-LENGTH: 1\r\n", "\r\n"),
        ] {
            let all = [before, doubtful, "GET /next HTTP/1.1\r\n\r\n"].concat();
            let expected = [before, &doubtful[..doubtful.len() - 1], "\0\r\n\r\n"].concat();
            for piece in 1..all.len() {
                assert_eq!(out(all.as_bytes(), piece), (expected.clone().into_bytes(), true), "{doubtful:?} {piece}");
            }
        }
    }

    #[test]
    fn doubtful_chunks_are_never_whole() {
        let head = "A / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        for (body, passes) in
            [("1 \r\n", "1"), ("1\n", "1"), ("1\r\nab", "1\r\na"), ("0\r\nx: y\n", "0\r\nx: y"), ("x", "")]
        {
            let all = [head, body, "\r\n0\r\n\r\n"].concat();
            let expected = [head, passes, "\0\n\r\n\r\n"].concat();
            assert_eq!(out(all.as_bytes(), 1000), (expected.into_bytes(), true), "{body:?}");
        }
    }

    #[test]
    fn what_is_behind_a_handshake_waits_until_it_is_known_what_it_is() {
        let head = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n";
        let mut gate = Gate::default();
        let passed = gate.pass(&[head, &b"GET"[..]].concat());
        assert_eq!(passed, Passed { bytes: head.len(), then: Then::Wait });
        assert!(gate.waits());
        gate.stays_http();
        assert_eq!(gate.pass(b"GET / HTTP/1.1\n"), Passed { bytes: 14, then: Then::Refuse(IN_HEAD) });
    }
}
