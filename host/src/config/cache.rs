//! Which answers are kept, for how long, and what tells them apart.

use std::time::Duration;

use super::{HashKey, Identity, Part};

/// `[caches.NAME]`: answers of upstreams, kept in memory and shared by all workers (RFC 9111).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Its name.
    pub name: String,
    /// All of its answers together; default 64 MiB.
    pub bytes: u64,
    /// The largest body that is kept; default 1 MiB (AWS: 1 MiB).
    pub entry_bytes: u64,
    /// How long one request waits for what another is fetching; default 2 s, 0: not at all.
    pub collapse: Duration,
    /// What holds for routes that do not say otherwise.
    pub rules: CacheRules,
}

/// What is kept, and who shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRules {
    /// How long an answer is fresh that does not say so itself; default: such an answer is not kept.
    pub ttl: Option<Duration>,
    /// Whether `ttl` stands in place of what an answer says; default false.
    pub ttl_overrides: bool,
    /// The longest that any answer is fresh; default 1 h (AWS: 1 h).
    pub max_ttl: Duration,
    /// How long a 404 or 410 is fresh; default: it is not kept.
    pub negative_ttl: Option<Duration>,
    /// For how long after it was fresh an answer serves in place of an error, where it does not say so itself; default 0.
    pub stale_if_error: Duration,
    /// What tells answers apart beside method, host and path.
    pub key: Vec<HashKey>,
    /// The query parameters that do, and that the upstream gets; default: all of the query.
    pub query: Option<Vec<String>>,
    /// Whether an answer is for everybody, whoever has asked for it; default false.
    pub shared: bool,
    /// Whether `Cache-Control` of a request is heard; default false.
    pub client_control: bool,
}

/// `[routes.NAME.cache]`: a cache, and what of its rules is another for this route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteCache {
    /// Index into [`Config::caches`](super::Config::caches).
    pub cache: usize,
    /// Instead of the cache's.
    pub rules: RouteRules,
}

/// Rules that a route may have of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteRules {
    /// `ttl`
    pub ttl: Option<Duration>,
    /// `ttl_overrides`
    pub ttl_overrides: Option<bool>,
    /// `max_ttl`
    pub max_ttl: Option<Duration>,
    /// `negative_ttl`
    pub negative_ttl: Option<Duration>,
    /// `stale_if_error`
    pub stale_if_error: Option<Duration>,
    /// `key`
    pub key: Option<Vec<HashKey>>,
    /// `query`
    pub query: Option<Vec<String>>,
    /// `shared`
    pub shared: Option<bool>,
    /// `client_control`
    pub client_control: Option<bool>,
}

impl CacheRules {
    /// With what a route says otherwise.
    pub(crate) fn with(&self, own: &RouteRules) -> Self {
        Self {
            ttl: own.ttl.or(self.ttl),
            ttl_overrides: own.ttl_overrides.unwrap_or(self.ttl_overrides),
            max_ttl: own.max_ttl.unwrap_or(self.max_ttl),
            negative_ttl: own.negative_ttl.or(self.negative_ttl),
            stale_if_error: own.stale_if_error.unwrap_or(self.stale_if_error),
            key: own.key.clone().unwrap_or_else(|| self.key.clone()),
            query: own.query.clone().or_else(|| self.query.clone()),
            shared: own.shared.unwrap_or(self.shared),
            client_control: own.client_control.unwrap_or(self.client_control),
        }
    }

    /// Whether what an authorizer has granted tells answers apart.
    pub(crate) fn is_by_caller(&self) -> bool {
        self.parts().any(|part| matches!(part, Part::Attribute(name) if name.starts_with("auth.")))
    }

    /// Whether the key names a part of a text.
    pub(crate) fn names(&self, part: &Part) -> bool {
        self.parts().any(|named| named == part)
    }

    /// Whether a field of requests tells answers apart.
    pub(crate) fn is_by(&self, field: impl Fn(&Identity) -> bool) -> bool {
        self.key.iter().any(|key| matches!(key, HashKey::Field(identity) if field(identity)))
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.key.iter().flat_map(|key| match key {
            HashKey::Template(template) => &template.parts[..],
            HashKey::Field(_) => &[],
        })
    }
}

impl Default for CacheRules {
    fn default() -> Self {
        Self {
            ttl: None,
            ttl_overrides: false,
            max_ttl: Duration::from_hours(1),
            negative_ttl: None,
            stale_if_error: Duration::ZERO,
            key: Vec::new(),
            query: None,
            shared: false,
            client_control: false,
        }
    }
}
