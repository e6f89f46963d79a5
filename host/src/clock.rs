//! The time that verdicts age by: the system's, or a test's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
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
pub struct ManualClock(Arc<AtomicU64>);

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
            Self::Manual(ManualClock(millis)) => Duration::from_millis(millis.load(Ordering::Relaxed)),
        }
    }
}

impl ManualClock {
    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }
}
