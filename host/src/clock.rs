//! The time that verdicts age by, and the one of the calendar: the system's, or a test's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A monotonic clock.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's; counts from this instant.
    System(Instant),
    /// One that stands until it is moved.
    Manual(ManualClock),
}

/// A clock that stands until it is moved.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    millis: Arc<AtomicU64>,
    /// Questions that it answers before one at which it panics, and one more; 0: it always answers.
    answers: Arc<AtomicU64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self::System(Instant::now())
    }
}

impl Clock {
    /// Time since the clock's beginning.
    pub fn now(&self) -> Duration {
        match self {
            Self::System(start) => start.elapsed(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Time since 1970-01-01, 00:00 UTC. The system's may jump.
    pub fn unix(&self) -> Duration {
        match self {
            Self::System(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            Self::Manual(clock) => ManualClock::BEGIN + Duration::from_millis(clock.millis.load(Ordering::Relaxed)),
        }
    }
}

impl ManualClock {
    /// When it begins on a calendar: Thursday, 2026-01-01, 00:00 UTC.
    pub const BEGIN: Duration = Duration::from_secs(1_767_225_600);

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.millis.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }

    /// Lets it panic once, at the question after so many: a test's way to a panic in whatever asks for the time.
    pub fn panic_after(&self, answers: u64) {
        self.answers.store(answers + 1, Ordering::Relaxed);
    }

    /// Whether that question is still to come.
    pub fn will_panic(&self) -> bool {
        self.answers.load(Ordering::Relaxed) > 0
    }

    fn now(&self) -> Duration {
        let left = self.answers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        assert!(left != Ok(1), "the clock was told to panic");
        Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}
