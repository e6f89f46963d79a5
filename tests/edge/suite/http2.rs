//! A case over HTTP/2: frames as they are told, with header sections that are neither compressed nor indexed.

use std::net::SocketAddr;

use super::Outcome;
use crate::support::Raw;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames (RFC 9113 section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A request on stream 1.
pub(super) struct Frames {
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) data: Vec<Vec<u8>>,
    pub(super) trailers: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

/// How a stream has ended.
enum End {
    Answer(u16),
    Reset,
    Gone,
}

/// Sends a request, waits for its end, and sends the canary unless the connection is gone; whether that was served.
pub(super) fn run(address: SocketAddr, frames: &Frames) -> (Outcome, bool) {
    let mut client = Raw::connect(address);
    let mut bytes = [PREFACE, &frame(SETTINGS, 0, 0, b"")].concat();
    let (last_data, trailers) = (frames.data.len(), frames.trailers.is_some());
    let end = |is_last: bool| if is_last { END_STREAM } else { 0 };
    bytes.extend(frame(HEADERS, END_HEADERS | end(last_data == 0 && !trailers), 1, &section(&frames.fields)));
    for (n, data) in frames.data.iter().enumerate() {
        bytes.extend(frame(DATA, end(n + 1 == last_data && !trailers), 1, data));
    }
    if let Some(trailers) = &frames.trailers {
        bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &section(trailers)));
    }
    // The connection may end before all is sent.
    let _ = client.try_send(bytes);
    let (answers, ended) = match read_end(&mut client, 1) {
        End::Answer(status) => (vec![status], None),
        End::Reset => (Vec::new(), Some("reset")),
        End::Gone => {
            return (Outcome { answers: Vec::new(), ended: Some("goaway"), kept: false, forwards: Vec::new() }, false);
        }
    };
    let canary = [(":method", "GET"), (":scheme", "http"), (":path", "/canary"), (":authority", "canary")];
    let canary: Vec<_> = canary.map(|(name, value)| (name.into(), value.into())).into();
    let _ = client.try_send(frame(HEADERS, END_HEADERS | END_STREAM, 3, &section(&canary)));
    let served = matches!(read_end(&mut client, 3), End::Answer(200));
    (Outcome { answers, ended, kept: false, forwards: Vec::new() }, served)
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Fields as literals without indexing and without Huffman codes (RFC 7541 section 6.2.2).
fn section(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            let mut left = text.len();
            if left < 127 {
                out.push(left as u8);
            } else {
                out.push(127);
                left -= 127;
                while left >= 128 {
                    out.push((left % 128) as u8 | 128);
                    left /= 128;
                }
                out.push(left as u8);
            }
            out.extend_from_slice(text);
        }
    }
    out
}

/// Reads frames until a stream has ended.
fn read_end(client: &mut Raw, stream: u8) -> End {
    let mut status = None;
    loop {
        let Some(head) = client.exact(9) else { return End::Gone };
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let Some(payload) = client.exact(length as usize) else { return End::Gone };
        let ours = head[8] == stream;
        match head[3] {
            GOAWAY => return End::Gone,
            // After an answer it says that the rest of the request is not wanted (RFC 9113 section 8.1).
            RST_STREAM if ours => return status.map_or(End::Reset, End::Answer),
            HEADERS if ours => status = Some(self::status(&payload)),
            _ => {}
        }
        if let Some(status) = status
            && ours
            && matches!(head[3], HEADERS | DATA)
            && head[4] & END_STREAM != 0
        {
            return End::Answer(status);
        }
    }
}

/// The status, which is the first field: of the static table, or three digits in Huffman codes.
fn status(section: &[u8]) -> u16 {
    // After the first sections, the table may change its size.
    let section = if section[0] & 0xE0 == 0x20 { &section[1..] } else { section };
    match section[0] {
        indexed @ 0x88..=0x8E => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        _ => digits(&section[2..2 + usize::from(section[1] & 0x7F)]),
    }
}

/// Digits in their Huffman codes (RFC 7541, appendix B): `0` to `2` have 5 bits, the others 6.
fn digits(code: &[u8]) -> u16 {
    let bits = code.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (32 - code.len() * 8);
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let five = (bits << at) >> 27;
        let six = (bits << at) >> 26;
        let (digit, width) = if five < 3 { (five, 5) } else { (six - 0x19 + 3, 6) };
        at += width;
        number = number * 10 + digit as u16;
    }
    number
}

#[test]
fn statuses_are_read() {
    assert_eq!(status(&[0x88]), 200);
    assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), 302);
    assert_eq!(status(&[0x48, 0x83, 0x68, 0x2E, 0xFF]), 417);
}
