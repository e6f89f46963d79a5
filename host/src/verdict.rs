//! The verdict cache: what an authorizer decided, kept under exactly what it read while deciding.
//!
//! A plugin that reads the same values takes the same way through its code, so an entry holds for every request that
//! agrees on all of them. What it read may differ from request to request (it may look at a second header only when the
//! first is absent): each such list of fields is a *shape*, and a request is looked up under each shape that the route
//! has shown. A verdict that used anything outside the request (wall clock, randomness, network, key-value state) is kept
//! only for as long as the plugin itself said.
//!
//! Values are kept only as keyed hashes: 128 bits of SipHash under a random key of this cache, so no token lies in
//! memory for the cache's sake, and nobody outside can find two requests with one key.

pub(crate) mod fuzz;

use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use moka::sync::Cache;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::{
    clock::Clock,
    config,
    exchange::{Exchange, Field},
    failure::Fault,
    flight::{Flights, Role},
    lock::lock,
    plugin::{Plugin, Reads, Verdict},
    route::FastMap,
};

/// Shapes that one route may show. A plugin that shows more reads at random; its verdicts are not kept.
const SHAPES: usize = 16;

/// The largest verdict that is kept: `entries` of these are what a cache may take.
const LARGEST: usize = 8 << 10;

/// The cache of one plugin.
pub(crate) struct VerdictCache {
    entries: Cache<u128, Arc<Entry>, BuildHasherDefault<Passed>>,
    /// By route. Read without a lock; a new shape is rare.
    shapes: ArcSwap<Shapes>,
    growing: Mutex<()>,
    next_shape: AtomicU32,
    secret: [u8; 16],
    flights: Flights,
    /// Whether the last verdict could be kept: if not, waiting for another's call is of no use.
    keeps: AtomicBool,
    config: config::VerdictCache,
    clock: Clock,
}

/// By route.
type Shapes = FastMap<Vec<Shape>>;

struct Entry {
    verdict: Arc<Verdict>,
    until: Duration,
}

/// A list of fields that a plugin has read for one verdict.
#[derive(Clone)]
struct Shape {
    id: u32,
    fields: Arc<[Field]>,
}

/// What was decided, and by whom.
pub(crate) struct Decided {
    pub(crate) verdict: Arc<Verdict>,
    /// Whether the cache knew it.
    pub(crate) cached: bool,
}

/// The keys are hashes already.
#[derive(Default)]
pub(crate) struct Passed(u64);

impl Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u128")
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

impl VerdictCache {
    /// None when the configuration turns it off (`ttl = "0s"`).
    pub(crate) fn new(config: &config::VerdictCache, clock: Clock) -> Option<Self> {
        if config.ttl.is_zero() || config.entries == 0 {
            return None;
        }
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).ok()?;
        Some(Self {
            entries: Cache::builder().max_capacity(config.entries).build_with_hasher(BuildHasherDefault::default()),
            shapes: ArcSwap::default(),
            growing: Mutex::default(),
            next_shape: AtomicU32::new(0),
            secret,
            flights: Flights::default(),
            keeps: AtomicBool::new(true),
            config: config.clone(),
            clock,
        })
    }

    fn key(&self, shape: &Shape, exchange: &Exchange) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        hasher.write_u32(shape.id);
        shape.fields.iter().for_each(|field| exchange.hash_field(field, &mut hasher));
        hasher.finish128().as_u128()
    }

    /// The verdict for this request, or the key under which callers that ask the same should wait for one another.
    fn find(&self, exchange: &Exchange) -> Result<Arc<Verdict>, u128> {
        let shapes = self.shapes.load();
        let mut together = 0u128;
        for shape in shapes.get(exchange.route_name()).into_iter().flatten() {
            let key = self.key(shape, exchange);
            together = together.rotate_left(1) ^ key;
            if let Some(entry) = self.entries.get(&key) {
                if entry.until > self.clock.now() {
                    return Ok(entry.verdict.clone());
                }
                self.entries.invalidate(&key);
            }
        }
        Err(together)
    }

    fn keep(&self, exchange: &Exchange, verdict: &Arc<Verdict>, reads: Reads) -> bool {
        let Reads::On { fields, outside } = reads else { return false };
        let ttl = self.ttl(verdict, outside);
        if ttl.is_zero() || fields.contains(&Field::Volatile) || verdict.size() > LARGEST {
            return false;
        }
        let Some(shape) = self.shape(exchange.route_name(), fields) else { return false };
        let entry = Entry { verdict: verdict.clone(), until: self.clock.now() + ttl };
        self.entries.insert(self.key(&shape, exchange), Arc::new(entry));
        true
    }

    fn ttl(&self, verdict: &Verdict, outside: bool) -> Duration {
        let config = &self.config;
        let (hint, default, most) = match verdict {
            Verdict::Allow(grant) => (grant.max_age, config.ttl, config.max_ttl),
            Verdict::Deny(denial) => (denial.max_age, config.denial_ttl, config.denial_ttl),
            Verdict::Abstain => (None, config.denial_ttl, config.denial_ttl),
        };
        match hint {
            Some(seconds) => Duration::from_secs(seconds.into()).min(most),
            None if outside => Duration::ZERO,
            None => default.min(most),
        }
    }

    fn shape(&self, route: &str, fields: Vec<Field>) -> Option<Shape> {
        let known = |all: &Shapes| all.get(route)?.iter().find(|shape| *shape.fields == *fields).cloned();
        if let Some(shape) = known(&self.shapes.load()) {
            return Some(shape);
        }
        let _growing = lock(&self.growing);
        let mut all = Shapes::clone(&self.shapes.load());
        if let Some(shape) = known(&all) {
            return Some(shape);
        }
        let of_route = all.entry(route.into()).or_default();
        if of_route.len() >= SHAPES {
            return None;
        }
        let shape = Shape { id: self.next_shape.fetch_add(1, Ordering::Relaxed), fields: fields.into() };
        of_route.push(shape.clone());
        self.shapes.store(Arc::new(all));
        Some(shape)
    }
}

