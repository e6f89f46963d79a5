//! Which endpoint of an upstream a request goes to, and whether it may go to another when that one fails.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use super::endpoint::Endpoint;
use crate::{
    config::{self, Balance},
    failure::Failure,
};

/// An upstream's endpoints as they serve.
#[derive(Debug)]
pub(crate) struct Balancer {
    endpoints: Vec<Arc<Endpoint>>,
    /// Indices of the endpoints, each as often as its weight says, as evenly spread as may be.
    round: Vec<usize>,
    weights: Vec<u32>,
    next: AtomicUsize,
    budget: Budget,
    room: Option<Room>,
    retries: Counter,
}

impl Balancer {
    pub(crate) fn new(upstream: &config::Upstream, endpoints: Vec<Arc<Endpoint>>, retries: Counter) -> Self {
        let weights: Vec<u32> = upstream.endpoints.iter().map(|endpoint| endpoint.weight).collect();
        Self {
            endpoints,
            round: round(&weights),
            weights,
            next: AtomicUsize::new(0),
            budget: Budget::default(),
            room: upstream.max_requests.map(|most| Room::new(most, upstream.max_pending)),
            retries,
        }
    }

    /// Its endpoints.
    pub(crate) fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// The only endpoint, where there is nothing to choose and nothing to try again.
    pub(super) fn only(&self, upstream: &config::Upstream) -> Option<&Arc<Endpoint>> {
        match &self.endpoints[..] {
            [only] if upstream.retries.attempts == 0 => Some(only),
            _ => None,
        }
    }

    /// Waits for room, where requests at the same time are limited.
    pub(super) async fn enter(&self, upstream: &config::Upstream) -> Result<Option<OwnedSemaphorePermit>, Failure> {
        match &self.room {
            None => Ok(None),
            Some(room) => room.enter(upstream.connect_timeout).await.map(Some),
        }
    }

    /// The endpoint for a request that was not answered by some already. One that does well if there is one; else one that
    /// was not tried; else any: those that look broken may be well again, and an answer that fails is no worse than none.
    pub(super) fn choose(
        &self,
        balance: &Balance,
        key: Option<u64>,
        turn: usize,
        tried: &[usize],
        now: Instant,
    ) -> (usize, &Arc<Endpoint>) {
        let is_new = |index: usize| !tried.contains(&index);
        let is_good = |index: usize| is_new(index) && self.endpoints[index].is_available(now);
        let index = (self.chosen(balance, key, turn, is_good))
            .or_else(|| self.chosen(balance, key, turn, is_new))
            .or_else(|| self.chosen(balance, key, turn, |_| true))
            .unwrap_or(0);
        (index, &self.endpoints[index])
    }

    fn chosen(&self, balance: &Balance, key: Option<u64>, turn: usize, may: impl Fn(usize) -> bool) -> Option<usize> {
        match (balance, key) {
            (Balance::Hash(_), Some(key)) => self.by_key(key, may),
            (Balance::LeastRequest, _) => {
                let drawn = mixed(turn as u64);
                let first = self.from(drawn as usize, &may)?;
                let other = self.from((drawn >> 32) as usize, |index| index != first && may(index));
                let active = |index: usize| self.endpoints[index].active.load(Ordering::Relaxed);
                Some(other.filter(|&other| active(other) < active(first)).unwrap_or(first))
            }
            _ => self.from(turn, may),
        }
    }

    /// The first that may be, from a place in the round.
    fn from(&self, start: usize, may: impl Fn(usize) -> bool) -> Option<usize> {
        let start = start % self.round.len();
        let (before, from) = self.round.split_at(start);
        from.iter().chain(before).copied().find(|&index| may(index))
    }

    /// When an endpoint comes or goes, only the keys that it wins or had won move.
    fn by_key(&self, key: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
        let score = |index: usize| score(key, hash(&self.endpoints[index].name), self.weights[index]);
        (0..self.endpoints.len()).filter(|&index| may(index)).max_by(|&a, &b| score(a).total_cmp(&score(b)))
    }

