//! The upstream of the suite: it reads what it is sent strictly, a byte at a time where it must, and remembers both the
//! bytes and its reading of them.

use std::sync::{Arc, Mutex};

use serde::Serialize;

use crate::support::{Raw, RawUpstream};

/// A request as it was read.
#[derive(Serialize, Clone, Debug)]
pub(super) struct Seen {
    /// All its bytes, each a character.
    raw: String,
    method: String,
    pub(super) target: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// What was read, and what could not be.
#[derive(Default)]
struct Record {
    seen: Vec<Seen>,
    odd: Vec<String>,
}

pub(super) struct Recorder {
    pub(super) upstream: RawUpstream,
    record: Arc<Mutex<Record>>,
}

impl Recorder {
    pub(super) fn start() -> Self {
        let record = Arc::<Mutex<Record>>::default();
        let kept = record.clone();
        let upstream = RawUpstream::start(move |raw| {
            while let Some(read) = read(raw) {
                let answer = match read {
                    Ok(seen) => {
                        let body = if seen.target == "/canary" { "canary" } else { "ok" };
                        let body = if seen.method == "HEAD" { "" } else { body };
                        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                        kept.lock().unwrap().seen.push(seen);
                        answer
                    }
                    Err(odd) => {
                        kept.lock().unwrap().odd.push(odd);
                        return;
                    }
                };
                if raw.try_send(answer).is_err() {
                    return;
                }
            }
        });
        Self { upstream, record }
    }

    /// What was read since this was last asked.
    pub(super) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.record.lock().unwrap().seen)
    }

    /// What could not be read.
    pub(super) fn odd(&self) -> Vec<String> {
        self.record.lock().unwrap().odd.clone()
    }
}

impl Seen {
    /// Request line, fields and body, without what the gateway says of itself and must say exactly so.
    pub(super) fn text(&self) -> String {
        let mut fields = self.headers.clone();
        let host = fields.iter().find(|(name, _)| name == "host").map(|(_, host)| host.clone()).unwrap_or_default();
        let mut own = vec![("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "http"), ("via", "gatehouse")];
        own.push(("x-request-id", ""));
        if !host.is_empty() {
            own.push(("x-forwarded-host", &host));
        }
        let mut text = format!("{} {}", self.method, self.target);
        for (name, value) in own {
            let is_own = |field: &(String, String)| match name {
                "via" => {
                    field.0 == name && ["1.0 gatehouse", "1.1 gatehouse", "2.0 gatehouse"].contains(&field.1.as_str())
                }
                "x-request-id" => field.0 == name && field.1.len() >= 16,
                _ => field.0 == name && field.1 == value,
            };
            match fields.iter().position(is_own) {
                Some(at) => drop(fields.remove(at)),
                None => text += &format!("\n(without {name})"),
            }
        }
        fields.iter().for_each(|(name, value)| text += &format!("\n{name}: {value}"));
        if !self.body.is_empty() {
            text += &format!("\n\n{}", self.body);
        }
        sorted(&text)
    }
}

/// The text of a request with its fields by name. Between different names order means nothing (RFC 9110 section 5.3).
pub(super) fn sorted(text: &str) -> String {
    let (head, body) = text.split_at(text.find("\n\n").unwrap_or(text.len()));
    let mut lines: Vec<&str> = head.split('\n').collect();
    lines[1..].sort_by_key(|line| line.split(':').next());
    lines.join("\n") + body
}

/// Reads a request; None when the gateway has left before it was whole.
fn read(raw: &mut Raw) -> Option<Result<Seen, String>> {
    let head = raw.head()?;
    let mut seen = match parse(&head) {
        Ok(seen) => seen,
        Err(why) => return Some(Err(format!("{why}: {head:?}"))),
    };
    let values = |name: &str| -> Vec<String> {
        seen.headers.iter().filter(|(field, _)| field == name).map(|(_, value)| value.clone()).collect()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    let body = match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Vec::new(),
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) && !length.is_empty() => {
            let body = raw.exact(length.parse().unwrap())?;
            seen.raw.extend(body.iter().copied().map(char::from));
            body
        }
        ([], [coding]) if coding == "chunked" => match chunks(raw, &mut seen.raw)? {
            Ok(body) => body,
            Err(why) => return Some(Err(format!("{why}: {:?}", seen.raw))),
        },
        _ => return Some(Err(format!("more than one framing: {head:?}"))),
    };
    seen.body = body.into_iter().map(char::from).collect();
    Some(Ok(seen))
}

fn parse(head: &str) -> Result<Seen, &'static str> {
    let mut lines = head.strip_suffix("\r\n\r\n").ok_or("no end")?.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let [method, target, "HTTP/1.1"] = first.split(' ').collect::<Vec<_>>()[..] else { return Err("the request line") };
    if head.replace("\r\n", "").contains(['\r', '\n', '\0']) {
        return Err("a control character");
    }
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let headers: Option<Vec<_>> = lines
        .map(|line| {
            let (name, value) = line.split_once(": ")?;
            let good = !name.is_empty() && name.bytes().all(is_token) && value.trim_matches([' ', '\t']) == value;
            good.then(|| (name.to_ascii_lowercase(), value.to_owned()))
        })
        .collect();
    Ok(Seen {
        raw: head.to_owned(),
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers.ok_or("a field")?,
        body: String::new(),
    })
}

/// Reads chunks as strictly as they can be written.
fn chunks(raw: &mut Raw, bytes: &mut String) -> Option<Result<Vec<u8>, &'static str>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        while !line.ends_with('\n') {
            line.extend(raw.exact(1)?.into_iter().map(char::from));
        }
        bytes.push_str(&line);
        let digits = line.strip_suffix("\r\n").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(size) = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()) else {
            return Some(Err("a chunk's size"));
        };
        let data = raw.exact(size + 2)?;
        bytes.extend(data.iter().copied().map(char::from));
        if !data.ends_with(b"\r\n") {
            return Some(Err("a chunk's end"));
        }
        if size == 0 {
            return Some(Ok(body));
        }
        body.extend_from_slice(&data[..size]);
    }
}
