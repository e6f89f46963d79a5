//! The frames of an HTTP/2 connection as they pass (RFC 9113 section 4.1), and how many of them that do nothing for a request
//! a client may send.
//!
//! h2 bounds what its own work can be made to grow by. It answers pings and settings for ever, and takes whatever window
//! updates, priorities and resets come: that costs CPU time, and here is its bound. A request, and each piece of an answer, makes
//! room for what an honest client says about it, so that only one that talks without asking runs out.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Length, type, flags and stream.
const HEAD: usize = 9;

const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 1;

/// What a connection begins with, and the most that time alone gives back.
const BEGIN: u32 = 1_000;

/// What comes back in a second.
const PER_SECOND: u32 = 100;

/// The most that requests and answers can add up to.
const MOST: u32 = 10_000;

/// What a request is worth.
const REQUEST: u32 = 10;

/// What a piece of an answer is worth, and so many bytes of it one more: some clients update two windows for each frame.
const PIECE: u32 = 4;
const BYTES: usize = 1 << 10;

/// A stream that is reset has made us work for nothing: more than its request was worth. About three in four requests may
/// end so, and any that a hundred of a burst or 30 a second are.
const RESET: u32 = 12;

/// "Not processed" is said of no stream: some may have been. The reason is ENHANCE_YOUR_CALM (RFC 9113 section 6.8).
pub(super) const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 11];

/// Finds the frames in bytes that pass.
#[derive(Debug)]
pub(super) struct Frames {
    head: [u8; HEAD],
    have: usize,
    /// Bytes until the next frame begins.
    skip: usize,
}

impl Frames {
    /// The first begins after so many bytes.
    pub(super) fn after(skip: usize) -> Self {
        Self { head: [0; HEAD], have: 0, skip }
    }

    /// Bytes of the client pass. Tells what the frames that begin in them cost it.
    pub(super) fn come(&mut self, bytes: &[u8]) -> u32 {
        self.pass(bytes, price)
    }

    /// Bytes for the client pass. Streams that are reset cost it as much as if it had done so: it may have made us do it.
    pub(super) fn leave(&mut self, bytes: &[u8]) -> u32 {
        self.pass(bytes, |_, kind, _| if kind == RST_STREAM { RESET } else { 0 })
    }

    fn pass(&mut self, mut bytes: &[u8], price: fn(usize, u8, u8) -> u32) -> u32 {
        let mut cost = 0_u32;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return cost;
            }
            let taken = (HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEAD {
                self.have = 0;
                let [a, b, c, kind, flags, ..] = self.head;
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                cost = cost.saturating_add(price(self.skip, kind, flags));
            }
        }
    }

    /// Whether the last has passed as a whole.
    pub(super) fn are_between(&self) -> bool {
        self.have == 0 && self.skip == 0
    }
}

fn price(length: usize, kind: u8, flags: u8) -> u32 {
    match kind {
        DATA if length > 0 || flags & END_STREAM != 0 => 0,
        RST_STREAM => RESET,
        _ => 1,
    }
}

/// What a client may still say.
#[derive(Debug)]
pub(super) struct Allowance {
    left: Cell<u32>,
    /// When time last gave something back.
    at: Cell<Instant>,
}

impl Allowance {
    pub(super) fn new() -> Self {
        Self { left: Cell::new(BEGIN), at: Cell::new(Instant::now()) }
    }

    /// A request has begun.
    pub(super) fn asked(&self) {
        self.earn(REQUEST);
    }

    /// A piece of an answer goes to the client.
    pub(super) fn gave(&self, bytes: usize) {
        self.earn(PIECE + u32::try_from(bytes / BYTES).unwrap_or(MOST).min(MOST));
    }

    /// Frames have come. False: more than there may be.
    pub(super) fn spend(&self, cost: u32) -> bool {
        if self.left.get() < cost {
            self.refill(self.at.get().elapsed());
        }
        let left = self.left.get().checked_sub(cost);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    /// It has cost something that cannot be refused any more.
    pub(super) fn charge(&self, cost: u32) {
        self.left.set(self.left.get().saturating_sub(cost));
    }

    fn earn(&self, credit: u32) {
        self.left.set((self.left.get() + credit).min(MOST));
    }

    /// Looked at only when the rest is not enough.
    fn refill(&self, time: Duration) {
        let back = u32::try_from(time.as_millis()).unwrap_or(u32::MAX) / (1_000 / PER_SECOND);
        if back > 0 && self.left.get() < BEGIN {
            self.left.set(self.left.get().saturating_add(back).min(BEGIN));
            self.at.set(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, kind: u8, flags: u8) -> Vec<u8> {
        let mut bytes = (length as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags, 0, 0, 0, 1]);
        bytes.resize(HEAD + length, 7);
        bytes
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let (ping, data, reset, empty) =
            (frame(8, 6, 0), frame(300, DATA, 0), frame(4, RST_STREAM, 0), frame(0, DATA, 0));
        let bytes = [&b"preface"[..], &ping, &data, &reset, &empty, &frame(0, DATA, END_STREAM)].concat();
        for size in 1..bytes.len() {
            let mut frames = Frames::after(7);
            let cost: u32 = bytes.chunks(size).map(|piece| frames.come(piece)).sum();
            assert_eq!((cost, frames.are_between()), (1 + RESET + 1, true), "in pieces of {size}");
        }
        let mut frames = Frames::after(0);
        frames.come(&ping[..12]);
        assert!(!frames.are_between());
    }

    #[test]
    fn talk_without_a_request_runs_out_and_comes_back_slowly() {
        let allowance = Allowance::new();
        let said = (0..5_000).take_while(|_| allowance.spend(1)).count();
        assert!((1_000..1_100).contains(&said), "{said}");
        allowance.refill(Duration::from_secs(2));
        assert_eq!(allowance.left.get(), 200);
        allowance.refill(Duration::from_secs(3_600));
        assert_eq!(allowance.left.get(), BEGIN);
    }

    #[test]
    fn what_requests_and_answers_bring_is_enough_for_an_honest_client() {
        let allowance = Allowance::new();
        // Its header section, a ping, two updates for each 16 KiB, and three in four requests reset.
        for request in 0..100_000 {
            allowance.asked();
            allowance.gave(16 << 10);
            assert!(allowance.spend(1 + 1 + 2 + if request % 4 == 0 { 0 } else { RESET }));
        }
        for _ in 0..100 {
            allowance.asked();
            assert!(allowance.spend(1 + RESET), "a burst of resets");
        }
    }

    #[test]
    fn requests_that_are_all_reset_run_out() {
        let allowance = Allowance::new();
        let reset = (0..10_000).take_while(|_| {
            allowance.asked();
            allowance.spend(1 + RESET)
        });
        assert!(reset.count() < 500);
    }
}
