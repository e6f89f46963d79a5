//! Header sections: that of a request as bytes, that of an answer from bytes.
//!
//! The framing of a request is told by its body alone, that of an answer has exactly one reading (RFC 9112 section 6.3)
//! or the answer is refused.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use memchr::memmem;

use super::framing::Framing;
use crate::edge::{is_hop_by_hop, options, write_field};

/// Most fields of an answer.
const FIELDS: usize = 100;

/// Most bytes of an answer's header section, together with those of interim answers before it.
pub(super) const BYTES: usize = 256 << 10;

/// How a request's body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// There is none, and nothing is said of it.
    Nothing,
    /// There is none, and its length says so.
    Empty,
    /// So many bytes.
    Length(u64),
    /// As long as it takes.
    Chunked,
}

/// Writes the first line of a request; `target` is in origin form or `*`.
pub(crate) fn write_request_line(out: &mut Vec<u8>, method: &Method, target: &str) {
    for part in [method.as_str(), " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Writes what tells the framing of the body, and the end of the header section.
pub(crate) fn write_framing(out: &mut Vec<u8>, outgoing: Outgoing) {
    match outgoing {
        Outgoing::Nothing => {}
        Outgoing::Empty => write_field(out, "content-length", b"0"),
        Outgoing::Length(length) => write_field(out, "content-length", length.to_string().as_bytes()),
        Outgoing::Chunked => write_field(out, "transfer-encoding", b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
}

/// What of a request tells how its answer is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    /// Whether it asked for WebSocket: then 101 is a last answer.
    pub(super) upgrades: bool,
}

/// The header section of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection can serve another request after this one.
    pub(super) keep: bool,
}

/// The end of a header section: a line and an empty one.
static END: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\n\r\n"));

/// The same where lines end with LF alone, as old servers write them (RFC 9112 section 2.2).
static BARE_END: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\n\n"));

/// Takes one header section off the front; None when it is not whole yet. `seen` bytes were looked at before.
///
/// The first end counts, of either kind: what follows it may hold one of the other, and may have come already or not.
pub(super) fn take(buffer: &mut BytesMut, seen: &mut usize) -> Option<Bytes> {
    // The last two bytes may be the beginning of the end.
    let from = seen.saturating_sub(2);
    let end = END.find(&buffer[from..]).map(|at| from + at);
    // The line feed that begins the one may end the other.
    let before = end.map_or(buffer.len(), |at| at + 1);
    let bare = BARE_END.find(&buffer[from..before]).map(|at| from + at + 2);
    let Some(length) = bare.or(end.map(|at| at + 3)) else {
        *seen = buffer.len();
        return None;
    };
    *seen = 0;
    Some(buffer.split_to(length).freeze())
}

/// Understands a header section. `headers` is empty; its memory is used again.
pub(super) fn parse(block: &Bytes, asked: Asked<'_>, mut headers: HeaderMap) -> Result<Head, String> {
    let mut fields = [const { std::mem::MaybeUninit::uninit() }; FIELDS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut answer, block, &mut fields);
    let parsed = parsed.map_err(|error| format!("it is no HTTP: {error}"))?;
    if parsed != httparse::Status::Complete(block.len()) {
        return Err("its header section has no clear end".into());
    }
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or("it has no valid status")?;
    let version = if answer.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let mut hop = Hop::default();
    headers.reserve(answer.headers.len());
    for field in answer.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| "a header name is malformed")?;
        let value = HeaderValue::from_maybe_shared(block.slice_ref(field.value));
        let value = value.map_err(|_| "a header value is malformed")?;
        match is_hop_by_hop(name.as_str()) {
            true => hop.take(&name, value),
            false => drop(headers.append(name, value)),
        }
    }
    let framing = framing(status, version, asked, &hop, &headers)?;
    hop.named.iter().for_each(|name| drop(headers.remove(name)));
    if let Framing::Chunked(_) = framing {
        // Trailers go on, and so does what announces them.
        for names in hop.announced {
            headers.append(TRAILER, names);
        }
    }
    // `close` is final, whatever else is said (RFC 9112 section 9.3).
    let keep = (version == Version::HTTP_11 || hop.keeps) && !hop.closes && !matches!(framing, Framing::UntilClose);
    Ok(Head { status, version, headers, framing, keep })
}

