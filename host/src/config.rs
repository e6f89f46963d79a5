//! The configuration: read from TOML into checked types that cannot be wrong.
//!
//! `Config::load` reports *all* problems at once, each with its position. Nothing here opens a component or a socket:
//! what only loading can tell (a missing export, a configuration the plugin refuses) is added by the loader as
//! further [`Problem`]s, positioned with [`Source::locate`].

mod cache;
mod compression;
mod cors;
mod error;
pub(crate) mod fuzz;
mod mapping;
mod overload;
mod plugin;
mod problem;
mod read;
mod redis;
mod split;
mod target;
mod template;
mod timeouts;
mod tls;
mod upstream;
mod usage;
mod validator;
mod value;
mod websocket;

pub use cache::{Cache, CacheRules, RouteCache, RouteRules};
pub use compression::{Coding, Compression};
pub use cors::{AllowedOrigin, Cors, Names};
pub use error::{ErrorAnswer, ErrorBody, TextForm};
pub use mapping::{Edits, RequestMapping, ResponseMapping, Statuses};
pub use overload::{Overload, Priority};
pub use plugin::{Grants, Identity, Isolation, OnFailure, Origin, Output, Plugin, PluginLimits, VerdictCache};
pub(crate) use problem::suggestion;
pub use problem::{Problem, Problems, Source};
pub(crate) use read::parse_digest;
pub use redis::{Redis, Secret, WhenAway};
pub use split::{Mirror, Split, Sticky};
pub use target::{Redirect, Respond, Target};
pub use template::{Part, Template};
pub use timeouts::Timeouts;
pub use tls::{CertificateFiles, ClientCertificates, ListenerTls, TlsVersion, UpstreamTls};
pub use upstream::{Balance, Ejection, Endpoint, HashKey, HealthCheck, Protocol, Retries, Upstream};
pub(crate) use usage::is_known_later;
pub use usage::{
    ApiKey, Calendar, ConcurrencyLimit, KeySecret, KeySource, Period, PlanQuota, Quota, Rate, RouteKey, Store,
    UsagePlan,
};
pub use validator::{BodyRule, OpenApi, Validator};
pub use websocket::WebSocket;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use http::{HeaderName, Method};

/// A whole checked configuration. References between its parts are indices into its vectors.
#[derive(Debug, Clone)]
pub struct Config {
    /// The text it was read from.
    pub source: Source,
    /// `[server]`
    pub server: Server,
    /// `[limits]`: what a client may do.
    pub limits: ClientLimits,
    /// `[overload]`: what is refused when there is too much to do.
    pub overload: Overload,
    /// `[log]`
    pub log: Log,
    /// `[admin]`, when it is there: metrics and health on an address of their own.
    pub admin: Option<SocketAddr>,
    /// `[listeners.NAME]`, at least one.
    pub listeners: Vec<Listener>,
    /// `[upstreams.NAME]`
    pub upstreams: Vec<Upstream>,
    /// `[plugins.NAME]`
    pub plugins: Vec<Plugin>,
    /// `[rate_limits.NAME]`
    pub rate_limits: Vec<RateLimit>,
    /// `[redis.NAME]`
    pub redis: Vec<Redis>,
    /// `[quotas.NAME]`
    pub quotas: Vec<Quota>,
    /// `[concurrency_limits.NAME]`
    pub concurrency_limits: Vec<ConcurrencyLimit>,
    /// `[usage_plans.NAME]`
    pub usage_plans: Vec<UsagePlan>,
    /// `[api_keys.NAME]`
    pub api_keys: Vec<ApiKey>,
    /// `[cors.NAME]`
    pub cors: Vec<Cors>,
    /// `[validators.NAME]`
    pub validators: Vec<Validator>,
    /// `[caches.NAME]`
    pub caches: Vec<Cache>,
    /// `[compression]`
    pub compression: Compression,
    /// `[errors.CODE]`
    pub errors: Vec<ErrorAnswer>,
    /// `[routes.NAME]`, at least one.
    pub routes: Vec<Route>,
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to its folder.
    pub fn load(file: &Path) -> Result<Self, Problems> {
        Self::parse(Source::open(file)?)
    }

    /// The same with the variables of a stage.
    pub fn load_stage(file: &Path, stage: Option<&str>) -> Result<Self, Problems> {
        Self::parse(Source::open(file)?.at_stage(stage))
    }

    /// What it says, with the variables of its stage put in, and without values of the environment.
    pub(crate) fn tree(&self) -> serde_json::Value {
        read::tree(&self.source)
    }

