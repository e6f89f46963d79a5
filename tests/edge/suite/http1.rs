//! A case over HTTP/1.

use std::net::SocketAddr;

use super::Outcome;
use crate::support::Raw;

const CANARY: &str = "GET /canary HTTP/1.1\r\nhost: canary\r\nconnection: close\r\n\r\n";

/// Sends bytes and the canary, and reads to the end; whether the last answer is the canary's.
pub(super) fn run(address: SocketAddr, bytes: &[u8], canary: bool) -> (Outcome, bool) {
    let mut client = Raw::connect(address);
    // What is refused early may be closed early.
    let sent = client.try_send([bytes, if canary { CANARY.as_bytes() } else { b"" }].concat());
    if !canary && sent.is_ok() {
        client.shut();
    }
    let said = client.rest();
    let (mut answers, canaries) = answers(&said);
    let served = canaries > 0;
    if served {
        answers.pop();
    }
    let ended = (answers.is_empty() && !served).then_some("closed");
    (Outcome { answers, ended, kept: false, forwards: Vec::new() }, served)
}

/// The statuses of answers, interim ones left out, and how many are to the canary.
fn answers(mut said: &[u8]) -> (Vec<u16>, usize) {
    let (mut statuses, mut canaries) = (Vec::new(), 0);
    while !said.is_empty() {
        let end = said.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole header section") + 4;
        let head = String::from_utf8_lossy(&said[..end]).to_ascii_lowercase();
        said = &said[end..];
        let status: u16 = head.split(' ').nth(1).and_then(|status| status[..3].parse().ok()).expect("a status");
        // An answer to HEAD has a length and no body; no body here begins as an answer does.
        let length = head.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        if !said.starts_with(b"HTTP/1.1 ") {
            let (body, rest) = said.split_at(length.unwrap_or(0).min(said.len()));
            canaries += usize::from(body == b"canary");
            said = rest;
        }
        if status >= 200 {
            statuses.push(status);
        }
    }
    (statuses, canaries)
}
