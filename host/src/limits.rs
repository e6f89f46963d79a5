//! What a request has to pass before and after its authorizers: concurrency limits, rate limits, quotas, and the usage plan
//! of its API key. A route without any has none of this.
//!
//! Invariant: what a client is told stands in the exchange, for those that let it pass and for the one that did not.

use std::{borrow::Cow, net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    chain, clients,
    concurrency::Concurrency,
    config::{self, Template, WhenAway, is_known_later},
    exchange::Exchange,
    failure::Failure,
    quota::Quota,
    ratelimit::Limiter,
    redis::{self, Asked, Away, Redis},
    template,
    usage::{self, KeyRule},
};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What holds back the requests of a route at one place of their way.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) concurrency: Vec<Arc<Concurrency>>,
    /// Rate limits, then quotas.
    pub(crate) meters: Vec<Meter>,
    /// Where an API key has to be shown.
    pub(crate) key: Option<KeyRule>,
    /// Whether the key is looked at first, for the limits may be by it.
    key_first: bool,
}

/// What counts requests.
#[derive(Debug, Clone)]
pub(crate) enum Meter {
    /// By a token bucket.
    Rate(Arc<Limiter>),
    /// By the calendar.
    Quota(Arc<Quota>),
}

/// What a meter says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Whether it may pass.
    pub(crate) passed: bool,
    /// Requests that may follow.
    pub(crate) remaining: u64,
    /// Seconds that the meter looks at.
    pub(crate) window: u64,
    /// Seconds until all may come again, or, after a refusal of a bucket, until one may.
    pub(crate) wait: u64,
}

/// How an exchange stands with a meter.
#[derive(Debug, Clone)]
pub struct Standing {
    meter: Meter,
    taken: Taken,
}

/// All that a configuration has of them, in its order.
pub(crate) struct All<'a> {
    pub(crate) rates: &'a [Arc<Limiter>],
    pub(crate) quotas: &'a [Arc<Quota>],
    pub(crate) concurrency: &'a [Arc<Concurrency>],
}

impl Gate {
    /// Those of a route before the authorizers and after them; None where there is nothing.
    pub(crate) fn of(route: &crate::config::Route, all: &All<'_>, key: Option<KeyRule>) -> [Option<Box<Self>>; 2] {
        let mut gates = [Self::default(), Self { key_first: true, ..Self::default() }];
        let place = |key: &Option<Template>| usize::from(is_known_later(key.as_ref()));
        for limit in route.concurrency_limits.iter().map(|&limit| &all.concurrency[limit]) {
            gates[place(&limit.config.key)].concurrency.push(limit.clone());
        }
        for limit in route.rate_limits.iter().map(|&limit| &all.rates[limit]) {
            gates[place(&limit.config.key)].meters.push(Meter::Rate(limit.clone()));
        }
        for quota in route.quotas.iter().map(|&quota| &all.quotas[quota]) {
            gates[place(&quota.config.key)].meters.push(Meter::Quota(quota.clone()));
        }
        if let Some(key) = key {
            let place = usize::from(!key.is_of_client());
            gates[place].key = Some(key);
        }
        gates.map(|gate| (!gate.is_empty()).then(|| Box::new(gate)))
    }

    fn is_empty(&self) -> bool {
        self.concurrency.is_empty() && self.meters.is_empty() && self.key.is_none()
    }

    /// Lets an exchange pass, or says why not.
    pub(crate) async fn admit(&self, worker: usize, exchange: &mut Arc<Exchange>) -> Result<(), Failure> {
        if self.key_first {
            self.check_key(worker, exchange).await?;
        }
        for limit in &self.concurrency {
            let key = key_of(limit.config.key.as_ref(), exchange).into_owned();
            let Some(permit) = limit.enter(key) else {
                limit.refused.inc();
                return Err(Failure::ConcurrencyLimited { limit: limit.config.name.clone() });
            };
            chain::edit(exchange).outcome.permits.push(Arc::new(permit));
        }
        let asked = self.meters.iter().map(|meter| (meter, key_of(meter.key(), exchange).into_owned()));
        let asked: Vec<_> = asked.collect();
        take(&asked, worker, exchange).await?;
        if !self.key_first {
            self.check_key(worker, exchange).await?;
        }
        Ok(())
    }

    async fn check_key(&self, worker: usize, exchange: &mut Arc<Exchange>) -> Result<(), Failure> {
        match &self.key {
            Some(rule) => usage::admit(rule, worker, exchange).await,
            None => Ok(()),
        }
    }
}

