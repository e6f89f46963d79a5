//! One loaded configuration with its loaded plugins: immutable, numbered, served from as a whole. A request keeps the
//! snapshot it began with; when the last request is done, the snapshot is gone, and with it every plugin that no later
//! one has taken over.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use http::HeaderName;
use prometheus_client::metrics::counter::Counter;

use crate::{
    cache::{self, Cache, RouteCache},
    clock::Clock,
    concurrency::Concurrency,
    config::{self, Combine, Config, Problem, Problems},
    descriptors::Upstreams,
    edge::Via,
    file,
    limits::{self, Gate},
    metrics::{Alive, Metrics},
    mirror::{self, Mirror},
    plugin::{Plugin, Surroundings, Unloadable},
    quota::Quota,
    ratelimit::Limiter,
    redis::Redis,
    route::Router,
    split::Split,
    tls::{Acceptor, Connector, Wrong},
    upstream::{Balancer, Endpoint, health},
    usage::{KeyRule, Keys, Plan},
    validation::{self, Validator},
};

/// A loaded configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts the loads of this process, from 1.
    pub generation: u64,
    /// What it was loaded from.
    pub config: Config,
    pub(crate) router: Router,
    pub(crate) via: Option<Via>,
    pub(crate) plugins: Vec<Arc<Plugin>>,
    /// Parallel to `config.rate_limits`.
    limiters: Vec<Arc<Limiter>>,
    /// Parallel to `config.redis`.
    redis: Vec<Arc<Redis>>,
    /// Parallel to `config.quotas`.
    quotas: Vec<Arc<Quota>>,
    /// Parallel to `config.concurrency_limits`.
    concurrency: Vec<Arc<Concurrency>>,
    /// Parallel to `config.usage_plans`.
    pub(crate) plans: Vec<Arc<Plan>>,
    pub(crate) keys: Arc<Keys>,
    /// Parallel to `config.listeners`.
    pub(crate) acceptors: Vec<Option<Arc<Acceptor>>>,
    /// Parallel to `config.upstreams`.
    pub(crate) balancers: Vec<Balancer>,
    /// Parallel to `config.validators`.
    pub(crate) validators: Vec<Arc<Validator>>,
    /// Parallel to `config.caches`.
    pub(crate) caches: Vec<Arc<Cache>>,
    /// The OpenAPI documents that were read, and what those refer to.
    pub(crate) documents: Vec<PathBuf>,
    /// Parallel to `config.routes`.
    pub(crate) chains: Vec<Chain>,
    /// Every endpoint that this process has known, by the number under which workers keep its connections: none is given twice.
    known_endpoints: Arc<Vec<Place>>,
    _alive: Alive,
}

/// Where connections to one are as good as those to another: host, port, and what TLS was made of.
type Place = (String, u16, Option<[u8; 32]>);

/// The plugins of a route by what they do, and the route's constants. Plugins are indices into `Snapshot::plugins`.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) authorizers: Vec<usize>,
    pub(crate) combine: Combine,
    pub(crate) request_filters: Vec<usize>,
    /// Already in reverse order.
    pub(crate) response_filters: Vec<usize>,
    pub(crate) loggers: Vec<usize>,
    /// Whether any of them may read headers of the answer.
    pub(crate) logs_headers: bool,
    /// Limits by the client and its API key, and those by what only an authorizer, or the key, tells.
    pub(crate) before: Option<Box<Gate>>,
    pub(crate) after: Option<Box<Gate>>,
    /// Where answers are kept.
    pub(crate) cache: Option<Box<RouteCache>>,
    /// Whether answers are compressed.
    pub(crate) compresses: bool,
    /// Its upstreams, where there are several.
    pub(crate) split: Option<Box<Split>>,
    /// Where copies of its requests go.
    pub(crate) mirror: Option<Box<Mirror>>,
    /// Whether what is changed of its answers names headers of the request.
    names_request_later: bool,
    /// Names that only the gateway sets on requests of this route.
    pub(crate) reserved: Vec<HeaderName>,
    pub(crate) requests: Counter,
}

