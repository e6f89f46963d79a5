//! Counters for operators, in the text format of Prometheus. Label sets are resolved when a configuration is loaded, so
//! that counting is one atomic addition.

use std::sync::{Arc, Mutex, Weak, atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::{sync::Semaphore, time::Instant};

use crate::{lines, lock::lock, panics, upstream::Health};

/// All metrics of a gateway.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    requests: Family<RouteLabels, Counter>,
    failures: Family<FailureLabels, Counter>,
    plugin_calls: Family<PluginLabels, Counter>,
    plugin_faults: Family<PluginLabels, Counter>,
    plugin_dropped_lines: Family<PluginLabels, Counter>,
    plugin_skipped: Family<PluginLabels, Counter>,
    verdict_hits: Family<PluginLabels, Counter>,
    verdict_misses: Family<PluginLabels, Counter>,
    instances_made: Family<PluginLabels, Counter>,
    clients_waited: Counter,
    handshakes: Family<ResultLabels, Counter>,
    rate_limited: Family<LimitLabels, Counter>,
    splits: Family<SplitLabels, Counter>,
    mirrored: Family<MirrorLabels, Counter>,
    retries: Family<UpstreamLabels, Counter>,
    ejections: Family<EndpointLabels, Counter>,
    endpoints_available: Family<EndpointLabels, Gauge>,
    endpoints: Mutex<Vec<(EndpointLabels, Weak<Health>)>>,
    websockets_open: Gauge,
    reloads: Family<ResultLabels, Counter>,
    generation: Gauge<u64, AtomicU64>,
    snapshots_alive: Gauge,
    plugins_alive: Gauge,
    instances_alive: Family<PluginLabels, Gauge>,
    rooms: Mutex<Vec<Room>>,
}

/// Where the instances of one loaded plugin take their permits from: what is taken is alive. It lives as long as the
/// plugin or one of the instances.
struct Room {
    plugin: PluginLabels,
    permits: Weak<Semaphore>,
    most: usize,
}

/// Counted for as long as it lives.
#[derive(Debug)]
pub(crate) struct Alive(Gauge);