/// Takes from each of them until one has nothing: first from those of this process, in their order, then from those of
/// each Redis in one step.
pub(crate) async fn take(
    asked: &[(&Meter, String)],
    worker: usize,
    exchange: &mut Arc<Exchange>,
) -> Result<(), Failure> {
    let mut shared: Vec<&Arc<Redis>> = Vec::new();
    for (meter, key) in asked {
        match meter.redis() {
            None => note(meter, meter.take(key), exchange)?,
            Some(redis) if shared.iter().any(|other| Arc::ptr_eq(other, redis)) => {}
            Some(redis) => shared.push(redis),
        }
    }
    for redis in shared {
        let is_its = |(meter, _): &&(&Meter, String)| meter.redis().is_some_and(|other| Arc::ptr_eq(other, redis));
        let its: Vec<_> = asked.iter().filter(is_its).collect();
        let words: Vec<_> = its.iter().map(|(meter, key)| meter.asked(key)).collect();
        match (redis.take(worker, &words).await, redis.config.when_away) {
            (Ok(taken), _) => its.iter().zip(taken).try_for_each(|((meter, _), taken)| note(meter, taken, exchange))?,
            (Err(Away), WhenAway::Open) => {}
            (Err(Away), WhenAway::Closed) => return Err(Failure::LimitsUnavailable(redis.config.name.clone())),
            (Err(Away), WhenAway::Local) => {
                its.iter().try_for_each(|(meter, key)| note(meter, meter.take(key), exchange))?;
            }
        }
    }
    Ok(())
}

/// Writes down what a meter said.
fn note(meter: &Meter, taken: Taken, exchange: &mut Arc<Exchange>) -> Result<(), Failure> {
    chain::edit(exchange).outcome.standings.push(Standing { meter: meter.clone(), taken });
    if taken.passed {
        return Ok(());
    }
    let (name, wait) = (meter.name().to_owned(), taken.wait.max(1));
    Err(match meter {
        Meter::Rate(limiter) => {
            limiter.refused.inc();
            Failure::RateLimited { limit: name, wait }
        }
        Meter::Quota(quota) => {
            quota.refused.inc();
            Failure::QuotaExceeded { quota: name, wait }
        }
    })
}

/// The text that an exchange is counted by; empty where there is none, or not all of it.
fn key_of<'a>(key: Option<&Template>, exchange: &Exchange) -> Cow<'a, str> {
    key.and_then(|key| template::fill_with(key, exchange, network)).map_or(Cow::Borrowed(""), Cow::Owned)
}

impl Meter {
    fn key(&self) -> Option<&Template> {
        match self {
            Self::Rate(limiter) => limiter.config.key.as_ref(),
            Self::Quota(quota) => quota.config.key.as_ref(),
        }
    }

    /// Its name, as clients and logs are told it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Rate(limiter) => &limiter.config.name,
            Self::Quota(quota) => &quota.config.name,
        }
    }

    /// So many may come in a window.
    fn most(&self) -> u64 {
        match self {
            Self::Rate(limiter) => limiter.config.burst.into(),
            Self::Quota(quota) => quota.config.requests,
        }
    }

    fn redis(&self) -> Option<&Arc<Redis>> {
        match self {
            Self::Rate(limiter) => limiter.redis.as_ref(),
            Self::Quota(quota) => quota.redis.as_ref(),
        }
    }

    /// What a Redis is asked.
    fn asked<'a>(&'a self, key: &'a str) -> Asked<'a> {
        let meter = match self {
            Self::Rate(limiter) => redis::Meter::Rate(&limiter.config),
            Self::Quota(quota) => {
                let config::Quota { name, requests, calendar, .. } = &quota.config;
                redis::Meter::Quota { name, most: *requests, calendar: *calendar, now: quota.now() }
            }
        };
        Asked { meter, key }
    }

    /// Takes from what is counted in this process.
    fn take(&self, key: &String) -> Taken {
        match self {
            Self::Rate(limiter) => limiter.take(key),
            Self::Quota(quota) => quota.take(key),
        }
    }
}

/// A client as text.
fn network(address: IpAddr) -> String {
    match clients::network(address) {
        IpAddr::V6(network) => {
            let [a, b, c, d, ..] = network.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        IpAddr::V4(address) => address.to_string(),
    }
}

/// Tells the client how it stands, as draft-ietf-httpapi-ratelimit-headers-10 has it: `"NAME";r=REMAINING;t=SECONDS`, and the
/// policy `"NAME";q=QUOTA;w=SECONDS`. What an upstream says of limits of its own is kept beside.
pub(crate) fn tell(standings: &[Standing], headers: &mut HeaderMap) {
    for Standing { meter, taken: Taken { remaining, window, wait, .. } } in standings {
        let (name, most) = (meter.name(), meter.most());
        let mut add = |field, text: String| headers.append(field, HeaderValue::from_str(&text).expect("it is ASCII"));
        add(RATELIMIT_POLICY, format!("\"{name}\";q={most};w={window}"));
        add(RATELIMIT, format!("\"{name}\";r={remaining};t={wait}"));
    }
}

/// Rounded up.
pub(crate) fn seconds(time: Duration) -> u64 {
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
