//! What a plugin is, may and has.

use std::{path::PathBuf, time::Duration};

use http::HeaderName;

/// `[plugins.NAME]`
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// The component's file.
    pub component: PathBuf,
    /// The folder that it is built from, for `gatehouse dev`; by default the component's own.
    pub source: Option<PathBuf>,
    /// `[plugins.NAME.config]` as JSON; an empty object when absent.
    pub config: serde_json::Value,
    /// What it may reach.
    pub grants: Grants,
    /// What it may use.
    pub limits: PluginLimits,
    /// What a failing filter does; default `deny`. None when the key is absent.
    pub on_failure: OnFailure,
    /// Default `reuse`.
    pub isolation: Isolation,
    /// Its verdict cache; matters for authorizers only.
    pub cache: VerdictCache,
}

/// What a filter's failure does to its exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The exchange is refused.
    Deny,
    /// It goes on as if the filter had left everything unchanged.
    Skip,
}

/// How long an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// It serves many requests, one after the other.
    Reuse,
    /// Each request gets a fresh one.
    Request,
}

/// `[plugins.NAME.grants]`: what the operator lets a plugin reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Origins that it may send requests to.
    pub http: Vec<Origin>,
    /// Whether names in `http` may resolve to loopback, private and link-local addresses; default false. An address
    /// written out in `http` is always allowed.
    pub http_private: bool,
    /// `wasi:keyvalue`, in memory, shared by the instances of this plugin; default false.
    pub keyvalue: bool,
    /// Where lines of `output` go.
    pub output: Option<Output>,
}

/// `https://issuer.example`, `http://127.0.0.1:9000`, `https://*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `https` rather than `http`.
    pub https: bool,
    /// Lower-case host name or address; `*.` in front stands for one or more labels.
    pub host: String,
    /// From the origin, or the scheme's own.
    pub port: u16,
}

/// Where a plugin's lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Standard output of the gateway.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
}

/// `[plugins.NAME.limits]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLimits {
    /// CPU time of one hook; default 10 ms (at least 1 ms).
    pub cpu: Duration,
    /// CPU time of creating an instance, `init` included; default 1 s.
    pub init: Duration,
    /// Wall time of one hook, waiting for host calls included; default 1 s. AWS lets an authorizer run 10 s.
    pub time: Duration,
    /// All linear memories of an instance; default 64 MiB (at most 256 MiB).
    pub memory: usize,
    /// A body that a body hook gets; default 1 MiB.
    pub body: u64,
    /// Instances at the same time, over all workers; default 100.
    pub instances: usize,
    /// Requests that an instance serves before it is replaced; default 1,000,000.
    pub uses: u64,
    /// Host calls in one hook; default 10,000.
    pub host_calls: u32,
    /// Bytes that it hands to the host in the host calls of one hook (names, lines, keys, values); default 8 MiB.
    pub host_bytes: usize,
    /// Resources of the host that an instance holds; default 1024.
    pub handles: usize,
    /// Elements of all tables of an instance; default 20,000, which is also the most of one table.
    pub table_elements: usize,
    /// Requests it may send in one hook; default 8.
    pub http_calls: u32,
    /// Bytes of key-value state, keys and values; default 1 MiB.
    pub keyvalue_bytes: usize,
    /// Lines per second to the log, and as many to `output` times 100; default 100.
    pub log_lines: u32,
}

/// `[plugins.NAME.cache]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictCache {
    /// How long an `allow` without a hint holds; default 300 s, 0 to 3600 s as in AWS; 0 turns the cache off.
    pub ttl: Duration,
    /// The most that a hint gets; default 3600 s.
    pub max_ttl: Duration,
    /// How long a denial without a hint holds, and the most that its hint gets; default 60 s; 0: never kept.
    pub denial_ttl: Duration,
    /// Verdicts kept; default 10,000.
    pub entries: u64,
    /// Identity sources: each must be present and not empty, else 401 without calling the plugin.
    pub identity: Vec<Identity>,
}

/// `"header:authorization"`, `"query:key"`, `"cookie:sid"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A request header.
    Header(HeaderName),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}