/// The verdict of a plugin about a request: from its cache, or by asking it; `spent` is the time that the asking took.
pub(crate) async fn decide(
    plugin: &Arc<Plugin>,
    worker: usize,
    exchange: &Arc<Exchange>,
    spent: &mut Duration,
) -> Result<Decided, Fault> {
    match known(plugin, exchange) {
        Ok(decided) => Ok(decided),
        // Boxed, so that a request whose verdict is known, or that has no authorizer, does not carry the room for a call.
        Err(unknown) => Box::pin(find_out(plugin, worker, exchange, unknown, spent)).await,
    }
}

/// A verdict that the cache does not know. Callers that ask the same have the same here.
struct Unknown(u128);

fn known(plugin: &Plugin, exchange: &Exchange) -> Result<Decided, Unknown> {
    let Some(cache) = &plugin.cache else { return Err(Unknown(0)) };
    let verdict = cache.find(exchange).map_err(Unknown)?;
    plugin.metrics().verdict_hits.inc();
    Ok(Decided { verdict, cached: true })
}

/// Requests that ask the same at the same time wait for one call. An error is everyone's own: it is not kept, and those
/// who waited ask for themselves.
async fn find_out(
    plugin: &Arc<Plugin>,
    worker: usize,
    exchange: &Arc<Exchange>,
    mut unknown: Unknown,
    spent: &mut Duration,
) -> Result<Decided, Fault> {
    let Some(cache) = &plugin.cache else { return ask(plugin, worker, exchange, None, spent).await };
    let mut may_wait = cache.keeps.load(Ordering::Relaxed);
    loop {
        if !may_wait {
            return ask(plugin, worker, exchange, Some(cache), spent).await;
        }
        match cache.flights.join(route_bits(exchange) ^ unknown.0) {
            Role::First(flight) => {
                let decided = ask(plugin, worker, exchange, Some(cache), spent).await;
                flight.land(decided.is_ok() && cache.keeps.load(Ordering::Relaxed));
                return decided;
            }
            Role::Passenger(flight) => may_wait = flight.wait(plugin.config.limits.time).await,
        }
        match known(plugin, exchange) {
            Ok(decided) => return Ok(decided),
            Err(still) => unknown = still,
        }
    }
}

/// Keeps routes apart while none of them has shown a shape.
fn route_bits(exchange: &Exchange) -> u128 {
    (exchange.route.map_or(0, |route| route as u128 + 1)) << 64
}

async fn ask(
    plugin: &Arc<Plugin>,
    worker: usize,
    exchange: &Arc<Exchange>,
    cache: Option<&VerdictCache>,
    spent: &mut Duration,
) -> Result<Decided, Fault> {
    let started = Instant::now();
    let asked = async { plugin.session(worker).await?.authorize(exchange, cache.is_some()).await }.await;
    *spent = started.elapsed();
    let (verdict, reads) = asked?;
    let verdict = Arc::new(verdict);
    if let Some(cache) = cache {
        plugin.metrics().verdict_misses.inc();
        cache.keeps.store(cache.keep(exchange, &verdict, reads), Ordering::Relaxed);
    }
    Ok(Decided { verdict, cached: false })
}
