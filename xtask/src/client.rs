//! A small HTTP/1.1 client: one request a connection, for the demo's checks. Enough of the protocol to read what the
//! gateway answers, and strict where it reads.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

/// The longest wait for a connection, and for each read.
const LIMIT: Duration = Duration::from_secs(10);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// `127.0.0.1:8080`
    pub(crate) authority: String,
    /// The path with its query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// A plain GET.
    pub(crate) fn get(address: SocketAddr, target: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            authority: address.to_string(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let has = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !has("connection") {
            text.push_str("connection: close\r\n");
        }
        if !has("host") {
            text.push_str(&format!("host: {}\r\n", self.authority));
        }
        if !self.body.is_empty() {
            text.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Sends a request and reads the whole answer.
pub(crate) fn send(request: &Request) -> Result<Response> {
    let address: SocketAddr =
        request.authority.parse().with_context(|| format!("not an address: {}", request.authority))?;
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).with_context(|| format!("connecting to {address}"))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(&request.bytes())?;
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    // A request for an upgrade leaves the connection open where that is refused.
    while !is_framed(&bytes) {
        match stream.read(&mut piece).with_context(|| format!("reading the answer of {address}"))? {
            0 => break,
            read => bytes.extend(&piece[..read]),
        }
    }
    parse(&bytes)
}

/// Whether an answer that says where it ends is there to its end.
fn is_framed(bytes: &[u8]) -> bool {
    let framing = |(name, _): &(String, String)| ["content-length", "transfer-encoding"].contains(&name.as_str());
    parse(bytes).is_ok_and(|response| response.headers.iter().any(framing))
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Response> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").context("the answer has no end of its headers")?;
    let head = std::str::from_utf8(&bytes[..end]).context("the headers are not UTF-8")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok());
    let status = status.context("the answer has no status line")?;
    let headers = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
        .collect::<Option<Vec<_>>>()
        .context("a header line has no colon")?;
    let value = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let rest = &bytes[end + 4..];
    let body = match (value("transfer-encoding"), value("content-length")) {
        (Some("chunked"), _) => dechunk(rest)?,
        (_, Some(length)) if length.parse() != Ok(rest.len()) => bail!("{} body bytes, announced {length}", rest.len()),
        _ => rest.to_vec(),
    };
    Ok(Response { status, body: String::from_utf8_lossy(&body).into_owned(), headers })
}

fn dechunk(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").context("a chunk has no size line")?;
        let size = std::str::from_utf8(&rest[..end])?.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).context("a chunk's size is no number")?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(rest.get(..size).context("the last chunk is missing")?);
        rest = rest.get(size + 2..).context("a chunk has no end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_put_together() {
        let answer =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        let response = parse(answer).expect("a good answer");
        assert_eq!((response.status, response.body.as_str()), (200, "abcde"));
        assert_eq!(response.headers[1], ("x-a".to_owned(), "b".to_owned()));
    }

    #[test]
    fn a_body_that_is_cut_off_is_an_error() {
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab").is_err());
    }
}
