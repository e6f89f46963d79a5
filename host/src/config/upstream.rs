//! Upstreams: where their endpoints are, which of them a request goes to, and when it goes to another.

use std::time::Duration;

use http::StatusCode;

use super::{Identity, Template, UpstreamTls};

/// `[upstreams.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// `url`, or `endpoints`: one at least.
    pub endpoints: Vec<Endpoint>,
    /// What is spoken to them; default HTTP/1.1.
    pub protocol: Protocol,
    /// Which endpoint a request goes to; default in turn.
    pub balance: Balance,
    /// Where the URLs are of `https`.
    pub tls: Option<UpstreamTls>,
    /// Default 1 s; beyond: 504.
    pub connect_timeout: Duration,
    /// From the sent request to the response's header section; default 30 s (AWS: 29 s); beyond: 504.
    pub first_byte_timeout: Duration,
    /// Without a byte of a response body; default 30 s; then the message to the client is broken off.
    pub idle_timeout: Duration,
    /// How long an unused connection is kept; default 50 s.
    pub keepalive_timeout: Duration,
    /// How old the addresses of a name may become; default 10 s.
    pub resolve_interval: Duration,
    /// Unused connections kept per worker and endpoint; default 128.
    pub max_idle: usize,
    /// Requests under way at the same time, of all workers; default no limit.
    pub max_requests: Option<usize>,
    /// Requests that may wait for one to end, no longer than `connect_timeout`; default none. Beyond: 503.
    pub max_pending: usize,
    /// When a request is sent again.
    pub retries: Retries,
    /// When an endpoint gets no requests for a while.
    pub ejection: Ejection,
    /// How endpoints are looked at, beside requests; default not at all.
    pub health_check: Option<HealthCheck>,
}

/// `protocol`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 and nothing else: with prior knowledge, or chosen by ALPN where the URLs are of `https`.
    Http2,
}

/// One of `endpoints`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address, from `url`; an IPv6 address without brackets.
    pub host: String,
    /// Port, from `url`.
    pub port: u16,
    /// Its part of the requests is this to the sum of all; default 1.
    pub weight: u32,
}

/// `balance`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// Each in turn.
    RoundRobin,
    /// Of two chosen at random the one with fewer requests under way.
    LeastRequest,
    /// The same for the same key, for as long as it is there (rendezvous hashing).
    Hash(HashKey),
}

/// `hash_key`. A request without it goes to the endpoint whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HashKey {
    /// `"header:NAME"`, `"query:NAME"`, `"cookie:NAME"`.
    Field(Identity),
    /// `"${request.client-ip}"`, `"${auth.principal}"` and so on.
    Template(Template),
}

/// `retries`: a request is sent again only where that is safe, to an endpoint that it was not sent to yet if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retries {
    /// How often at most; default once if there are several endpoints, else never.
    pub attempts: u32,
    /// Statuses that are as good as no answer, for requests that may be repeated; default none.
    pub statuses: Vec<StatusCode>,
}

/// `ejection`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ejection {
    /// Failures in a row: no answer, or 502, 503, 504; default 5; 0: never.
    pub failures: u32,
    /// For how long the first time; twice as long the second time in a row, and so on, up to ten times; default 30 s.
    pub time: Duration,
}

/// `health_check`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked for, with `GET`; 200 to 399 is well. Default: that a connection can be had is enough.
    pub path: Option<String>,
    /// Between two checks; default 5 s.
    pub interval: Duration,
    /// For all of a check; default 1 s.
    pub timeout: Duration,
    /// Checks in a row until an endpoint is well again; default 2.
    pub healthy: u32,
    /// Checks in a row until it is not; default 3. The first check of all counts at once.
    pub unhealthy: u32,
}
