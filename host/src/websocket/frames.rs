//! Where in its frames a direction of a WebSocket is (RFC 6455 section 5.2), so that something can be said between two.

/// What is said to a client, and to an upstream, before a WebSocket is ended from here: 1001, going away (section 7.4.1).
/// What a client says is masked; that keeps scripts from choosing the bytes, and no script has chosen these.
pub(crate) const GOODBYE_TO_CLIENT: [u8; 4] = [0x88, 2, 0x03, 0xe9];
pub(crate) const GOODBYE_TO_UPSTREAM: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

const CLOSE: u8 = 8;

/// The frames of one direction.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The header in hand, without its mask, and how much of it is there.
    head: [u8; 10],
    there: usize,
    /// What is left of the frame, its mask included.
    left: u64,
    /// Nothing may follow a close frame.
    closed: bool,
}

impl Frames {
    /// Takes note of bytes that have passed.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.there] = byte;
            self.there += 1;
            bytes = rest;
            if let Some(left) = self.rest() {
                self.closed |= self.head[0] & 0x0f == CLOSE;
                (self.there, self.left) = (0, left);
            }
        }
    }

    /// How much follows the header; none while that is not whole.
    fn rest(&self) -> Option<u64> {
        let head = &self.head[..self.there];
        let second = *head.get(1)?;
        let payload = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?)),
            127 => u64::from_be_bytes(head.get(2..10)?.try_into().ok()?),
            short => u64::from(short),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        Some(payload.saturating_add(mask))
    }

    /// Whether a frame may be put here.
    pub(crate) fn are_between(&self) -> bool {
        self.there == 0 && self.left == 0 && !self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of zeros.
    fn frame(first: u8, masked: bool, length: usize) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = match length {
            0..126 => vec![first, mask | length as u8],
            126..0x1_0000 => [&[first, mask | 126][..], &(length as u16).to_be_bytes()].concat(),
            _ => [&[first, mask | 127][..], &(length as u64).to_be_bytes()].concat(),
        };
        frame.resize(frame.len() + length + if masked { 4 } else { 0 }, 0);
        frame
    }

    #[test]
    fn the_end_of_each_frame_is_seen_however_it_arrives() {
        for (length, masked) in
            [0, 1, 125, 126, 300, 0xffff, 0x1_0000].into_iter().flat_map(|it| [(it, true), (it, false)])
        {
            let one = frame(0x82, masked, length);
            for piece in [1, 2, 3, 7, 1000, one.len() * 2] {
                let mut frames = Frames::default();
                let two = [&one[..], &one[..]].concat();
                let mut passed = 0;
                for piece in two.chunks(piece) {
                    frames.pass(piece);
                    passed += piece.len();
                    assert_eq!(frames.are_between(), passed % one.len() == 0, "{length} {masked} {passed}");
                }
            }
        }
    }

    #[test]
    fn nothing_follows_a_close_frame() {
        let mut frames = Frames::default();
        assert!(frames.are_between());
        frames.pass(&GOODBYE_TO_UPSTREAM);
        assert!(!frames.are_between());
    }

    #[test]
    fn a_frame_without_an_end_has_none() {
        let mut frames = Frames::default();
        frames.pass(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        frames.pass(&[0; 100_000]);
        assert!(!frames.are_between());
    }
}