impl Chain {
    /// Whether anybody reads the request's headers after it has gone to the upstream.
    pub(crate) fn reads_request_later(&self) -> bool {
        let reads = self.cache.is_some() || self.names_request_later;
        reads || !self.response_filters.is_empty() || !self.loggers.is_empty()
    }
}

impl Snapshot {
    /// Loads every plugin of a configuration. Reports the problems of all of them at once.
    pub(crate) fn load(
        config: Config,
        serving: Option<&Snapshot>,
        metrics: &Metrics,
        clock: &Clock,
    ) -> Result<Self, Problems> {
        let started = clock.now();
        let mut plugins = Vec::with_capacity(config.plugins.len());
        let mut problems = Vec::new();
        for plugin in &config.plugins {
            if let Err(error) = file::is_one(&plugin.component)
                && error.kind() != ErrorKind::IsADirectory
            {
                problems.push(of_plugin(&config, &plugin.name, &unreadable(&plugin.component, &error)));
                continue;
            }
            let around = Surroundings {
                server: &config.server,
                metrics,
                clock,
                serving: serving.and_then(|snapshot| snapshot.plugin(&plugin.name)),
                stage: None,
            };
            match Plugin::load(plugin, &around) {
                Ok(loaded) => {
                    tracing::debug!(plugin = loaded.name(), hooks = loaded.hooks.names().join(","), "loaded");
                    plugins.push(loaded);
                }
                Err(reasons) => problems.extend(reasons.iter().map(|reason| of_plugin(&config, &plugin.name, reason))),
            }
        }
        let acceptors = (config.listeners.iter())
            .map(|listener| {
                let before = serving.and_then(|snapshot| snapshot.acceptor(&listener.name));
                let loaded = listener.tls.as_ref().map(|tls| Acceptor::load(tls, before));
                good(loaded, &config, &["listeners", &listener.name, "tls"], &mut problems)
            })
            .collect();
        let connectors: Vec<_> =
            config.upstreams.iter().map(|upstream| connectors(upstream, serving, &config, &mut problems)).collect();
        let loading = validation::Loading::default();
        let validators: Vec<Option<_>> = (config.validators.iter())
            .map(|validator| {
                let loaded = Some(Validator::load(validator, &loading));
                good(loaded, &config, &["validators", &validator.name], &mut problems)
            })
            .collect();
        let keys = good(Some(Keys::load(&config)), &config, &[], &mut problems).unwrap_or_default();
        let redis = redis(&config, serving, metrics, &mut problems);
        if problems.is_empty() {
            problems = private(&config, &plugins);
        }
        problems.extend(config.routes.iter().filter_map(|route| unfit(&config, route, &validators)));
        let validators = validators.into_iter().flatten().collect();
        if !problems.is_empty() {
            return Err(Problems::new(config.source, problems));
        }
        tracing::debug!("loaded {} plugins in {:?}", plugins.len(), clock.now().saturating_sub(started));
        let mut known = serving.map(|snapshot| Vec::clone(&snapshot.known_endpoints)).unwrap_or_default();
        let balancers = (config.upstreams.iter().zip(connectors))
            .map(|(upstream, connectors)| balancer(upstream, connectors, &mut known, serving, metrics))
            .collect();
        let this = Self::of(config, plugins, redis, serving, metrics, clock);
        let (keys, known_endpoints, documents) = (Arc::new(keys), Arc::new(known), loading.files());
        Ok(Self { acceptors, balancers, validators, keys, documents, known_endpoints, ..this })
    }

