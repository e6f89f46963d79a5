//! Counters for operators, in the text format of Prometheus. Label sets are resolved when a configuration is loaded, so
//! that counting is one atomic addition.

mod labels;

use std::sync::{
    Arc, Mutex, OnceLock, Weak,
    atomic::{AtomicU64, Ordering},
};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tokio::{sync::Semaphore, time::Instant};

use labels::{
    CacheLabels, CacheUseLabels, EndpointLabels, FailureLabels, LimitLabels, MirrorLabels, PlanLabels, PluginLabels,
    QuotaLabels, ReasonLabels, RedisLabel, RedisLabels, ResultLabels, RouteLabels, SplitLabels, StatusLabels,
    UpstreamLabels,
};

use crate::{
    cache::{Cache, CacheUse},
    lines,
    lock::lock,
    overload::{Loads, Shed},
    panics,
    upstream::Health,
};

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
    quota_exceeded: Family<QuotaLabels, Counter>,
    usage_plans: Family<PlanLabels, Counter>,
    concurrency_limited: Family<LimitLabels, Counter>,
    concurrency: Family<LimitLabels, Gauge>,
    redis_decisions: Family<RedisLabels, Counter>,
    redis_available: Family<RedisLabel, Gauge>,
    splits: Family<SplitLabels, Counter>,
    mirrored: Family<MirrorLabels, Counter>,
    retries: Family<UpstreamLabels, Counter>,
    ejections: Family<EndpointLabels, Counter>,
    endpoints_available: Family<EndpointLabels, Gauge>,
    endpoints: Mutex<Vec<(EndpointLabels, Weak<Health>)>>,
    cache_requests: Family<CacheUseLabels, Counter>,
    cache_stores: Family<CacheLabels, Counter>,
    cache_evictions: Family<CacheLabels, Counter>,
    cache_bytes: Family<CacheLabels, Gauge>,
    caches: Mutex<Vec<(CacheLabels, Weak<Cache>)>>,
    websockets_open: Gauge,
    clients_ended: Family<ReasonLabels, Counter>,
    shed: Family<ReasonLabels, Counter>,
    loads: OnceLock<Arc<Loads>>,
    under_way: Gauge,
    late: Gauge<f64, AtomicU64>,
    shedding: Gauge<f64, AtomicU64>,
    memory: Gauge<u64, AtomicU64>,
    grpc_answers: Family<StatusLabels, Counter>,
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

/// The counters of a response cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct CacheMetrics {
    /// By [`CacheUse`].
    uses: [Counter; 5],
    /// Answers kept.
    pub(crate) stores: Counter,
    /// Answers that went for want of room.
    pub(crate) evictions: Counter,
}

impl CacheMetrics {
    /// Counts a request.
    pub(crate) fn used(&self, how: CacheUse) {
        self.uses[how as usize].inc();
    }
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
            quota_exceeded: Family::default(),
            usage_plans: Family::default(),
            concurrency_limited: Family::default(),
            concurrency: Family::default(),
            redis_decisions: Family::default(),
            redis_available: Family::default(),
            splits: Family::default(),
            mirrored: Family::default(),
            retries: Family::default(),
            ejections: Family::default(),
            endpoints_available: Family::default(),
            endpoints: Mutex::default(),
            cache_requests: Family::default(),
            cache_stores: Family::default(),
            cache_evictions: Family::default(),
            cache_bytes: Family::default(),
            caches: Mutex::default(),
            websockets_open: Gauge::default(),
            clients_ended: Family::default(),
            shed: Family::default(),
            loads: OnceLock::new(),
            under_way: Gauge::default(),
            late: Gauge::default(),
            shedding: Gauge::default(),
            memory: Gauge::default(),
            grpc_answers: Family::default(),
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
        registry.register("quota_exceeded", "Requests refused by a quota", self.quota_exceeded.clone());
        let plans = "Requests with an API key, by usage plan: `passed`, or `refused` by its rate or its quota";
        registry.register("usage_plan_requests", plans, self.usage_plans.clone());
        let limited = "Requests refused by a concurrency limit";
        registry.register("concurrency_limited", limited, self.concurrency_limited.clone());
        registry.register("concurrency", "Exchanges under way that a limit counts", self.concurrency.clone());
        let decisions = "Decisions by a Redis: `answered`, or `away`: made without it";
        registry.register("redis_decisions", decisions, self.redis_decisions.clone());
        registry.register("redis_available", "Whether a Redis is asked: it answers", self.redis_available.clone());
        let splits = "Requests of routes with several upstreams, by what that of their choice has answered";
        registry.register("split_requests", splits, self.splits.clone());
        let mirrored =
            "Copies of requests: answered, failed, or dropped since too many were under way or their body was too long";
        registry.register("mirrored_requests", mirrored, self.mirrored.clone());
        registry.register("upstream_retries", "Requests sent again", self.retries.clone());
        registry.register("upstream_ejections", "How often an endpoint failed too often", self.ejections.clone());
        let available = "Whether an endpoint gets requests: it is well, and not ejected";
        registry.register("upstream_endpoint_available", available, self.endpoints_available.clone());
        registry.register("cache_requests", "Requests of routes with a cache", self.cache_requests.clone());
        registry.register("cache_stores", "Answers that were kept", self.cache_stores.clone());
        registry.register("cache_evictions", "Answers that went for want of room", self.cache_evictions.clone());
        registry.register("cache_bytes", "Bytes of answers that are kept", self.cache_bytes.clone());
        registry.register("websockets_open", "WebSockets that are open", self.websockets_open.clone());
        registry.register(
            "clients_ended",
            "Clients whose connection, or stream, was ended",
            self.clients_ended.clone(),
        );
        registry.register("shed", "Requests refused for overload", self.shed.clone());
        registry.register("requests_under_way", "Exchanges that have begun and not ended", self.under_way.clone());
        registry.register("worker_delay_seconds", "How late the latest worker is", self.late.clone());
        let shedding = "Of the requests of the worker that has the most to do, the part that is refused";
        registry.register("overload_pressure", shedding, self.shedding.clone());
        let memory = "Memory of the process, where `max_memory` is set";
        registry.register("memory_bytes", memory, self.memory.clone());
        registry.register("grpc_answers", "Answers to gRPC calls, by grpc-status", self.grpc_answers.clone());
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

impl Inner {
    /// Looks up what workers have to do.
    fn look_at_loads(&self) {
        let Some(loads) = self.loads.get() else { return };
        self.under_way.set(loads.under_way() as i64);
        self.late.set(loads.late().as_secs_f64());
        self.shedding.set(loads.shedding());
        self.memory.set(loads.memory.load(Ordering::Relaxed));
    }