    /// The files that it names and that are read when it is loaded: components, certificates, keys, schemas, OpenAPI
    /// documents and API keys.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let listeners = self.listeners.iter().filter_map(|listener| listener.tls.as_ref());
        let upstreams = self.upstreams.iter().filter_map(|upstream| upstream.tls.as_ref());
        let tls = listeners.flat_map(ListenerTls::files).chain(upstreams.flat_map(UpstreamTls::files));
        let schemas = self.validators.iter().filter_map(|validator| validator.body.as_ref());
        let schemas = schemas.map(|body| body.schema.clone());
        let redis = self.redis.iter().filter_map(|redis| redis.ca.clone());
        let keys = self.usage_plans.iter().filter_map(|plan| plan.keys_file.clone());
        let keys = keys.chain(self.api_keys.iter().filter_map(|key| match &key.secret {
            KeySecret::File(file) => Some(file.clone()),
            KeySecret::Digest(_) | KeySecret::Variable(_) => None,
        }));
        let documents = self.validators.iter().filter_map(|validator| validator.openapi.as_ref());
        let documents = documents.map(|openapi| openapi.document.clone());
        let components = self.plugins.iter().map(|plugin| plugin.component.clone());
        components.chain(tls).chain(schemas).chain(documents).chain(keys).chain(redis)
    }

    /// Checks a text already read.
    pub fn parse(source: Source) -> Result<Self, Problems> {
        read::config(source)
    }
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Threads that serve; default: the number of cores.
    pub workers: usize,
    /// How long a stop waits for exchanges under way; default 10 s.
    pub drain_timeout: Duration,
    /// Where compiled code is kept; default `$XDG_CACHE_HOME/gatehouse`, else `~/.cache/gatehouse`.
    pub code_cache: PathBuf,
    /// The folder of what outlives a restart: how quotas stand; default none, and a restart forgets it.
    pub state: Option<PathBuf>,
    /// What compiling a plugin may take.
    pub compile: Compile,
    /// Networks whose `X-Forwarded-*` and `Forwarded` headers are believed; default none.
    pub trusted_proxies: Vec<Network>,
    /// Which headers tell the upstream about the client; default [`Forwarded::XForwarded`].
    pub forwarded: Forwarded,
    /// The pseudonym in `Via` (RFC 9110 section 7.6.3); default `gatehouse`, empty: no `Via`.
    pub via: String,
}

/// What compiling one plugin may take: `server.compile_cpu` and `server.compile_memory`.
#[derive(Debug, Clone, Copy)]
pub struct Compile {
    /// CPU time, whole seconds; default 60 s.
    pub cpu: Duration,
    /// Bytes of memory; default 1 GiB.
    pub memory: u64,
}

/// Which headers tell the upstream about the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarded {
    /// `X-Forwarded-For`, `-Proto`, `-Host`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Rfc7239,
    /// Both.
    Both,
    /// Neither.
    Off,
}

/// An address range such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its first address.
    pub address: IpAddr,
    /// The length of its prefix in bits.
    pub prefix: u8,
}

impl Network {
    /// Whether an address lies in it. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(a)) => {
                let shift = 32 - u32::from(self.prefix);
                u32::from(net).checked_shr(shift).unwrap_or(0) == u32::from(a).checked_shr(shift).unwrap_or(0)
            }
            (IpAddr::V6(net), IpAddr::V6(a)) => {
                let shift = 128 - u32::from(self.prefix);
                u128::from(net).checked_shr(shift).unwrap_or(0) == u128::from(a).checked_shr(shift).unwrap_or(0)
            }
            _ => false,
        }
    }
}

/// `[limits]`: what a client may do. A route may set its own `body_bytes`.
#[derive(Debug, Clone)]
pub struct ClientLimits {
    /// All header fields together, names and values; default 16 KiB; beyond: 431.
    pub header_bytes: usize,
    /// Header fields; default 100; beyond: 431.
    pub header_count: usize,
    /// The request target; default 8 KiB; beyond: 414.
    pub uri_bytes: usize,
    /// A request body; default 10 MiB (AWS: 10 MB); beyond: 413.
    pub body_bytes: u64,
    /// From the first byte of a header section (or the connection's start) to its end; default 10 s; beyond: 408.
    pub header_timeout: Duration,
    /// A connection without a request under way; default 60 s; then it is closed.
    pub idle_timeout: Duration,
    /// Without a byte of a body that is being read; default 30 s; beyond: 408.
    pub body_idle_timeout: Duration,
    /// Bytes a second of a body that is being read; default 240; below it, `body_idle_timeout` runs out; 0: no matter.
    pub body_min_rate: u64,
    /// Without a byte taken of an answer; default 30 s; then its connection is closed, of HTTP/2 its stream.
    pub answer_idle_timeout: Duration,
    /// Bytes a second of an answer; default 240; below it, `answer_idle_timeout` runs out; 0: no matter.
    pub answer_min_rate: u64,
    /// Connections of one client at the same time; default a quarter of all that there may be, and at least 100; more are
    /// closed.
    pub connections_per_client: Option<usize>,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// Default `human`.
    pub format: LogFormat,
    /// A level or a `tracing` filter; default `info`.
    pub level: String,
    /// Whether each exchange gets a line; default true.
    pub access: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// A JSON object a line.
    Json,
}