    /// A request begins. Whose turn it is.
    pub(super) fn begin(&self, now: Instant) -> usize {
        self.budget.count(now);
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether one may be sent again, by the budget.
    pub(super) fn may_retry(&self, now: Instant) -> bool {
        let may = self.budget.take(now);
        if may {
            self.retries.inc();
        }
        may
    }

    /// Whether an endpoint has answered as it should. One that fails again and again is left in peace for a while; never more
    /// than half of them at a time.
    pub(super) fn note(&self, upstream: &config::Upstream, endpoint: &Endpoint, well: bool) {
        if well {
            return endpoint.went_well();
        }
        let failures = endpoint.went_wrong();
        let most = upstream.ejection.failures;
        let now = Instant::now();
        if most == 0 || failures < most || !endpoint.is_available(now) {
            return;
        }
        let out = self.endpoints.iter().filter(|endpoint| !endpoint.is_available(now)).count();
        if (out + 1) * 2 > self.endpoints.len() {
            return;
        }
        let time = endpoint.eject(now, upstream.ejection.time);
        let (upstream, endpoint) = (&*upstream.name, &*endpoint.name);
        tracing::warn!(upstream, endpoint, "has failed {failures} times in a row and gets no requests for {time:?}");
    }
}

/// A request under way, for as long as its answer is.
#[derive(Default)]
pub(super) struct UnderWay {
    endpoint: Option<Arc<Endpoint>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl UnderWay {
    /// One that is nowhere yet.
    pub(super) fn new(room: Option<OwnedSemaphorePermit>) -> Self {
        Self { endpoint: None, _room: room }
    }

    /// It is at this endpoint from now on, and at no other.
    pub(super) fn goes_to(&mut self, endpoint: &Arc<Endpoint>) {
        self.leave();
        endpoint.active.fetch_add(1, Ordering::Relaxed);
        self.endpoint = Some(endpoint.clone());
    }

    fn leave(&mut self) {
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.active.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.leave();
    }
}

/// So many requests may be under way, and so many wait.
#[derive(Debug)]
struct Room {
    free: Arc<Semaphore>,
    pending: Semaphore,
}

impl Room {
    fn new(most: usize, pending: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), pending: Semaphore::new(pending) }
    }

    async fn enter(&self, most: Duration) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = self.pending.try_acquire().map_err(|_| Failure::UpstreamBusy)?;
        match timeout(most, self.free.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Failure::UpstreamBusy),
        }
    }
}

/// What may be sent again in a second: a fifth of what was sent in it, and so many more. An outage must not become a storm.
#[derive(Debug, Default)]
struct Budget {
    second: AtomicU64,
    requests: AtomicU32,
    retries: AtomicU32,
}

const RETRIES: u32 = 10;
const PART: u32 = 5;

impl Budget {
    fn count(&self, now: Instant) {
        self.enter(now);
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self, now: Instant) -> bool {
        self.enter(now);
        let most = RETRIES.saturating_add(self.requests.load(Ordering::Relaxed) / PART);
        self.retries
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| (used < most).then_some(used + 1))
            .is_ok()
    }

    /// With a new second all begins anew.
    fn enter(&self, now: Instant) {
        let second = super::endpoint::millis(now) / 1000;
        let before = self.second.load(Ordering::Relaxed);
        if before < second && self.second.compare_exchange(before, second, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.requests.store(0, Ordering::Relaxed);
            self.retries.store(0, Ordering::Relaxed);
        }
    }
}

/// A round in which each comes as often as its weight says, as evenly spread as may be: whoever is furthest behind its
/// part comes next (as in nginx).
fn round(weights: &[u32]) -> Vec<usize> {
    let divisor = weights.iter().fold(0, |a, &b| greatest_common_divisor(a, b)).max(1);
    let weights: Vec<i64> = weights.iter().map(|&weight| i64::from(weight / divisor)).collect();
    let sum: i64 = weights.iter().sum();
    let mut behind = vec![0; weights.len()];
    (0..sum)
        .map(|_| {
            behind.iter_mut().zip(&weights).for_each(|(behind, weight)| *behind += weight);
            // The first of those that are equally far.
            let next = (0..behind.len()).rev().max_by_key(|&index| behind[index]).unwrap_or(0);
            behind[next] -= sum;
            next
        })
        .collect()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// The same in each process: gateways side by side choose alike.
pub(crate) fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Weighted rendezvous hashing: the index of the one that wins a key, of the hashes of names with weights.
pub(crate) fn rendezvous(key: u64, ways: impl Iterator<Item = (u64, u32)>) -> Option<usize> {
    let scores = ways.map(|(name, weight)| score(key, name, weight)).enumerate();
    scores.max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(index, _)| index)
}

/// Whoever has the highest of a key wins it. It grows with the weight, and is 0 without one.
fn score(key: u64, name: u64, weight: u32) -> f64 {
    let drawn = mixed(key ^ name) >> 11;
    // Above 0 and below 1.
    let drawn = (drawn as f64 + 0.5) / (1_u64 << 53) as f64;
    -f64::from(weight) / drawn.ln()
}