impl Alive {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FailureLabels {
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PluginLabels {
    plugin: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    result: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndpointLabels {
    upstream: String,
    endpoint: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LimitLabels {
    limit: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SplitLabels {
    route: String,
    upstream: String,
    status: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MirrorLabels {
    route: String,
    result: String,
}

/// The counters of one plugin.
#[derive(Clone, Debug, Default)]
pub struct PluginMetrics {
    /// Hooks called.
    pub calls: Counter,
    /// Hooks that failed.
    pub faults: Counter,
    /// Lines to the log or to `output` that were dropped.
    pub dropped_lines: Counter,
    /// Failures of a filter that was skipped, or of a logger.
    pub skipped: Counter,
    /// Verdicts from the cache.
    pub verdict_hits: Counter,
    /// Verdicts that the plugin was asked for.
    pub verdict_misses: Counter,
    /// Instances made.
    pub instances: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let inner = Inner {
            registry: Mutex::new(Registry::with_prefix("gatehouse")),
            requests: Family::default(),
            failures: Family::default(),
            plugin_calls: Family::default(),
            plugin_faults: Family::default(),
            plugin_dropped_lines: Family::default(),
            plugin_skipped: Family::default(),
            verdict_hits: Family::default(),
            verdict_misses: Family::default(),
            instances_made: Family::default(),
            clients_waited: Counter::default(),
            handshakes: Family::default(),
            rate_limited: Family::default(),
            splits: Family::default(),
            mirrored: Family::default(),
            retries: Family::default(),
            ejections: Family::default(),
            endpoints_available: Family::default(),
            endpoints: Mutex::default(),
            websockets_open: Gauge::default(),
            reloads: Family::default(),
            generation: Gauge::default(),
            snapshots_alive: Gauge::default(),
            plugins_alive: Gauge::default(),
            instances_alive: Family::default(),
            rooms: Mutex::default(),
        };
        inner.register();
        Self(Arc::new(inner))
    }
}

impl Inner {
    fn register(&self) {
        let mut registry = lock(&self.registry);
        let counters = [
            ("plugin_calls", "Hooks called", &self.plugin_calls),
            ("plugin_faults", "Hooks that failed", &self.plugin_faults),
            ("plugin_dropped_lines", "Lines of plugins that were dropped", &self.plugin_dropped_lines),
            ("plugin_skipped", "Failures that were skipped or dropped", &self.plugin_skipped),
            ("verdict_cache_hits", "Verdicts from the cache", &self.verdict_hits),
            ("verdict_cache_misses", "Verdicts that a plugin was asked for", &self.verdict_misses),
            ("plugin_instances", "Instances made", &self.instances_made),
        ];
        for (name, help, family) in counters {
            registry.register(name, help, family.clone());
        }
        registry.register("requests", "Exchanges by route", self.requests.clone());
        registry.register("failures", "Exchanges that failed, by code", self.failures.clone());
        registry.register("panics", "Panics of the gateway's own code", panics::count());
        registry.register("lost_lines", "Lines, of the log or of plugins, that could not be written", lines::lost());
        let waited = "Clients that had to wait for one that leaves, for want of descriptors";
        registry.register("clients_waited", waited, self.clients_waited.clone());
        registry.register("tls_handshakes", "TLS handshakes with clients", self.handshakes.clone());
        registry.register("rate_limited", "Requests refused by a rate limit", self.rate_limited.clone());
        let splits = "Requests of routes with several upstreams, by what that of their choice has answered";
        registry.register("split_requests", splits, self.splits.clone());
        let mirrored =
            "Copies of requests: answered, failed, or dropped since too many were under way or their body was too long";
        registry.register("mirrored_requests", mirrored, self.mirrored.clone());
        registry.register("upstream_retries", "Requests sent again", self.retries.clone());
        registry.register("upstream_ejections", "How often an endpoint failed too often", self.ejections.clone());
        let available = "Whether an endpoint gets requests: it is well, and not ejected";
        registry.register("upstream_endpoint_available", available, self.endpoints_available.clone());
        registry.register("websockets_open", "WebSockets that are open", self.websockets_open.clone());
        registry.register("reloads", "Loads of the configuration", self.reloads.clone());
        registry.register("generation", "Number of the configuration that serves", self.generation.clone());
        let loaded = "Loaded configurations: that which serves, and older ones that exchanges under way still use";
        registry.register("snapshots_alive", loaded, self.snapshots_alive.clone());
        registry.register("plugins_alive", "Loaded plugins, each with its compiled code", self.plugins_alive.clone());
        registry.register("plugin_instances_alive", "Instances, idle or at work", self.instances_alive.clone());
    }

    /// Looks up how many instances there are. Those of a plugin that was replaced count under its name.
    fn count_instances(&self) {
        let mut rooms = lock(&self.rooms);
        self.instances_alive.clear();
        rooms.retain(|room| {
            let permits = room.permits.upgrade();
            let taken = permits.as_ref().map_or(0, |permits| room.most.saturating_sub(permits.available_permits()));
            self.instances_alive.get_or_create(&room.plugin).inc_by(taken as i64);
            permits.is_some()
        });
    }
}

impl Inner {
    /// Looks up which endpoints get requests. Those that no snapshot has any more are told no longer.
    fn count_endpoints(&self) {
        let now = Instant::now();
        let mut endpoints = lock(&self.endpoints);
        self.endpoints_available.clear();
        endpoints.retain(|(labels, health)| {
            let Some(health) = health.upgrade() else { return false };
            self.endpoints_available.get_or_create(labels).set(i64::from(health.is_available(now)));
            true
        });
    }
}

impl Metrics {
    /// Tells of an endpoint for as long as it is there. The counter of its ejections.
    pub(crate) fn endpoint(&self, upstream: &str, endpoint: &str, health: &Arc<Health>) -> Counter {
        let labels = EndpointLabels { upstream: upstream.to_owned(), endpoint: endpoint.to_owned() };
        let counter = self.0.ejections.get_or_create(&labels).clone();
        let mut endpoints = lock(&self.0.endpoints);
        // Nobody may ever ask.
        endpoints.retain(|(_, health)| health.strong_count() > 0);
        endpoints.push((labels, Arc::downgrade(health)));
        counter
    }

    /// The counter of what is sent again to an upstream.
    pub(crate) fn retries(&self, upstream: &str) -> Counter {
        self.0.retries.get_or_create(&UpstreamLabels { upstream: upstream.to_owned() }).clone()
    }

    /// The counter of a route's requests that went to an upstream of several, and were answered so.
    pub(crate) fn split(&self, route: &str, upstream: &str, status: &str) -> Counter {
        let [route, upstream, status] = [route, upstream, status].map(str::to_owned);
        self.0.splits.get_or_create(&SplitLabels { route, upstream, status }).clone()
    }

    /// The counter of what has become of copies of a route's requests.
    pub(crate) fn mirrored(&self, route: &str, result: &str) -> Counter {
        let [route, result] = [route, result].map(str::to_owned);
        self.0.mirrored.get_or_create(&MirrorLabels { route, result }).clone()
    }

    /// The counters of a plugin.
    pub fn plugin(&self, name: &str) -> PluginMetrics {
        let labels = PluginLabels { plugin: name.to_owned() };
        let get = |family: &Family<PluginLabels, Counter>| family.get_or_create(&labels).clone();
        PluginMetrics {
            calls: get(&self.0.plugin_calls),
            faults: get(&self.0.plugin_faults),
            dropped_lines: get(&self.0.plugin_dropped_lines),
            skipped: get(&self.0.plugin_skipped),
            verdict_hits: get(&self.0.verdict_hits),
            verdict_misses: get(&self.0.verdict_misses),
            instances: get(&self.0.instances_made),
        }
    }

    /// The counter of a route's exchanges.
    pub fn route(&self, name: &str) -> Counter {
        self.0.requests.get_or_create(&RouteLabels { route: name.to_owned() }).clone()
    }

    /// Counts a failed exchange.
    pub fn failed(&self, code: &str) {
        self.0.failures.get_or_create(&FailureLabels { code: code.to_owned() }).inc();
    }

    /// Counts a client that has to wait.
    pub(crate) fn client_waits(&self) {
        self.0.clients_waited.inc();
    }

    /// Counts a load of the configuration; `generation` is what now serves.
    pub fn reloaded(&self, ok: bool, generation: u64) {
        let result = if ok { "ok" } else { "refused" };
        self.0.reloads.get_or_create(&ResultLabels { result: result.to_owned() }).inc();
        self.0.generation.set(generation);
    }

    /// Counts a TLS handshake with a client: `ok`, `failed` or `timeout`.
    pub(crate) fn shaken(&self, result: &str) {
        self.0.handshakes.get_or_create(&ResultLabels { result: result.to_owned() }).inc();
    }

    /// Counts what a rate limit refuses.
    pub(crate) fn rate_limited(&self, limit: &str) -> Counter {
        self.0.rate_limited.get_or_create(&LimitLabels { limit: limit.to_owned() }).clone()
    }

    /// Counts a WebSocket for as long as it is open.
    pub(crate) fn websocket_open(&self) -> Alive {
        Alive::new(&self.0.websockets_open)
    }

    /// Counts a loaded configuration for as long as it lives.
    pub(crate) fn snapshot_alive(&self) -> Alive {
        Alive::new(&self.0.snapshots_alive)
    }

    /// Counts a loaded plugin for as long as it lives, and its instances, which take one of at most so many permits each.
    pub(crate) fn plugin_alive(&self, name: &str, permits: &Arc<Semaphore>, most: usize) -> Alive {
        let room = Room { plugin: PluginLabels { plugin: name.to_owned() }, permits: Arc::downgrade(permits), most };
        let mut rooms = lock(&self.0.rooms);
        // Nobody may ever ask how many there are.
        rooms.retain(|room| room.permits.strong_count() > 0);
        rooms.push(room);
        Alive::new(&self.0.plugins_alive)
    }

    /// All of them as text (`application/openmetrics-text`).
    pub fn text(&self) -> String {
        self.0.count_instances();
        self.0.count_endpoints();
        let registry = lock(&self.0.registry);
        let mut out = String::new();
        text::encode(&mut out, &registry).expect("writing to a string does not fail");
        out
    }
}
