//! Rate limits: token buckets, one for each value of a key, shared by all workers.
//!
//! The arithmetic is `governor`'s (GCRA, exact to the nanosecond); what is ours is where the buckets are: a cache with a
//! bound, for whoever chooses the values of a key may choose many.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock as GovernorClock,
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use moka::sync::Cache;
use prometheus_client::metrics::counter::Counter;

use crate::{
    clock::Clock,
    config::RateLimit,
    limits::{Taken, seconds},
    redis::Redis,
};

/// A bucket that is not used for so much longer than it takes to be full is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// A rate limit with its buckets.
pub(crate) struct Limiter {
    pub(crate) config: RateLimit,
    limiter: RateLimiter<String, Buckets, Clock, StateInformationMiddleware>,
    /// For a bucket to be full again, a token.
    interval: Duration,
    pub(crate) refused: Counter,
    /// Where the buckets are while it is there.
    pub(crate) redis: Option<Arc<Redis>>,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Buckets by key.
struct Buckets(Cache<String, Arc<InMemoryState>>);

impl StateStore for Buckets {
    type Key = String;

    fn measure_and_replace<T, F, E>(&self, key: &String, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.get_with_by_ref(key, Arc::default).measure_and_replace(&NotKeyed::NonKey, f)
    }
}

impl GovernorClock for Clock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Clock::now(self)
    }
}

impl Limiter {
    pub(crate) fn new(config: RateLimit, clock: &Clock, refused: Counter, redis: Option<Arc<Redis>>) -> Self {
        let burst = NonZeroU32::new(config.burst).unwrap_or(NonZeroU32::MIN);
        let interval = config.interval();
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        let buckets = Cache::builder()
            .max_capacity(config.entries)
            .time_to_idle(interval.saturating_mul(config.burst).saturating_add(FORGOTTEN))
            .build();
        let limiter = RateLimiter::new(quota, Buckets(buckets), clock.clone());
        Self { config, limiter, interval, refused, redis }
    }

    /// Whether it is as one that is to be.
    pub(crate) fn is_same(&self, config: &RateLimit, redis: Option<&Arc<Redis>>) -> bool {
        self.config == *config && self.redis.as_ref().map(Arc::as_ptr) == redis.map(Arc::as_ptr)
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&self, key: &String) -> Taken {
        let taken = self.limiter.check_key(key);
        let (remaining, wait) = match &taken {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                (remaining, self.interval.saturating_mul(self.config.burst.saturating_sub(remaining)))
            }
            Err(until) => (0, until.wait_time_from(GovernorClock::now(self.limiter.clock()))),
        };
        Taken { passed: taken.is_ok(), remaining: remaining.into(), window: self.window(), wait: seconds(wait) }
    }

    /// Seconds until an empty bucket is full.
    pub(crate) fn window(&self) -> u64 {
        seconds(self.interval.saturating_mul(self.config.burst)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::{clock::ManualClock, config::Store};

    /// What a token bucket is: credit that grows with the time, up to a bucket full of it.
    #[test]
    fn it_is_as_a_bucket_that_is_counted_in_nanoseconds() {
        let mut random = StdRng::seed_from_u64(3);
        for _ in 0..200 {
            let clock = ManualClock::default();
            let (requests, burst) = (random.random_range(1..2000), random.random_range(1..20));
            let per = Duration::from_secs([1, 60, 3600][random.random_range(0..3)]);
            let (name, store) = (String::new(), Store::Memory);
            let config = RateLimit { name, requests, per, burst, key: None, entries: 10, store };
            let cost = config.interval().as_nanos();
            let limiter = Limiter::new(config, &Clock::Manual(clock.clone()), Counter::default(), None);
            let full = cost * u128::from(burst);
            let mut credit = full;
            for _ in 0..100 {
                let passed = Duration::from_millis(random.random_range(0..3) * cost as u64 / 1_500_000);
                clock.advance(passed);
                credit = full.min(credit + passed.as_nanos());
                let expected = credit >= cost;
                credit -= if expected { cost } else { 0 };
                let taken = limiter.take(&String::new());
                assert_eq!((taken.passed, u128::from(taken.remaining)), (expected, credit / cost));
            }
        }
    }
}