    /// Looks up what caches have. Those that no snapshot has any more are told no longer.
    fn count_caches(&self) {
        let mut caches = lock(&self.caches);
        self.cache_bytes.clear();
        caches.retain(|(labels, cache)| {
            let Some(cache) = cache.upgrade() else { return false };
            self.cache_bytes.get_or_create(labels).inc_by(i64::try_from(cache.bytes()).unwrap_or(i64::MAX));
            true
        });
    }
}

impl Metrics {
    /// The counters of a response cache.
    pub(crate) fn cache(&self, name: &str) -> CacheMetrics {
        let labels = CacheLabels { cache: name.to_owned() };
        let by = |how: CacheUse| {
            let labels = CacheUseLabels { cache: name.to_owned(), result: how.name().to_owned() };
            self.0.cache_requests.get_or_create(&labels).clone()
        };
        CacheMetrics {
            uses: CacheUse::ALL.map(by),
            stores: self.0.cache_stores.get_or_create(&labels).clone(),
            evictions: self.0.cache_evictions.get_or_create(&labels).clone(),
        }
    }

    /// Tells of a cache for as long as it is there.
    pub(crate) fn cache_alive(&self, name: &str, cache: &Arc<Cache>) {
        let mut caches = lock(&self.0.caches);
        // Nobody may ever ask.
        caches.retain(|(_, cache)| cache.strong_count() > 0);
        caches.push((CacheLabels { cache: name.to_owned() }, Arc::downgrade(cache)));
    }

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

    /// Counts an answer to a gRPC call by its status. Who answers may have made one up.
    pub(crate) fn grpc_answered(&self, status: u16) {
        let status = if status <= 16 { status.to_string() } else { "other".to_owned() };
        self.0.grpc_answers.get_or_create(&StatusLabels { status }).inc();
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

    /// Counts a client whose connection or stream was ended, or not begun: `header_timeout`, `answer_timeout`,
    /// `bad_request`, `http2_flood`, `connections`.
    pub(crate) fn client_ended(&self, reason: &str) {
        self.0.clients_ended.get_or_create(&ReasonLabels { reason: reason.to_owned() }).inc();
    }

    /// Counts a request that is refused for overload.
    pub(crate) fn shed(&self, why: Shed) {
        self.0.shed.get_or_create(&ReasonLabels { reason: why.name().to_owned() }).inc();
    }

    /// Tells how workers stand.
    pub(crate) fn loads(&self, loads: &Arc<Loads>) {
        // There is one for a process.
        let _ = self.0.loads.set(loads.clone());
    }

    /// Counts what a quota refuses.
    pub(crate) fn quota_exceeded(&self, quota: &str) -> Counter {
        self.0.quota_exceeded.get_or_create(&QuotaLabels { quota: quota.to_owned() }).clone()
    }

    /// Counts what passes a usage plan, and what it refuses.
    pub(crate) fn usage_plan(&self, plan: &str) -> [Counter; 2] {
        ["passed", "refused"].map(|result| {
            let labels = PlanLabels { plan: plan.to_owned(), result: result.to_owned() };
            self.0.usage_plans.get_or_create(&labels).clone()
        })
    }

    /// Counts what a concurrency limit refuses, and what is under way.
    pub(crate) fn concurrency(&self, limit: &str) -> (Counter, Gauge) {
        let labels = LimitLabels { limit: limit.to_owned() };
        let refused = self.0.concurrency_limited.get_or_create(&labels).clone();
        (refused, self.0.concurrency.get_or_create(&labels).clone())
    }

    /// Counts what a Redis decides and what is decided without it, and tells whether it is there.
    pub(crate) fn redis(&self, redis: &str) -> (Counter, Counter, Gauge) {
        let [answered, away] = ["answered", "away"].map(|result| {
            let labels = RedisLabels { redis: redis.to_owned(), result: result.to_owned() };
            self.0.redis_decisions.get_or_create(&labels).clone()
        });
        (answered, away, self.0.redis_available.get_or_create(&RedisLabel { redis: redis.to_owned() }).clone())
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
        self.0.look_at_loads();
        self.0.count_caches();
        let registry = lock(&self.0.registry);
        let mut out = String::new();
        text::encode(&mut out, &registry).expect("writing to a string does not fail");
        out
    }
}