    /// The snapshot of a configuration with its plugins, in the same order, which has no listeners and reaches nothing.
    pub(crate) fn of(
        config: Config,
        plugins: Vec<Arc<Plugin>>,
        redis: Vec<Arc<Redis>>,
        serving: Option<&Snapshot>,
        metrics: &Metrics,
        clock: &Clock,
    ) -> Self {
        let place = |store: &config::Store| match store {
            config::Store::Memory => None,
            config::Store::Redis(name) => redis.iter().find(|redis| redis.config.name == *name).cloned(),
        };
        // What has not changed goes on counting.
        let limiters: Vec<_> = (config.rate_limits.iter())
            .map(|limit| {
                let redis = place(&limit.store);
                let same = |known: &&Arc<Limiter>| known.is_same(limit, redis.as_ref());
                let known = serving.and_then(|snapshot| snapshot.limiters.iter().find(same));
                let refused = metrics.rate_limited(&limit.name);
                let new = || Arc::new(Limiter::new(limit.clone(), clock, refused, redis.clone()));
                known.cloned().unwrap_or_else(new)
            })
            .collect();
        let quotas: Vec<_> = (config.quotas.iter())
            .map(|quota| {
                let known = serving.and_then(|snapshot| snapshot.quota(&quota.name));
                let refused = metrics.quota_exceeded(&quota.name);
                let redis = place(&quota.store);
                Arc::new(Quota::new(quota.clone(), clock, refused, redis, known.map(|known| &**known)))
            })
            .collect();
        let concurrency: Vec<_> = (config.concurrency_limits.iter())
            .map(|limit| {
                let known = serving.and_then(|of| of.concurrency.iter().find(|known| known.config == *limit));
                let new = || {
                    let (refused, under_way) = metrics.concurrency(&limit.name);
                    Arc::new(Concurrency::new(limit.clone(), refused, under_way))
                };
                known.cloned().unwrap_or_else(new)
            })
            .collect();
        let plans: Vec<_> = (config.usage_plans.iter())
            .map(|plan| {
                let known = serving.and_then(|of| of.plans.iter().find(|known| known.config.name == plan.name));
                Arc::new(Plan::new(plan, known.map(|known| &**known), place(&plan.store), metrics, clock))
            })
            .collect();
        let all = limits::All { rates: &limiters, quotas: &quotas, concurrency: &concurrency };
        let caches: Vec<_> = (config.caches.iter())
            .map(|cache| {
                let known = serving.and_then(|snapshot| snapshot.caches.iter().find(|known| known.config == *cache));
                known.cloned().unwrap_or_else(|| Cache::new(cache.clone(), clock, metrics))
            })
            .collect();
        let chain = |route| Chain::new(&config, route, &plugins, (&all, &plans, &caches), metrics);
        let chains = (0..config.routes.len()).map(chain).collect();
        let router = Router::new(&config.routes);
        let via = Via::new(&config.server.via);
        let generation = serving.map_or(1, |snapshot| snapshot.generation + 1);
        let _alive = metrics.snapshot_alive();
        Self {
            generation,
            config,
            router,
            via,
            plugins,
            limiters,
            redis,
            quotas,
            concurrency,
            plans,
            keys: Arc::default(),
            acceptors: Vec::new(),
            balancers: Vec::new(),
            validators: Vec::new(),
            caches,
            documents: Vec::new(),
            chains,
            known_endpoints: Arc::default(),
            _alive,
        }
    }

    /// What the listener of a name answers handshakes with.
    fn acceptor(&self, name: &str) -> Option<&Arc<Acceptor>> {
        let listener = self.config.listeners.iter().position(|listener| listener.name == name)?;
        self.acceptors.get(listener)?.as_ref()
    }

    /// The endpoints of the upstream of a name.
    fn endpoints(&self, name: &str) -> &[Arc<Endpoint>] {
        let upstream = self.config.upstreams.iter().position(|upstream| upstream.name == name);
        upstream.and_then(|upstream| self.balancers.get(upstream)).map_or(&[], Balancer::endpoints)
    }

    /// Has its endpoints looked at, where they are to be.
    pub(crate) fn check_endpoints(&self, descriptors: &Upstreams) {
        for (upstream, balancer) in self.config.upstreams.iter().zip(&self.balancers) {
            health::start(&upstream.name, balancer, descriptors);
        }
    }

    /// Every quota, those of usage plans too.
    pub(crate) fn quotas(&self) -> impl Iterator<Item = &Arc<Quota>> {
        self.quotas.iter().chain(self.plans.iter().filter_map(|plan| plan.quota.as_ref()))
    }

