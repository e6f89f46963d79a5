//! Quotas: so many requests in a period of the calendar, counted apart by the values of a key.
//!
//! A count is one atomic number with the period that it is of, so that a new period needs nobody to clear the old one. How
//! many a quota allows is no part of its counts: a reload that changes the number goes on counting.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use moka::sync::Cache;
use prometheus_client::metrics::counter::Counter;
use sha2::{Digest as _, Sha256};

use crate::{
    calendar::{Span, span},
    clock::Clock,
    config,
    limits::Taken,
    redis::Redis,
};

/// Bits for the count; the rest is the day that its period began with, which suffices for 2,800 years.
const COUNT_BITS: u32 = 44;

/// A quota with its counts.
pub(crate) struct Quota {
    pub(crate) config: config::Quota,
    counts: Arc<Counts>,
    clock: Clock,
    pub(crate) refused: Counter,
    /// Where it is counted while it is there.
    pub(crate) redis: Option<Arc<Redis>>,
}

/// Counts by key.
pub(crate) struct Counts {
    cells: Cache<Digest, Arc<AtomicU64>>,
    /// Whether there is something that was not kept yet.
    changed: AtomicBool,
}

/// Of a key: they are kept in files, and what clients say of themselves is not.
pub(crate) type Digest = u128;

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quota").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Quota {
    /// One that goes on with the counts of another, if it is the same but for how many it allows.
    pub(crate) fn new(
        config: config::Quota,
        clock: &Clock,
        refused: Counter,
        redis: Option<Arc<Redis>>,
        before: Option<&Self>,
    ) -> Self {
        let same = before.filter(|before| {
            let same = |of: &config::Quota| (of.name.clone(), of.calendar, of.key.clone(), of.entries);
            same(&before.config) == same(&config)
        });
        let counts = same.map(|before| before.counts.clone()).unwrap_or_else(|| Arc::new(Counts::new(config.entries)));
        Self { config, counts, clock: clock.clone(), refused, redis }
    }

    /// Counts a request, if it may pass.
    pub(crate) fn take(&self, key: &str) -> Taken {
        let now = self.clock.unix().as_secs();
        let span = span(self.config.calendar, now);
        let cell = self.counts.cells.get_with(digest_of(key), Arc::default);
        let counted = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let count = count(packed, span);
            (count < self.config.requests).then(|| pack(span, count + 1))
        });
        let left = counted.map(|before| self.config.requests - count(before, span) - 1);
        if left.is_ok() {
            self.counts.changed.store(true, Ordering::Relaxed);
        }
        Taken { passed: left.is_ok(), remaining: left.unwrap_or(0), window: span.length(), wait: span.end - now }
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.clock.unix().as_secs()
    }

    /// What the requests of a key have used of this period, and the second in which it ends.
    pub(crate) fn used(&self, key: &str) -> (u64, u64) {
        let span = span(self.config.calendar, self.clock.unix().as_secs());
        let cell = self.counts.cells.get(&digest_of(key));
        (cell.map_or(0, |cell| count(cell.load(Ordering::Relaxed), span)), span.end)
    }

    /// What tells it from others, where its counts are kept.
    pub(crate) fn identity(&self) -> String {
        let config::Quota { name, calendar, .. } = &self.config;
        format!("{name} {:?} {}", calendar.per, calendar.offset)
    }

    /// Whether there is something new since it was asked for the last time.
    pub(crate) fn has_changed(&self) -> bool {
        self.counts.changed.swap(false, Ordering::Relaxed)
    }

    /// To be asked for again.
    pub(crate) fn was_not_kept(&self) {
        self.counts.changed.store(true, Ordering::Relaxed);
    }

    /// The counts of this period: each with the first second of it.
    pub(crate) fn counts(&self) -> Vec<(Digest, u64, u64)> {
        let span = span(self.config.calendar, self.clock.unix().as_secs());
        let cells = self.counts.cells.iter().map(|(digest, cell)| (*digest, count(cell.load(Ordering::Relaxed), span)));
        cells.filter(|(_, count)| *count > 0).map(|(digest, count)| (digest, span.start, count)).collect()
    }

    /// Goes on with a count that was kept. One of another period is none.
    pub(crate) fn restore(&self, digest: Digest, start: u64, count: u64) {
        let span = span(self.config.calendar, self.clock.unix().as_secs());
        if span.start == start {
            let packed = pack(span, count.min((1 << COUNT_BITS) - 1));
            self.counts.cells.get_with(digest, Arc::default).store(packed, Ordering::Relaxed);
        }
    }
}

