//! What the example upstream says over a WebSocket (RFC 6455): a greeting, then whatever it is sent, until the other end
//! closes or is silent, as curl is.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// How long the other end may be silent.
const SILENCE: Duration = Duration::from_secs(2);

/// The largest frame that it takes.
const FRAME: u64 = 1 << 20;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Answers a handshake and talks to the end.
pub(super) fn talk(stream: &TcpStream, mut reader: impl Read, key: &str, user: &str) -> Option<()> {
    let mut writer = stream;
    let accept = accept(key);
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    writer.write_all(head.as_bytes()).ok()?;
    stream.set_read_timeout(Some(SILENCE)).ok()?;
    send(writer, TEXT, format!("hello, {user}").as_bytes())?;
    while let Some((opcode, payload)) = frame(&mut reader) {
        match opcode {
            CLOSE => return send(writer, CLOSE, &payload),
            PING => send(writer, PONG, &payload)?,
            PONG => {}
            _ => send(writer, opcode, &payload)?,
        }
    }
    send(writer, CLOSE, &1000_u16.to_be_bytes())
}

/// Sends a frame that is a whole message.
fn send(mut writer: &TcpStream, opcode: u8, payload: &[u8]) -> Option<()> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(short as u8),
        middle @ 126..0x1_0000 => {
            frame.push(126);
            frame.extend((middle as u16).to_be_bytes());
        }
        long => {
            frame.push(127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    writer.write_all(&frame).ok()
}

/// A client's frame: its kind, and what it carries without its mask.
fn frame(reader: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let [first, second] = bytes(reader)?;
    let length = match second & 0x7f {
        126 => u16::from_be_bytes(bytes(reader)?).into(),
        127 => u64::from_be_bytes(bytes(reader)?),
        short => short.into(),
    };
    if second & 0x80 == 0 || length > FRAME {
        return None;
    }
    let mask: [u8; 4] = bytes(reader)?;
    let mut payload = vec![0; usize::try_from(length).ok()?];
    reader.read_exact(&mut payload).ok()?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((first & 0x0f, payload))
}

fn bytes<const N: usize>(reader: &mut impl Read) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// What a key is answered with (section 4.2.2).
fn accept(key: &str) -> String {
    base64(&sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes()))
}

/// FIPS 180-4, section 6.1.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    let mut hash: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded.chunks_exact(64) {
        let mut words: Vec<u32> =
            block.chunks_exact(4).map(|four| four.iter().fold(0, |word, &byte| word << 8 | u32::from(byte))).collect();
        for index in 16..80 {
            words.push((words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16]).rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = hash;
        for (index, word) in words.into_iter().enumerate() {
            let (mixed, constant) = match index {
                0..20 => (b & c | !b & d, 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => (b & c | b & d | c & d, 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = [mixed, e, constant, word].into_iter().fold(a.rotate_left(5), u32::wrapping_add);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        hash.iter_mut().zip([a, b, c, d, e]).for_each(|(sum, word)| *sum = sum.wrapping_add(word));
    }
    let mut digest = [0; 20];
    digest.chunks_exact_mut(4).zip(hash).for_each(|(four, word)| four.copy_from_slice(&word.to_be_bytes()));
    digest
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let number = (0..3).fold(0, |number, at| number << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for digit in 0..4 {
            let of = (number >> (18 - 6 * digit) & 63) as usize;
            out.push(if digit > three.len() { '=' } else { char::from(DIGITS[of]) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_as_in_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_frame_is_read_without_its_mask() {
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(frame(&mut &masked[..]), Some((TEXT, b"Hello".to_vec())));
        assert_eq!(frame(&mut &[0x81, 0x05][..]), None);
    }
}