/// What an answer says of its hop only. It goes no further.
#[derive(Default)]
struct Hop {
    keeps: bool,
    closes: bool,
    /// What `Connection` takes with it.
    named: Vec<HeaderName>,
    codings: usize,
    chunked: bool,
    /// Values of `Trailer`.
    announced: Vec<HeaderValue>,
    /// `Connection: upgrade` and `Upgrade: websocket`.
    upgrades: bool,
    protocols: usize,
    websocket: bool,
}

impl Hop {
    fn take(&mut self, name: &HeaderName, value: HeaderValue) {
        if name == CONNECTION {
            let is = |option: &str| value.as_bytes().eq_ignore_ascii_case(option.as_bytes());
            let (keeps, closes) = (is("keep-alive"), is("close"));
            if !keeps && !closes {
                self.named.extend(options(&value));
            }
            self.keeps |= keeps || has_option(value.as_bytes(), b"keep-alive");
            self.closes |= closes || has_option(value.as_bytes(), b"close");
            self.upgrades |= !keeps && !closes && has_option(value.as_bytes(), b"upgrade");
        } else if name == TRANSFER_ENCODING {
            self.codings += 1;
            self.chunked = value.as_bytes().eq_ignore_ascii_case(b"chunked");
        } else if name == TRAILER {
            self.announced.push(value);
        } else if name == UPGRADE {
            self.protocols += 1;
            self.websocket = self.protocols == 1 && value.as_bytes().eq_ignore_ascii_case(b"websocket");
        }
    }
}

