//! Whether a plugin's calls are short enough for a worker, by their CPU time. A long one must not hold up the other
//! requests of its worker, and a short one not pay for being made elsewhere.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use super::hooks::Entry;

/// One call of this length is enough.
const LONG: Duration = Duration::from_millis(2);

/// So many measured calls in a row of this length are.
const LONGISH: Duration = Duration::from_micros(500);
const LONGISH_CALLS: u32 = 3;

/// So many shorter ones in a row, and calls are made on workers again.
const SHORT_CALLS: u32 = 1000;

/// How long one kind of a plugin's calls takes.
#[derive(Debug)]
pub(super) struct Pace {
    long: AtomicBool,
    /// Longish calls in a row; while it is long, the short ones.
    in_a_row: AtomicU32,
    /// The functions of which a short call has been seen, as bits.
    known: AtomicU32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { long: AtomicBool::default(), in_a_row: AtomicU32::default(), known: AtomicU32::new(Entry::Log.bit()) }
    }
}

impl Pace {
    /// Whether calls are long.
    pub(super) fn is_long(&self) -> bool {
        self.long.load(Ordering::Relaxed)
    }

    /// Whether a call of this function may be long, for all that is known: they are, or no short one of it was seen yet.
    /// A logger is trusted until then: nobody waits for it, so its instance would be missing where the next request comes.
    pub(super) fn may_be_long(&self, entry: Entry) -> bool {
        self.is_long() || self.known.load(Ordering::Relaxed) & entry.bit() == 0
    }

    /// A call of this function has ended, and was measured.
    pub(super) fn ended(&self, entry: Entry) {
        // A row of longish ones is to end with a short one, or to make it long.
        if !self.is_long() && self.in_a_row.load(Ordering::Relaxed) == 0 {
            self.known.fetch_or(entry.bit(), Ordering::Relaxed);
        }
    }

    /// A call has taken so long, or runs for so long already. Whether this is what makes calls long.
    pub(super) fn took(&self, time: Duration) -> bool {
        let longish = time > LONGISH;
        if longish == self.is_long() {
            // As was to be expected: a row of the others ends. Mostly there is none, and nothing to write.
            if longish || self.in_a_row.load(Ordering::Relaxed) != 0 {
                self.in_a_row.store(0, Ordering::Relaxed);
            }
            return false;
        }
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        let enough = if longish { LONGISH_CALLS } else { SHORT_CALLS };
        if in_a_row < enough && time <= LONG {
            return false;
        }
        self.in_a_row.store(0, Ordering::Relaxed);
        self.long.swap(longish, Ordering::Relaxed) != longish && longish
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGER: Duration = Duration::from_micros(600);
    const SHORT: Duration = Duration::from_micros(20);

    #[test]
    fn one_call_of_milliseconds_or_three_longish_ones_in_a_row_are_long() {
        let pace = Pace::default();
        assert!(pace.took(Duration::from_millis(3)) && pace.is_long());
        let pace = Pace::default();
        let told: Vec<bool> = [LONGER, LONGER, SHORT, LONGER, LONGER, LONGER].map(|time| pace.took(time)).into();
        assert_eq!(told, [false, false, false, false, false, true]);
    }

    #[test]
    fn a_function_may_be_long_until_a_short_call_was_seen() {
        let pace = Pace::default();
        assert!(pace.may_be_long(Entry::Authorize) && !pace.is_long());
        let call = |time| {
            pace.took(time);
            pace.ended(Entry::Authorize);
            pace.may_be_long(Entry::Authorize)
        };
        assert_eq!([LONGER, SHORT, LONGER, SHORT].map(call), [true, false, false, false]);
        assert!(pace.may_be_long(Entry::OnRequest), "nothing is known of another function");
        assert!(!pace.may_be_long(Entry::Log));
        assert!(call(Duration::from_millis(3)));
    }

    #[test]
    fn a_thousand_short_calls_in_a_row_are_short_again() {
        let pace = Pace::default();
        pace.took(Duration::from_millis(3));
        (1..SHORT_CALLS).for_each(|_| assert!(!pace.took(SHORT)));
        pace.took(LONGER);
        (1..SHORT_CALLS).for_each(|_| assert!(!pace.took(SHORT) && pace.is_long()));
        assert!(!pace.took(SHORT) && !pace.is_long());
    }
}