/// `[listeners.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// Where it listens; port 0 lets the system choose.
    pub address: SocketAddr,
    /// `[listeners.NAME.tls]`, where it speaks TLS.
    pub tls: Option<ListenerTls>,
}

/// `[rate_limits.NAME]`: a token bucket for each value of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Its name.
    pub name: String,
    /// `rate`: so many requests ...
    pub requests: u32,
    /// ... in this time.
    pub per: Duration,
    /// Requests that may come at once, which is the size of a bucket; default `requests`.
    pub burst: u32,
    /// What tells buckets apart; default: there is one for all. A request that lacks a part of it is counted together with
    /// all that do.
    pub key: Option<Template>,
    /// Buckets kept; default 100,000. Beyond it, those used least are forgotten, which makes them full.
    pub entries: u64,
    /// Where they are.
    pub store: Store,
}

impl RateLimit {
    /// For one request to be earned.
    pub(crate) fn interval(&self) -> Duration {
        self.per / self.requests
    }
}

/// `[routes.NAME]`
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// What it matches.
    pub matches: Match,
    /// Indices into [`Config::plugins`], in the order of the chain.
    pub plugins: Vec<usize>,
    /// How several authorizers combine; default `all`.
    pub authorize: Combine,
    /// What becomes of its requests.
    pub target: Target,
    /// Set on the request that goes upstream; of these names, nothing that a client sent passes.
    pub upstream_headers: Vec<(HeaderName, Template)>,
    /// Who may use its answers from another origin: index into [`Config::cors`]; default nobody.
    pub cors: Option<usize>,
    /// What its requests are counted by: indices into [`Config::rate_limits`].
    pub rate_limits: Vec<usize>,
    /// And by these: indices into [`Config::quotas`].
    pub quotas: Vec<usize>,
    /// What holds them back while others are under way: indices into [`Config::concurrency_limits`].
    pub concurrency_limits: Vec<usize>,
    /// Where its requests must have an API key; default not.
    pub api_key: Option<RouteKey>,
    /// What its requests must have: index into [`Config::validators`]; default nothing.
    pub validate: Option<usize>,
    /// Its own limit for request bodies.
    pub body_bytes: Option<u64>,
    /// Its own least rate of request bodies.
    pub body_min_rate: Option<u64>,
    /// Whether its requests are served when there is too much to do; default [`Priority::Normal`].
    pub priority: Priority,
    /// Which answers of its upstream are kept; default none.
    pub cache: Option<RouteCache>,
    /// Whether its answers are compressed; default [`Compression::all_routes`].
    pub compression: Option<bool>,
    /// Where WebSockets may be opened to its upstream; default not.
    pub websocket: Option<WebSocket>,
    /// Its own time-outs.
    pub timeouts: Timeouts,
    /// Where `upstream` names several: the target is the first of them.
    pub split: Option<Box<Split>>,
    /// Where copies of its requests go; default nowhere.
    pub mirror: Option<Box<Mirror>>,
    /// What the upstream gets of its requests instead of what the client sent; default nothing.
    pub request: Option<Box<RequestMapping>>,
    /// What the client gets of the upstream's answers instead of what that sent; default nothing.
    pub response: Option<Box<ResponseMapping>>,
}

/// How several authorizers combine. One that abstains does not count; when all do, the answer is 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// The first that allows decides; when none does, the first denial is the answer.
    Any,
    /// The first that denies decides; all others must allow.
    All,
}

/// What a route matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// A host without its port, lower case; `*.example.com` stands for one or more labels. None: any.
    pub host: Option<String>,
    /// None: any method.
    pub methods: Option<Vec<Method>>,
    /// The path's segments. None: any path (the default route).
    pub path: Option<Vec<Segment>>,
    /// Headers that must have exactly that value; None: must be there.
    pub headers: Vec<(HeaderName, Option<String>)>,
}

/// A segment of a path template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Text that must be equal, in canonical form.
    Literal(String),
    /// `{name}`: any one segment that is not empty.
    Param(String),
    /// `{name+}`: the rest of the path, one segment or more, as in AWS. Last only.
    Greedy(String),
}
