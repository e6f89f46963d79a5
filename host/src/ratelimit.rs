//! Rate limits: token buckets, one for each value of a key, shared by all workers.
//!
//! The arithmetic is `governor`'s (GCRA, exact to the nanosecond); what is ours is where the buckets are: a cache with a
//! bound, for whoever chooses the values of a key may choose many.

use std::{fmt, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock as GovernorClock,
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use moka::sync::Cache;
use prometheus_client::metrics::counter::Counter;

use crate::{clock::Clock, config::RateLimit, exchange::Exchange, failure::Failure, template};

/// A bucket that is not used for so much longer than it takes to be full is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A rate limit with its buckets.
pub(crate) struct Limiter {
    pub(crate) config: RateLimit,
    limiter: RateLimiter<String, Buckets, Clock, StateInformationMiddleware>,
    /// For a bucket to be full again, a token.
    interval: Duration,
    refused: Counter,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("config", &self.config).finish_non_exhaustive()
    }
}

/// How an exchange stands with a limit.
#[derive(Debug, Clone)]
pub struct Standing {
    limiter: Arc<Limiter>,
    /// Requests that may follow at once.
    remaining: u32,
    /// Until the bucket is full, or, after a refusal, until a request may come.
    wait: Duration,
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
    pub(crate) fn new(config: RateLimit, clock: &Clock, refused: Counter) -> Self {
        let burst = NonZeroU32::new(config.burst).unwrap_or(NonZeroU32::MIN);
        let interval = config.interval();
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        let buckets = Cache::builder()
            .max_capacity(config.entries)
            .time_to_idle(interval.saturating_mul(config.burst).saturating_add(FORGOTTEN))
            .build();
        let limiter = RateLimiter::new(quota, Buckets(buckets), clock.clone());
        Self { config, limiter, interval, refused }
    }

    /// Takes a token for an exchange, and notes in it how it stands with the limit.
    pub(crate) fn admit(self: &Arc<Self>, exchange: &mut Exchange) -> Result<(), Failure> {
        let key = self.config.key.as_ref().and_then(|key| template::fill(key, exchange, network));
        let taken = self.limiter.check_key(&key.unwrap_or_default());
        let (remaining, wait) = match &taken {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                (remaining, self.interval.saturating_mul(self.config.burst.saturating_sub(remaining)))
            }
            Err(until) => (0, until.wait_time_from(GovernorClock::now(self.limiter.clock()))),
        };
        exchange.outcome.standings.push(Standing { limiter: self.clone(), remaining, wait });
        if taken.is_err() {
            self.refused.inc();
            return Err(Failure::RateLimited { limit: self.config.name.clone(), wait: seconds(wait).max(1) });
        }
        Ok(())
    }
}

/// Who has an IPv6 address has a network of 64 bits full of them (RFC 6177): it counts as one client.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        IpAddr::V4(address) => address.to_string(),
    }
}

/// Tells the client how it stands, as draft-ietf-httpapi-ratelimit-headers-10 has it: `"NAME";r=REMAINING;t=SECONDS`, and the
/// policy `"NAME";q=QUOTA;w=SECONDS`. What an upstream says of limits of its own is kept beside.
pub(crate) fn tell(standings: &[Standing], headers: &mut HeaderMap) {
    for Standing { limiter, remaining, wait } in standings {
        let RateLimit { name, burst, .. } = &limiter.config;
        let window = seconds(limiter.interval.saturating_mul(*burst)).max(1);
        let mut add = |field, text: String| headers.append(field, HeaderValue::from_str(&text).expect("it is ASCII"));
        add(RATELIMIT_POLICY, format!("\"{name}\";q={burst};w={window}"));
        add(RATELIMIT, format!("\"{name}\";r={remaining};t={}", seconds(*wait)));
    }
}

/// Rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_client() {
        let network = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }
}
