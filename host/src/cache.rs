//! The response cache: answers of upstreams in memory, shared by all workers, as RFC 9111 has it for shared caches.
//!
//! Invariants: only whole answers are kept. What an authorizer or an answer has made private is not, or only for whom it is.
//! What is kept is the upstream's answer, so that response filters see a hit as they see any answer.
//!
//! Keys are 128 bits of SipHash under a random secret of this cache. Under a request's key is its answer, or the names of
//! the header fields that its answers vary by: with them the key of the variant is made.

mod conditional;
mod control;
mod freshness;
mod key;
mod private;
mod tee;

pub(crate) use conditional::{Theirs, has_it, is_about, replace, updated, without_content};
pub(crate) use freshness::{Judged, judge};
pub(crate) use key::{Asked, varies_by};
pub(crate) use private::{tag, why_private};
pub(crate) use tee::{Place, Tee};

use std::{
    fmt,
    hash::{BuildHasherDefault, Hasher as _},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use moka::{notification::RemovalCause, sync::Cache as Moka};
use siphasher::sip::SipHasher13;

use crate::{
    body::RequestBody,
    clock::Clock,
    config::{self, CacheRules},
    exchange::Exchange,
    flight::Flights,
    metrics::{CacheMetrics, Metrics},
    verdict::Passed,
};

/// Targets by their hash: an unsafe request outdates all that is kept of those in the same slot. 64 KiB a cache, so that
/// few others share one.
const SLOTS: usize = 1 << 14;

/// For so long a key whose answer could not be kept is not waited for.
const PASS: Duration = Duration::from_secs(10);

/// What an entry takes beside its header fields and its body.
const ENTRY: usize = 512;

/// Answers that are kept.
pub(crate) struct Cache {
    pub(crate) config: config::Cache,
    kept: Moka<u128, Kept, BuildHasherDefault<Passed>>,
    /// How often an unsafe request has outdated what is kept of a target.
    slots: Box<[AtomicU32]>,
    /// Counts purges: what was asked for before one is not kept after it.
    purges: AtomicU32,
    /// Bytes of bodies on their way in.
    gathering: AtomicU64,
    secret: [u8; 16],
    pub(crate) flights: Flights,
    pub(crate) metrics: CacheMetrics,
    clock: Clock,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A cache as a route uses it.
#[derive(Debug)]
pub(crate) struct RouteCache {
    pub(crate) cache: Arc<Cache>,
    pub(crate) rules: CacheRules,
    /// Tells routes apart, and a route from what it was before a reload.
    pub(crate) tag: u64,
}

/// How a cache took part in an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheUse {
    /// The upstream was not asked.
    Hit,
    /// It was asked.
    Miss,
    /// What is no longer fresh stands in place of an error.
    Stale,
    /// The upstream said that what is kept still holds.
    Revalidated,
    /// The request is none that the cache may answer.
    Bypass,
}

impl CacheUse {
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 5] = [Self::Hit, Self::Miss, Self::Stale, Self::Revalidated, Self::Bypass];

    /// For logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Bypass => "bypass",
        }
    }
}

/// What is under a key.
#[derive(Clone)]
pub(crate) enum Kept {
    /// The fields that the answers vary by.
    Varies(Arc<[HeaderName]>),
    Answer(Arc<Stored>),
    /// Until then the answer is taken for one that cannot be kept.
    Passed(Duration),
}

/// An answer that is kept.
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) judged: Judged,
    /// When it came, by the gateway's clock.
    came: Duration,
    /// Host and path, for purges.
    target: Box<str>,
    slot: usize,
    /// What its slot counted when it was asked for.
    outdated: u32,
}

impl Stored {
    /// How old it is (RFC 9111 section 4.2.3).
    pub(crate) fn age(&self, now: Duration) -> Duration {
        self.judged.age.saturating_add(now.saturating_sub(self.came))
    }

    /// For how long it is fresh yet, in seconds; less than 0 once it is not.
    pub(crate) fn left(&self, now: Duration) -> i64 {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        seconds(self.judged.fresh).saturating_sub(seconds(self.age(now)))
    }

    /// Whether it may stand in place of an error (RFC 5861 section 4).
    pub(crate) fn stands_for_errors(&self, now: Duration) -> bool {
        self.age(now) < self.judged.fresh.saturating_add(self.judged.stale_if_error)
    }

    fn weight(&self) -> usize {
        ENTRY + self.target.len() + self.body.len() + weight(&self.headers)
    }
}

fn weight(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| 64 + name.as_str().len() + value.len()).sum()
}

/// What a cache was like when an answer was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Began {
    pub(crate) at: Duration,
    slot: usize,
    outdated: u32,
    purges: u32,
}

