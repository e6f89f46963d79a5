//! Back-off for a plugin that crashes at every call: after ten in a row it is left alone for a second, then one request
//! may try it, and each further crash doubles the time, up to a minute.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::hooks::Entry;
use crate::lock::lock;

/// Crashes in a row after which a plugin rests.
const CRASH_LOOP: u32 = 10;

/// The first rest; each further crash doubles it.
const FIRST: Duration = Duration::from_secs(1);

/// The longest rest.
const LONGEST: Duration = Duration::from_secs(60);

/// How long the request that tries a plugin may leave its outcome open before another one tries.
const TRIAL: Duration = Duration::from_secs(10);

/// A plugin's crashes, and its rest.
#[derive(Debug, Default)]
pub(super) struct Rest {
    crashes: AtomicU32,
    /// The functions that have crashed and not gone well since, a bit each: one that crashes every time is not excused by
    /// another that does not.
    crashing: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    until: Option<Instant>,
    /// How many there were in a row.
    rests: u32,
    /// Whether a request tries the plugin.
    trial: bool,
}

impl Rest {
    /// Whether the plugin rests: a request must not call it. The first to ask after a rest may, to see whether it is well.
    pub(super) fn rests(&self) -> bool {
        self.crashes.load(Ordering::Relaxed) >= CRASH_LOOP && !self.tries(Instant::now())
    }

    fn tries(&self, now: Instant) -> bool {
        let mut state = lock(&self.state);
        let may = state.until.is_none_or(|until| now >= until);
        if may {
            (state.until, state.trial) = (Some(now + TRIAL), true);
        }
        may
    }

    /// A function has crashed. How often in a row, and the rest that begins with it, if one does.
    pub(super) fn crashed(&self, entry: Entry) -> Option<(u32, Duration)> {
        self.crashing.fetch_or(entry.bit(), Ordering::Relaxed);
        let crashes = self.crashes.fetch_add(1, Ordering::Relaxed) + 1;
        if crashes < CRASH_LOOP {
            return None;
        }
        let now = Instant::now();
        let mut state = lock(&self.state);
        // Calls that had begun before the rest make it no longer.
        if !state.trial && state.until.is_some_and(|until| now < until) {
            return None;
        }
        let rest = (FIRST * 2u32.pow(state.rests.min(6))).min(LONGEST);
        *state = State { until: Some(now + rest), rests: state.rests + 1, trial: false };
        Some((crashes, rest))
    }

    /// A function has gone well.
    pub(super) fn went_well(&self, entry: Entry) {
        if self.crashing.load(Ordering::Relaxed) & entry.bit() == 0 {
            return;
        }
        if self.crashing.fetch_and(!entry.bit(), Ordering::Relaxed) == entry.bit() {
            self.crashes.store(0, Ordering::Relaxed);
            *lock(&self.state) = State::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crashed(rest: &Rest, times: u32) -> Option<(u32, Duration)> {
        (0..times).map(|_| rest.crashed(Entry::Authorize)).last().flatten()
    }

    #[test]
    fn a_function_that_goes_well_does_not_excuse_another() {
        let rest = Rest::default();
        for _ in 0..CRASH_LOOP {
            assert!(!rest.rests());
            rest.went_well(Entry::Authorize);
            rest.crashed(Entry::OnRequest);
        }
        assert!(rest.rests());
    }

    #[test]
    fn calls_that_had_begun_before_make_a_rest_no_longer() {
        let rest = Rest::default();
        assert_eq!(crashed(&rest, CRASH_LOOP), Some((CRASH_LOOP, FIRST)));
        assert_eq!(crashed(&rest, 50), None);
    }

    #[test]
    fn one_request_tries_after_a_rest_and_its_crash_doubles_the_next() {
        let rest = Rest::default();
        crashed(&rest, CRASH_LOOP);
        let over = Instant::now() + FIRST;
        assert_eq!([rest.tries(over), rest.tries(over)], [true, false]);
        assert!(matches!(crashed(&rest, 1), Some((_, time)) if time == FIRST * 2));
        assert!(!rest.tries(over) && rest.tries(over + FIRST * 2));
        rest.went_well(Entry::Authorize);
        assert!(!rest.rests() && crashed(&rest, CRASH_LOOP - 1).is_none());
    }

    #[test]
    fn a_trial_without_an_outcome_is_followed_by_another() {
        let rest = Rest::default();
        crashed(&rest, CRASH_LOOP);
        let over = Instant::now() + FIRST;
        assert_eq!([over, over + TRIAL].map(|now| rest.tries(now)), [true, true]);
    }
}