fn has_option(options: &[u8], wanted: &[u8]) -> bool {
    options.split(|&byte| byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
}

/// RFC 9112 section 6.3, without what it leaves to guess.
fn framing(
    status: StatusCode,
    version: Version,
    asked: Asked<'_>,
    hop: &Hop,
    headers: &HeaderMap,
) -> Result<Framing, &'static str> {
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    match switches {
        true if !asked.upgrades => return Err("it switches protocols, which nobody asked for"),
        true if version == Version::HTTP_10 || !hop.upgrades || !hop.websocket => {
            return Err("it switches to another protocol than WebSocket");
        }
        _ => {}
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next().map(|value| number(value).ok_or("its content-length is no number")).transpose()?;
    match (hop.codings, length, lengths.next()) {
        (0, _, None) if !switches || length.is_none() => {}
        // RFC 9110 sections 8.6 and 15.2.
        _ if switches => return Err("it switches protocols and frames a body"),
        (1, None, None) if !hop.chunked => return Err("its transfer coding is not `chunked`"),
        (1, None, None) if version == Version::HTTP_10 => return Err("it is chunked, which HTTP/1.0 has not"),
        (1, None, None) => {}
        _ => return Err("it has two framings"),
    }
    // What follows is for whoever speaks the other protocol, to the connection's end.
    let bodiless = asked.method == Method::HEAD
        || (status.is_informational() && !switches)
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(match length {
        _ if bodiless => Framing::Length(0),
        _ if hop.chunked => Framing::chunked(),
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    })
}

/// Digits and nothing else (RFC 9110 section 8.6).
fn number(value: &HeaderValue) -> Option<u64> {
    let text = std::str::from_utf8(value.as_bytes()).ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn understand(text: &str, asked: &Method) -> Result<Head, String> {
        let asked = Asked { method: asked, upgrades: false };
        parse(&Bytes::copy_from_slice(text.as_bytes()), asked, HeaderMap::new())
    }

    #[test]
    fn a_header_section_is_taken_however_it_arrives() {
        let text = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody\n\n";
        for piece in 1..text.len() {
            let (mut buffer, mut seen, mut taken) = (BytesMut::new(), 0, None);
            for piece in text.chunks(piece) {
                buffer.extend_from_slice(piece);
                taken = taken.or_else(|| take(&mut buffer, &mut seen));
            }
            assert_eq!(taken.unwrap(), b"HTTP/1.1 200 OK\r\na: b\r\n\r\n"[..], "{piece}");
            assert_eq!(buffer, b"body\n\n"[..]);
        }
    }

    #[test]
    fn the_first_end_of_a_header_section_counts_whatever_has_come_behind_it() {
        for text in ["HTTP/1.1 200 OK\n\nab\r\n\r\ncd", "HTTP/1.1 200 OK\n\r\n\n\n", "HTTP/1.1 200 OK\r\n\n\r\n\r\n"] {
            let length = "HTTP/1.1 200 OK\n\n".len() + text.starts_with("HTTP/1.1 200 OK\n\r") as usize;
            let length = length + text.starts_with("HTTP/1.1 200 OK\r") as usize;
            for cut in length..=text.len() {
                let (mut buffer, mut seen) = (BytesMut::from(&text[..cut]), 0);
                assert_eq!(take(&mut buffer, &mut seen).unwrap(), text[..length], "{text:?} {cut}");
                assert_eq!(buffer, text[length..cut]);
            }
        }
    }

    #[test]
    fn the_framing_of_an_answer_has_one_reading() {
        let of = |status: &str, lines: &str, asked: &Method| {
            let head = understand(&format!("HTTP/1.1 {status}\r\n{lines}\r\n"), asked)?;
            Ok::<_, String>(format!("{:?}", head.framing.left()))
        };
        for (status, lines, asked, left) in [
            ("200 OK", "content-length: 5\r\n", Method::GET, "Some(5)"),
            ("200 OK", "content-length: 5\r\n", Method::HEAD, "Some(0)"),
            ("204 No Content", "", Method::GET, "Some(0)"),
            ("304 Not Modified", "content-length: 5\r\n", Method::GET, "Some(0)"),
            ("200 OK", "transfer-encoding: Chunked\r\n", Method::GET, "None"),
            ("200 OK", "", Method::GET, "None"),
        ] {
            assert_eq!(of(status, lines, &asked).as_deref(), Ok(left), "{status} {lines}");
        }
        for lines in [
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
            "content-length: 5\r\ncontent-length: 5\r\n",
            "content-length: 5, 5\r\n",
            "content-length: +5\r\n",
            "content-length:\r\n",
            "content-length: 99999999999999999999\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        ] {
            assert!(of("200 OK", lines, &Method::GET).is_err(), "{lines}");
        }
    }

    #[test]
    fn protocols_are_switched_to_websocket_only_and_when_asked() {
        let switch = |upgrades, version: &str, lines: &str| {
            let text = format!("HTTP/{version} 101 Switching Protocols\r\n{lines}\r\n");
            let asked = Asked { method: &Method::GET, upgrades };
            parse(&Bytes::from(text), asked, HeaderMap::new()).map(|head| (head.keep, head.framing.left()))
        };
        let good = "connection: Upgrade\r\nupgrade: WebSocket\r\n";
        assert_eq!(switch(true, "1.1", good), Ok((false, None)));
        assert!(switch(false, "1.1", good).is_err() && switch(true, "1.0", good).is_err());
        for lines in [
            String::new(),
            "upgrade: websocket\r\n".to_owned(),
            "connection: upgrade\r\n".to_owned(),
            good.replace("WebSocket", "h2c"),
            format!("upgrade: h2c\r\n{good}"),
            format!("{good}content-length: 0\r\n"),
            format!("{good}content-length: 0\r\ncontent-length: 0\r\n"),
            format!("{good}transfer-encoding: chunked\r\n"),
        ] {
            assert!(switch(true, "1.1", &lines).is_err(), "{lines}");
        }
    }

    #[test]
    fn a_connection_is_kept_as_both_versions_say() {
        let keep = |version: &str, lines: &str| {
            understand(&format!("HTTP/{version} 200 OK\r\ncontent-length: 0\r\n{lines}\r\n"), &Method::GET)
                .unwrap()
                .keep
        };
        assert!(keep("1.1", "") && keep("1.0", "connection: Keep-Alive\r\n"));
        assert!(!keep("1.0", "") && !keep("1.1", "connection: x, CLOSE\r\n"));
        assert!(!keep("1.1", "connection: close\r\nconnection: keep-alive\r\n"));
    }

    #[test]
    fn a_request_tells_its_framing_by_its_body() {
        let text = |outgoing| {
            let mut out = Vec::new();
            write_request_line(&mut out, &Method::POST, "/a?b");
            write_framing(&mut out, outgoing);
            String::from_utf8(out).unwrap()
        };
        for (outgoing, framing) in [
            (Outgoing::Nothing, ""),
            (Outgoing::Empty, "content-length: 0\r\n"),
            (Outgoing::Length(5), "content-length: 5\r\n"),
            (Outgoing::Chunked, "transfer-encoding: chunked\r\n"),
        ] {
            assert_eq!(text(outgoing), format!("POST /a?b HTTP/1.1\r\n{framing}\r\n"));
        }
    }

    #[test]
    fn what_belongs_to_the_hop_goes_no_further() {
        let lines = "connection: X-A, keep-alive, content-length\r\nkeep-alive: timeout=5\r\nx-a: 1\r\nx-b: 2\r\n\
            trailer: x\r\nupgrade: h2c\r\ncontent-length: 0\r\n";
        let head = understand(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"), &Method::GET).unwrap();
        let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "x-b"]);
    }
}