impl Cache {
    pub(crate) fn new(config: config::Cache, clock: &Clock, told: &Metrics) -> Arc<Self> {
        let metrics = told.cache(&config.name);
        let evictions = metrics.evictions.clone();
        let kept = Moka::builder()
            .max_capacity(config.bytes)
            .weigher(|_, kept: &Kept| match kept {
                Kept::Answer(stored) => u32::try_from(stored.weight()).unwrap_or(u32::MAX),
                Kept::Varies(_) | Kept::Passed(_) => ENTRY as u32,
            })
            .eviction_listener(move |_, kept, cause| {
                if cause == RemovalCause::Size && matches!(kept, Kept::Answer(_)) {
                    evictions.inc();
                }
            })
            .build_with_hasher(BuildHasherDefault::default());
        let slots = (0..SLOTS).map(|_| AtomicU32::new(0)).collect();
        let this = Arc::new(Self {
            config,
            kept,
            slots,
            purges: AtomicU32::new(0),
            gathering: AtomicU64::new(0),
            secret: rand::random(),
            flights: Flights::default(),
            metrics,
            clock: clock.clone(),
        });
        told.cache_alive(&this.config.name, &this);
        this
    }

    /// The time that answers age by.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Bytes that are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.kept.run_pending_tasks();
        self.kept.weighted_size()
    }

    fn target(&self, host: &str, path: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.secret);
        hasher.write(host.as_bytes());
        hasher.write(path.as_bytes());
        hasher.finish()
    }

    /// What is kept for a request.
    pub(crate) fn find(&self, asked: &Asked, headers: &HeaderMap) -> Option<Kept> {
        let found = match self.kept.get(&asked.key)? {
            Kept::Varies(names) => self.kept.get(&key::variant(&self.secret, asked.key, &names, headers))?,
            found => found,
        };
        match &found {
            Kept::Answer(stored) if self.slots[stored.slot].load(Ordering::Acquire) != stored.outdated => None,
            Kept::Passed(until) if *until <= self.now() => None,
            _ => Some(found),
        }
    }

    /// To be noted before an answer is asked for.
    pub(crate) fn begin(&self, asked: &Asked) -> Began {
        let slot = slot(asked.target);
        let outdated = self.slots[slot].load(Ordering::Acquire);
        Began { at: self.now(), slot, outdated, purges: self.purges.load(Ordering::Acquire) }
    }

    /// Remembers that the answer to a request cannot be kept.
    pub(crate) fn pass(&self, asked: &Asked) {
        self.kept.insert(asked.key, Kept::Passed(self.now() + PASS));
    }

    /// Keeps an answer, unless what was asked for has been outdated meanwhile.
    fn keep(&self, place: &Place, body: Bytes) {
        let Place { key, varies, began, status, headers, judged, target } = place;
        let is_purged = || self.purges.load(Ordering::Acquire) != began.purges;
        if is_purged() || self.slots[began.slot].load(Ordering::Acquire) != began.outdated {
            return;
        }
        let stored = Stored {
            status: *status,
            headers: headers.clone(),
            body,
            judged: judged.clone(),
            came: self.now(),
            target: target.clone(),
            slot: began.slot,
            outdated: began.outdated,
        };
        self.kept.insert(*key, Kept::Answer(Arc::new(stored)));
        // A purge may have looked just before that.
        if is_purged() {
            return self.kept.invalidate(key);
        }
        if let Some((asked, names)) = varies {
            self.kept.insert(*asked, Kept::Varies(names.clone()));
        }
        self.metrics.stores.inc();
    }

    /// What is kept of a target holds no longer (RFC 9111 section 4.4): of its path, whatever the query.
    pub(crate) fn outdate(&self, host: &str, path: &str) {
        self.slots[slot(self.target(host, path))].fetch_add(1, Ordering::AcqRel);
    }

    /// Forgets the answers whose host and path are meant. How many there were.
    pub(crate) fn purge(&self, is_meant: impl Fn(&str, &str) -> bool) -> usize {
        self.purges.fetch_add(1, Ordering::AcqRel);
        let meant = |stored: &Stored| {
            let (host, path) = stored.target.split_at(stored.target.find('/').unwrap_or(stored.target.len()));
            is_meant(host, path)
        };
        let mut purged = 0;
        for (key, kept) in &self.kept {
            if let Kept::Answer(stored) = &kept
                && meant(stored)
            {
                self.kept.invalidate(&*key);
                purged += 1;
            }
        }
        purged
    }
}

fn slot(target: u64) -> usize {
    target as usize % SLOTS
}

impl RouteCache {
    /// The request as the cache sees it; see [`Asked::of`].
    pub(crate) fn asked(&self, exchange: &Exchange, body: &RequestBody) -> Option<Asked> {
        Asked::of(self, exchange, body)
    }

    /// Takes out of a request's query what is not in the key, so that it cannot change the answer.
    pub(crate) fn narrow(&self, exchange: &mut Exchange) {
        let Some(names) = &self.rules.query else { return };
        if let Some(target) = key::narrowed(&exchange.request.target, names) {
            exchange.request.target = target;
        }
    }
}
