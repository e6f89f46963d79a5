//! The example upstream: answers every request with JSON that repeats what it received, but for `/profiles/NAME`,
//! `/events` and WebSockets.
//!
//! It needs nothing but the standard library, and serves kept-alive connections with a thread each. It trusts whoever
//! reaches it: it is for the loopback address.

mod websocket;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

/// What it says of itself, for a gateway to remove.
const POWERED_BY: &str = "example-upstream";

/// The longest body it reads.
const BODY_LIMIT: u64 = 16 * 1024 * 1024;

/// Serves on an address from now on, in threads that end with the process.
pub(crate) fn start(address: SocketAddr) -> Result<()> {
    let listener = listen(address)?;
    thread::spawn(move || accept(&listener));
    Ok(())
}

/// Serves on an address and does not return.
pub(crate) fn serve(address: SocketAddr) -> Result<()> {
    let listener = listen(address)?;
    println!("the example upstream listens on http://{address}");
    accept(&listener);
    Ok(())
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("the example upstream can not listen on {address}"))
}

fn accept(listener: &TcpListener) {
    for stream in listener.incoming().flatten() {
        thread::spawn(move || connection(&stream));
    }
}

/// Serves one connection until the peer closes it or says something that is not HTTP/1.1.
fn connection(stream: &TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let request = read(&mut reader)?;
        if request.header("upgrade") == Some("websocket") {
            let user = request.header("x-user").unwrap_or("stranger");
            return websocket::talk(stream, reader, request.header("sec-websocket-key")?, user);
        }
        if request.target == "/events" {
            return events(writer);
        }
        let body = request.answer();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nx-powered-by: {POWERED_BY}\r\n\r\n",
            body.len()
        );
        let sent = if request.method == "HEAD" { head } else { head + &body };
        writer.write_all(sent.as_bytes()).ok()?;
    }
}

/// Three events, one after the other, and the end.
fn events(mut writer: &TcpStream) -> Option<()> {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    writer.write_all(head.as_bytes()).ok()?;
    for number in 1..=3 {
        thread::sleep(Duration::from_millis(300));
        let event = format!("id: {number}\ndata: tick {number}\n\n");
        writer.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).ok()?;
    }
    writer.write_all(b"0\r\n\r\n").ok()
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Reads a whole request. None at the end of the connection, or when it can not be understood.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let line = line(reader)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = self::line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let request = Request { method, target, headers, body: Vec::new() };
    let body = match (request.header("transfer-encoding"), request.header("content-length")) {
        (Some(_), _) => chunks(reader)?,
        (None, Some(length)) => exactly(reader, length.parse().ok()?)?,
        (None, None) => Vec::new(),
    };
    Some(Request { body, ..request })
}

fn line(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    reader.take(64 * 1024).read_until(b'\n', &mut line).ok()?;
    let line = line.strip_suffix(b"\n")?;
    Some(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
}

fn exactly(reader: &mut BufReader<&TcpStream>, length: u64) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    let read = reader.take(length.min(BODY_LIMIT)).read_to_end(&mut body).ok()?;
    (read as u64 == length).then_some(body)
}

fn chunks(reader: &mut BufReader<&TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(reader)?;
        let size = u64::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        body.extend(exactly(reader, size)?);
        line(reader)?;
        if size == 0 {
            return Some(body);
        }
    }
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A profile for those who ask for one, `/profiles/NAME`; to all others what they sent.
    fn answer(&self) -> String {
        match self.target.strip_prefix("/profiles/") {
            Some(name) => format!("{{\"title\":{}}}\n", json(&format!("{name}, keeper"))),
            None => self.echo(),
        }
    }

    /// Itself as JSON. Fields of one name become one value, as RFC 9110 section 5.3 has it.
    fn echo(&self) -> String {
        let mut headers: Vec<(&str, String)> = Vec::new();
        for (name, value) in &self.headers {
            match headers.iter_mut().find(|(known, _)| known == name) {
                Some((_, values)) => *values = format!("{values}, {value}"),
                None => headers.push((name, value.clone())),
            }
        }
        headers.sort();
        let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{}:{}", json(name), json(value))).collect();
        format!(
            "{{\"method\":{},\"path\":{},\"headers\":{{{}}},\"body\":{}}}\n",
            json(&self.method),
            json(&self.target),
            headers.join(","),
            json(&String::from_utf8_lossy(&self.body))
        )
    }
}

/// A JSON string.
fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_repeats_what_it_received() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        thread::spawn(move || accept(&listener));
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream
            .write_all(b"POST /a?b=\"c\" HTTP/1.1\r\nX-One: 1\r\nx-one: 2\r\ncontent-length: 5\r\n\r\nhello")
            .expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(answer.ends_with(
            "{\"method\":\"POST\",\"path\":\"/a?b=\\\"c\\\"\",\"headers\":{\"content-length\":\"5\",\"x-one\":\"1, 2\"},\"body\":\"hello\"}\n"
        ), "{answer}");
    }
}