    fn quota(&self, name: &str) -> Option<&Arc<Quota>> {
        self.quotas.iter().find(|quota| quota.config.name == name)
    }

    fn plugin(&self, name: &str) -> Option<Arc<Plugin>> {
        self.plugins.iter().find(|plugin| plugin.name() == name).cloned()
    }
}

/// Nobody waits for what a FIFO may bring, or for the end of a device.
fn unreadable(component: &Path, error: &io::Error) -> Unloadable {
    let message = format!("{} cannot be read: {error}", component.display());
    Unloadable { at: vec!["component".into()], message }
}

fn of_plugin(config: &Config, plugin: &str, reason: &Unloadable) -> Problem {
    let message = format!("plugin `{plugin}`: {}", reason.message);
    located(config, &["plugins", plugin], &reason.at, message)
}

/// A problem with what a table says, at a place within that.
fn located(config: &Config, table: &[&str], at: &[String], message: String) -> Problem {
    let path: Vec<&str> = table.iter().copied().chain(at.iter().map(String::as_str)).collect();
    Problem::at(config.source.locate(&path), message)
}

/// A route whose validator has nothing for its requests.
fn unfit(config: &Config, route: &config::Route, validators: &[Option<Arc<Validator>>]) -> Option<Problem> {
    let operations = validators.get(route.validate?)?.as_ref()?.operations.as_ref()?;
    let why = operations.fits(&route.matches).err()?;
    Some(located(config, &["routes", &route.name], &["validate".to_owned()], why))
}

/// What was loaded for a table; what is wrong with it is added to the problems.
fn good<T>(
    loaded: Option<Result<T, Vec<Wrong>>>,
    config: &Config,
    table: &[&str],
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let wrong = match loaded? {
        Ok(loaded) => return Some(loaded),
        Err(wrong) => wrong,
    };
    problems.extend(wrong.into_iter().map(|(at, message)| located(config, table, &at, message)));
    None
}

/// The routes whose answers may be private, and would be kept for everybody.
fn private(config: &Config, plugins: &[Arc<Plugin>]) -> Vec<Problem> {
    let problem = |route: &config::Route| {
        let own = route.cache.as_ref()?;
        let rules = config.caches[own.cache].rules.with(&own.rules);
        let authorizes = route.plugins.iter().any(|&plugin| plugins[plugin].hooks.is_authorizer());
        let why = cache::why_private(route, &rules, authorizes)?;
        let problem = located(config, &["routes", &route.name], &["cache".into()], why);
        Some(problem.help(
            "put what tells callers apart into `key`, as in `key = [\"${auth.principal}\"]`, or say `shared = true`",
        ))
    };
    config.routes.iter().filter_map(problem).collect()
}

