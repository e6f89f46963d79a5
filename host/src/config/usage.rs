//! Quotas, usage plans and the API keys that they are for; concurrency limits.

use std::{path::PathBuf, time::Duration};

use http::HeaderName;

use super::{Part, Template};

/// `[quotas.NAME]`: so many requests in a period of the calendar, for each value of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Its name.
    pub name: String,
    /// `requests`: in one period.
    pub requests: u64,
    /// `per` and `offset`: when a period begins.
    pub calendar: Calendar,
    /// What is counted apart; default: all together. A request that lacks a part of it is counted together with all that do.
    pub key: Option<Template>,
    /// Counts kept; default 100,000. Beyond it, those used least are forgotten, and begin again.
    pub entries: u64,
    /// Where they are kept.
    pub store: Store,
}

/// When a period begins, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// How long it is.
    pub per: Period,
    /// `offset`: so many days later than at Sunday or at the first of the month; default 0. AWS: `offset`.
    pub offset: u8,
}

/// How long a period of a quota is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// Seven days.
    Week,
    /// As long as the calendar has it.
    Month,
}

/// Where the state of a limit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In this process.
    Memory,
    /// In the Redis of that name, for all gateways that have the same limit.
    Redis(String),
}

/// A rate and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many requests ...
    pub requests: u32,
    /// ... in this time.
    pub per: Duration,
    /// Requests that may come at once; default `requests`.
    pub burst: u32,
}

/// `[usage_plans.NAME]`: what each of its API keys may use. AWS: a usage plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePlan {
    /// Its name.
    pub name: String,
    /// `rate` and `burst`, on all routes together; default: no limit.
    pub rate: Option<Rate>,
    /// `quota`, on all routes together; default: no limit.
    pub quota: Option<PlanQuota>,
    /// `routes`: the names of those that its keys may use; default: all that ask for a key.
    pub routes: Option<Vec<String>>,
    /// `route_rates`: rates for routes, by their names; they hold there instead of `rate`.
    pub route_rates: Vec<(String, Rate)>,
    /// `keys_file`: a file with further keys, `NAME SHA256` a line.
    pub keys_file: Option<PathBuf>,
    /// Where it is counted.
    pub store: Store,
}

/// The quota of a usage plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanQuota {
    /// In one period.
    pub requests: u64,
    /// When a period begins.
    pub calendar: Calendar,
}

/// `[api_keys.NAME]`: who may use what a plan gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name; nothing secret.
    pub name: String,
    /// What it is known by.
    pub secret: KeySecret,
    /// Index into [`super::Config::usage_plans`].
    pub plan: usize,
    /// Whether it may be used; default true.
    pub enabled: bool,
}

/// What an API key is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySecret {
    /// `sha256`: the digest of its value.
    Digest([u8; 32]),
    /// `value_file`: a file that has its value.
    File(PathBuf),
    /// `value_env`: the environment variable that has its value.
    Variable(String),
}

/// `api_key` of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteKey {
    /// What tells which key a request has.
    pub source: KeySource,
    /// Whether plugins and the upstream see the header; default false.
    pub forward: bool,
}

/// What tells which API key a request has. AWS: `apiKeySource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A header has its value; default `x-api-key`.
    Header(HeaderName),
    /// An attribute that an authorizer has set has its name (AWS: `usageIdentifierKey` is its value).
    Attribute(String),
}

/// `[concurrency_limits.NAME]`: so many exchanges at the same time, for each value of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcurrencyLimit {
    /// Its name.
    pub name: String,
    /// `max`: exchanges under way.
    pub max: u32,
    /// What is counted apart; default: all together.
    pub key: Option<Template>,
}

/// Whether only a step after the limits by client tells what a key names: an authorizer, or the API key.
pub(crate) fn is_known_later(key: Option<&Template>) -> bool {
    let later = |name: &str| ["auth.", "api_key.", "usage_plan."].iter().any(|prefix| name.starts_with(prefix));
    let parts = key.iter().flat_map(|key| &key.parts);
    parts.into_iter().any(|part| matches!(part, Part::Attribute(name) if later(name)))
}
