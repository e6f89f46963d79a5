//! One endpoint of an upstream, and what is known of how it does. Shared by all workers.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;

use super::names::Names;
use crate::{
    config::{self, HealthCheck, Protocol},
    metrics::Metrics,
    tls::Connector,
};

/// An endpoint that has come back from so many ejections in a row is ejected for so many times as long again at most.
const EJECTIONS: u32 = 10;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Milliseconds since the first time that was asked for.
pub(super) fn millis(time: Instant) -> u64 {
    u64::try_from(time.saturating_duration_since(*BEGAN).as_millis()).unwrap_or(u64::MAX)
}

/// An endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The number under which workers keep its connections.
    pub(super) number: usize,
    /// `HOST:PORT`
    pub(crate) name: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    /// Its addresses, where the host is a name.
    pub(super) names: Option<Arc<Names>>,
    /// How connections begin, where it is reached by `https`.
    pub(super) connector: Option<Connector>,
    /// How it is looked at beside requests, and whether somebody does.
    pub(super) check: Option<HealthCheck>,
    pub(super) is_checked: AtomicBool,
    /// Requests under way.
    pub(super) active: AtomicUsize,
    health: Arc<Health>,
    /// Failures in a row, and ejections without an answer between them.
    failures: AtomicU32,
    ejections: AtomicU32,
    ejected: Counter,
}

/// Whether an endpoint gets requests.
#[derive(Debug)]
pub(crate) struct Health {
    /// What the checks say.
    is_well: AtomicBool,
    /// Until when it is ejected, in milliseconds since [`BEGAN`].
    ejected_until: AtomicU64,
}

impl Health {
    /// Whether it gets requests now.
    pub(crate) fn is_available(&self, now: Instant) -> bool {
        self.is_well.load(Ordering::Relaxed)
            && match self.ejected_until.load(Ordering::Relaxed) {
                0 => true,
                until => until <= millis(now),
            }
    }
}

impl Endpoint {
    pub(crate) fn new(
        upstream: &config::Upstream,
        endpoint: &config::Endpoint,
        number: usize,
        connector: Option<Connector>,
        metrics: &Metrics,
    ) -> Arc<Self> {
        let config::Endpoint { host, port, .. } = endpoint.clone();
        let name = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let health = Arc::new(Health { is_well: AtomicBool::new(true), ejected_until: AtomicU64::new(0) });
        let ejected = metrics.endpoint(&upstream.name, &name, &health);
        Arc::new(Self {
            number,
            name,
            names: Names::new(&host, port, upstream.resolve_interval),
            host,
            port,
            protocol: upstream.protocol,
            connector,
            check: upstream.health_check.clone(),
            is_checked: AtomicBool::new(false),
            active: AtomicUsize::new(0),
            health,
            failures: AtomicU32::new(0),
            ejections: AtomicU32::new(0),
            ejected,
        })
    }

    /// Whether this is the endpoint that a configuration asks for, and so what is known of it goes on to hold.
    pub(crate) fn is_same(&self, number: usize, upstream: &config::Upstream) -> bool {
        let resolved = self.names.as_ref().is_none_or(|names| names.interval() == upstream.resolve_interval);
        let said = self.protocol == upstream.protocol && self.check == upstream.health_check;
        self.number == number && said && resolved
    }

    /// How connections to it begin, if it is that of a configuration.
    pub(crate) fn connector_of(&self, endpoint: &config::Endpoint) -> Option<&Connector> {
        let same = (&self.host, self.port) == (&endpoint.host, endpoint.port);
        self.connector.as_ref().filter(|_| same)
    }

    /// Whether it gets requests now.
    pub(super) fn is_available(&self, now: Instant) -> bool {
        self.health.is_available(now)
    }

    /// What the checks say of it.
    pub(super) fn is_well(&self) -> bool {
        self.health.is_well.load(Ordering::Relaxed)
    }

    pub(super) fn set_well(&self, is_well: bool) {
        self.health.is_well.store(is_well, Ordering::Relaxed);
    }

    /// A request got an answer.
    pub(super) fn went_well(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 || self.ejections.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.ejections.store(0, Ordering::Relaxed);
        }
    }

    /// A request got none. How many in a row that makes.
    pub(super) fn went_wrong(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Gives it no requests for a time, which grows when it happens again: that is the answer.
    pub(super) fn eject(&self, now: Instant, time: Duration) -> Duration {
        let before = self.ejections.fetch_add(1, Ordering::Relaxed);
        let time = time * (before.saturating_add(1)).min(EJECTIONS);
        self.failures.store(0, Ordering::Relaxed);
        self.health.ejected_until.store(millis(now + time).max(1), Ordering::Relaxed);
        self.ejected.inc();
        time
    }
}
