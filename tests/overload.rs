//! Hostile clients and too many of them: floods of HTTP/2, slow clients, connections of one client, more requests than can be
//! served.

mod clients;
mod floods;
mod shed;
mod slow;
mod windows;

/// A route that takes everything, behind these sections.
fn all(sections: &str) -> String {
    format!("{sections}\n[routes.all]\nupstream = \"up\"\n")
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What a client says first, with these settings, and that it has seen the other end's.
fn preface(settings: &[u8]) -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, settings), frame(4, 1, 0, &[])].concat()
}

/// The whole header section of a GET of `/` on a stream.
fn request(stream: u32) -> Vec<u8> {
    frame(1, 5, stream, b"\x82\x86\x84\x41\x01a")
}

/// The number of clients that were ended for a reason.
fn ended(reason: &str) -> String {
    format!("gatehouse_clients_ended_total{{reason=\"{reason}\"}}")
}