impl Counts {
    fn new(entries: u64) -> Self {
        Self { cells: Cache::new(entries), changed: AtomicBool::new(false) }
    }
}

fn digest_of(key: &str) -> Digest {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    u128::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
}

fn pack(span: Span, count: u64) -> u64 {
    (span.start / 86_400) << COUNT_BITS | count
}

/// Of that period; what was counted in another, before or, by a clock that was wrong, after it, does not count.
fn count(packed: u64, span: Span) -> u64 {
    if packed >> COUNT_BITS == span.start / 86_400 { packed & ((1 << COUNT_BITS) - 1) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::{
        clock::ManualClock,
        config::{Calendar, Period, Store},
    };

    fn quota(requests: u64, per: Period, offset: u8, clock: &ManualClock, before: Option<&Quota>) -> Quota {
        let calendar = Calendar { per, offset };
        let config =
            config::Quota { name: "q".into(), requests, calendar, key: None, entries: 1000, store: Store::Memory };
        Quota::new(config, &Clock::Manual(clock.clone()), Counter::default(), None, before)
    }

    /// What a quota is: a count for each key and period.
    #[test]
    fn it_is_as_a_table_of_counts_whatever_the_time_and_the_order() {
        let mut random = StdRng::seed_from_u64(7);
        for (per, offset) in
            [(Period::Day, 0), (Period::Week, 0), (Period::Week, 3), (Period::Month, 0), (Period::Month, 14)]
        {
            let clock = ManualClock::default();
            let requests = random.random_range(1..6);
            let quota = quota(requests, per, offset, &clock, None);
            let mut model: HashMap<(u64, u64), u64> = HashMap::new();
            for _ in 0..3000 {
                clock.advance(Duration::from_secs(random.random_range(0..40_000)));
                let now = Clock::Manual(clock.clone()).unix().as_secs();
                let span = span(quota.config.calendar, now);
                let key = random.random_range(0..3);
                let count = model.entry((key, span.start)).or_default();
                let passed = *count < requests;
                *count += u64::from(passed);
                let taken = quota.take(&key.to_string());
                let expected = (passed, requests - *count, span.length(), span.end - now);
                assert_eq!((taken.passed, taken.remaining, taken.window, taken.wait), expected);
            }
        }
    }

    #[test]
    fn another_number_goes_on_counting_and_another_period_does_not() {
        let clock = ManualClock::default();
        let before = quota(2, Period::Day, 0, &clock, None);
        assert_eq!([before.take("a").passed, before.take("a").passed, before.take("a").passed], [true, true, false]);
        let more = quota(3, Period::Day, 0, &clock, Some(&before));
        assert_eq!([more.take("a").passed, more.take("a").passed], [true, false]);
        assert!(quota(3, Period::Week, 0, &clock, Some(&before)).take("a").passed);
    }

    #[test]
    fn what_was_kept_goes_on_within_its_period_only() {
        let clock = ManualClock::default();
        let before = quota(5, Period::Day, 0, &clock, None);
        assert!((0..3).all(|_| before.take("a").passed));
        let kept = before.counts();
        assert_eq!((kept.len(), kept[0].2, before.has_changed(), before.has_changed()), (1, 3, true, false));
        let after = quota(5, Period::Day, 0, &clock, None);
        kept.iter().for_each(|&(digest, start, count)| after.restore(digest, start, count));
        assert_eq!((after.take("a").remaining, after.used("a").0), (1, 4));
        clock.advance(Duration::from_secs(86_400));
        let later = quota(5, Period::Day, 0, &clock, None);
        kept.iter().for_each(|&(digest, start, count)| later.restore(digest, start, count));
        assert_eq!((later.take("a").remaining, before.counts().len()), (4, 0));
    }

    #[test]
    fn of_takes_at_once_exactly_as_many_pass_as_may() {
        let quota = quota(1000, Period::Month, 0, &ManualClock::default(), None);
        let passed: usize = std::thread::scope(|scope| {
            let take = || (0..500).filter(|_| quota.take("a").passed).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).sum()
        });
        assert_eq!(passed, 1000);
    }
}