/// How connections to the endpoints of an upstream begin, one for each. They differ in the host only, so that the same is
/// wrong with all of them.
fn connectors(
    upstream: &config::Upstream,
    serving: Option<&Snapshot>,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> Vec<Option<Connector>> {
    let serving = serving.map_or(&[][..], |snapshot| snapshot.endpoints(&upstream.name));
    let load = |endpoint: &config::Endpoint| {
        let before = serving.iter().find_map(|before| before.connector_of(endpoint));
        upstream.tls.as_ref().map(|tls| Connector::load(tls, upstream.protocol, &endpoint.host, before))
    };
    let table = ["upstreams", &upstream.name, "tls"];
    let mut loaded = Vec::new();
    for endpoint in &upstream.endpoints {
        let reported = problems.len();
        loaded.push(good(load(endpoint), config, &table, problems));
        if problems.len() > reported {
            break;
        }
    }
    loaded
}

/// Every Redis. One that has not changed is the same, with what is known of it.
fn redis(
    config: &Config,
    serving: Option<&Snapshot>,
    metrics: &Metrics,
    problems: &mut Vec<Problem>,
) -> Vec<Arc<Redis>> {
    let load = |redis: &config::Redis| {
        let tls = redis.tls.then(|| config::UpstreamTls { ca: redis.ca.clone(), ..Default::default() });
        let loaded = tls.map(|tls| Connector::load(&tls, config::Protocol::Http1, &redis.host, None));
        let connector = good(loaded, config, &["redis", &redis.name], problems);
        let same = |known: &&Arc<Redis>| known.is_same(redis, connector.as_ref());
        let known = serving.and_then(|snapshot| snapshot.redis.iter().find(same));
        let new = || Redis::new(redis.clone(), connector.clone(), config.server.workers, metrics.redis(&redis.name));
        known.cloned().unwrap_or_else(new)
    };
    config.redis.iter().map(load).collect()
}

/// The endpoints of an upstream as they serve. What is known of one goes on to hold.
fn balancer(
    upstream: &config::Upstream,
    connectors: Vec<Option<Connector>>,
    known: &mut Vec<Place>,
    serving: Option<&Snapshot>,
    metrics: &Metrics,
) -> Balancer {
    let mut number = |place: Place| {
        known.iter().position(|other| *other == place).unwrap_or_else(|| {
            known.push(place);
            known.len() - 1
        })
    };
    let serving = serving.map_or(&[][..], |snapshot| snapshot.endpoints(&upstream.name));
    let endpoints = (upstream.endpoints.iter().zip(connectors))
        .map(|(endpoint, connector)| {
            let digest = connector.as_ref().map(|connector| connector.digest);
            let number = number((endpoint.host.clone(), endpoint.port, digest));
            let same = serving.iter().find(|before| before.is_same(number, upstream));
            same.cloned().unwrap_or_else(|| Endpoint::new(upstream, endpoint, number, connector, metrics))
        })
        .collect();
    Balancer::new(upstream, endpoints, metrics.retries(&upstream.name))
}

impl Chain {
    fn new(
        config: &Config,
        route: usize,
        plugins: &[Arc<Plugin>],
        (limits, plans, caches): (&limits::All<'_>, &[Arc<Plan>], &[Arc<Cache>]),
        metrics: &Metrics,
    ) -> Self {
        let route = &config.routes[route];
        let cache = route.cache.as_ref().map(|own| {
            let cache = caches[own.cache].clone();
            let rules = cache.config.rules.with(&own.rules);
            let tag = cache::tag(config, route, &rules);
            Box::new(RouteCache { cache, rules, tag })
        });
        let key = route.api_key.as_ref().map(|key| KeyRule::new(key, &route.name, plans));
        let [before, after] = Gate::of(route, limits, key);
        let with = |has: fn(&crate::plugin::Hooks) -> bool| -> Vec<usize> {
            route.plugins.iter().copied().filter(|&plugin| has(&plugins[plugin].hooks)).collect()
        };
        let mut response_filters = with(|hooks| hooks.filters_responses());
        response_filters.reverse();
        Self {
            authorizers: with(|hooks| hooks.is_authorizer()),
            combine: route.authorize,
            request_filters: with(|hooks| hooks.filters_requests()),
            response_filters,
            loggers: with(|hooks| hooks.is_logger()),
            logs_headers: !with(|hooks| hooks.is_logger() && hooks.reads_response_headers).is_empty(),
            before,
            after,
            cache,
            compresses: route.compression.unwrap_or(config.compression.all_routes),
            split: (route.split.as_ref()).map(|split| Box::new(Split::new(split, config, &route.name, metrics))),
            mirror: route.mirror.as_ref().map(|mirror| Box::new(Mirror::new(mirror, &route.name, metrics))),
            names_request_later: route.response.as_ref().is_some_and(|mapping| mapping.names_request()),
            reserved: (route.upstream_headers.iter().map(|(name, _)| name.clone()))
                .chain(route.mirror.is_some().then_some(mirror::HEADER))
                .collect(),
            requests: metrics.route(&route.name),
        }
    }
}

/// Loads everything that a configuration names, as starting would, and lets go of it again.
pub fn check(config: Config) -> Result<(), Problems> {
    Snapshot::load(config, None, &Metrics::default(), &Clock::default()).map(drop)
}
