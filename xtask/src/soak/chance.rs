//! Chance that can be had again: a sequence of numbers from a seed that is printed.

use std::{
    cell::Cell,
    ops::Range,
    time::{Duration, SystemTime},
};

/// A sequence (splitmix64).
pub(crate) struct Chance(Cell<u64>);

impl Chance {
    /// That of a seed, or of the time; says which.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let seed = seed.unwrap_or_else(|| now.map_or(0, |since| since.as_micros() as u64));
        println!("--seed {seed}");
        Self::of(seed)
    }

    /// That of a seed, and nothing is said.
    pub(crate) fn of(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// The next number below a bound that is not 0.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut mixed = self.0.get();
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// A time within these, in milliseconds.
    pub(crate) fn time(&self, within: Range<u64>) -> Duration {
        Duration::from_micros((within.start * 1_000) + self.below((within.end - within.start) * 1_000))
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// True once in so many times.
    pub(crate) fn once_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }
}
