//! WebSockets: what opens one, and what becomes of the bytes.

mod handshake;
mod tunnel;

use crate::support::{Gateway, Raw, RawUpstream, raw::Message};

/// Those of RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const ROUTE: &str = "[routes.ws]\npath = \"/ws\"\nupstream = \"up\"\nwebsocket = true\n";

/// A handshake of a browser.
fn handshake(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: a.example\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-key: {KEY}\r\nsec-websocket-version: 13\r\n{more}\r\n"
    )
}

/// What an upstream says that agrees.
fn agreed(more: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
        sec-websocket-accept: {ACCEPT}\r\n{more}\r\n"
    )
}

/// An upstream that agrees to all, and then does as it is told.
fn agreeing(then: impl Fn(Raw) + Send + Sync + 'static) -> RawUpstream {
    RawUpstream::ending(move |mut raw| {
        if raw.request().is_some() {
            raw.send(agreed(""));
            then(raw);
        }
    })
}

/// An upstream that sends back what it gets.
pub(crate) fn echo() -> RawUpstream {
    agreeing(|mut raw| raw.echo())
}

/// An open WebSocket.
pub(crate) fn open(gateway: &Gateway) -> Raw {
    let mut client = Raw::connect(gateway.address());
    let answer = client.send(handshake("/ws", "")).response();
    assert_eq!(answer.status(), 101, "{answer:?}");
    client
}

fn code(answer: &Message) -> (u16, String) {
    (answer.status(), answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

fn open_now(gateway: &Gateway) -> u64 {
    gateway.metric("gatehouse_websockets_open ")
}

fn failures(gateway: &Gateway, code: &str) -> u64 {
    gateway.metric(&format!("gatehouse_failures_total{{code=\"{code}\"}}"))
}