/// Every bit of the result depends on every bit of the number (splitmix64's last step).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, HashKey, Identity, Source},
        metrics::Metrics,
    };

    fn balancer(weights: &[u32]) -> (config::Upstream, Balancer) {
        let urls: Vec<String> = (weights.iter().enumerate())
            .map(|(index, weight)| format!("{{ url = 'http://e{index}', weight = {weight} }}"))
            .collect();
        let text = format!(
            "listeners.a.address = '127.0.0.1:0'\nupstreams.u.endpoints = [{}]\nroutes.any.upstream = 'u'\n",
            urls.join(", ")
        );
        let config = Config::parse(Source::new("test.toml", &text)).unwrap();
        let upstream = config.upstreams[0].clone();
        let metrics = Metrics::default();
        let endpoint = |(number, endpoint)| Endpoint::new(&upstream, endpoint, number, None, &metrics);
        let endpoints = upstream.endpoints.iter().enumerate().map(endpoint).collect();
        let balancer = Balancer::new(&upstream, endpoints, Counter::default());
        (upstream, balancer)
    }

    fn counts(balancer: &Balancer, balance: &Balance, keys: u64) -> Vec<usize> {
        let mut counts = vec![0; balancer.endpoints.len()];
        for key in 0..keys {
            counts[balancer.choose(balance, Some(hash(&key)), key as usize, &[], Instant::now()).0] += 1;
        }
        counts
    }

    fn by_hash() -> Balance {
        Balance::Hash(HashKey::Field(Identity::Cookie("sid".to_owned())))
    }

    #[test]
    fn a_round_has_each_as_often_as_its_weight_says_and_spread() {
        assert_eq!(round(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(round(&[200, 100]), [0, 1, 0]);
        assert_eq!(round(&[7]), [0]);
    }

    #[test]
    fn in_turn_is_exact() {
        let (_, balancer) = balancer(&[3, 1]);
        assert_eq!(counts(&balancer, &Balance::RoundRobin, 400), [300, 100]);
    }

    #[test]
    fn a_key_stays_where_it_is_when_another_endpoint_goes() {
        let (_, balancer) = balancer(&[1, 1, 2]);
        let balance = by_hash();
        let spread = counts(&balancer, &balance, 4000);
        assert!(spread[0].abs_diff(1000) < 150 && spread[2].abs_diff(2000) < 150, "{spread:?}");
        let now = Instant::now();
        let of = |key: u64| balancer.choose(&balance, Some(hash(&key)), 0, &[], now).0;
        let before: Vec<usize> = (0..1000).map(of).collect();
        balancer.endpoints[1].set_well(false);
        for (key, before) in before.into_iter().enumerate() {
            let after = of(key as u64);
            assert!(after == before || before == 1 && after != 1, "{key}: {before} {after}");
        }
    }

    #[test]
    fn of_two_the_less_busy_is_chosen() {
        let (_, balancer) = balancer(&[1, 1]);
        let mut busy = [UnderWay::default(), UnderWay::default()];
        busy.iter_mut().for_each(|request| request.goes_to(&balancer.endpoints[0]));
        assert_eq!(counts(&balancer, &Balance::LeastRequest, 50), [0, 50]);
        drop(busy);
        assert!(counts(&balancer, &Balance::LeastRequest, 100).iter().all(|&count| count > 20));
    }

    #[test]
    fn no_more_than_half_of_the_endpoints_are_ejected() {
        let (upstream, balancer) = balancer(&[1, 1, 1, 1]);
        for endpoint in &balancer.endpoints {
            (0..upstream.ejection.failures).for_each(|_| balancer.note(&upstream, endpoint, false));
        }
        assert_eq!(counts(&balancer, &Balance::RoundRobin, 100)[..2], [0, 0]);
        let out = balancer.endpoints.iter().filter(|endpoint| !endpoint.is_available(Instant::now())).count();
        assert_eq!(out, 2);
        let later = Instant::now() + upstream.ejection.time;
        assert!(balancer.endpoints.iter().all(|endpoint| endpoint.is_available(later)));
    }

    #[test]
    fn with_nobody_well_anybody_is_asked() {
        let (_, balancer) = balancer(&[1, 1]);
        balancer.endpoints.iter().for_each(|endpoint| endpoint.set_well(false));
        for balance in [Balance::RoundRobin, Balance::LeastRequest] {
            assert!(counts(&balancer, &balance, 100).iter().all(|&count| count > 20));
        }
        assert_eq!(balancer.choose(&by_hash(), Some(1), 0, &[0], Instant::now()).0, 1);
    }

    #[test]
    fn a_fifth_and_ten_more_may_be_sent_again_in_a_second() {
        let budget = Budget::default();
        let now = Instant::now();
        (0..100).for_each(|_| budget.count(now));
        assert_eq!((0..1000).filter(|_| budget.take(now)).count(), 30);
        let later = now + Duration::from_secs(2);
        assert_eq!((0..1000).filter(|_| budget.take(later)).count(), 10);
    }
}
