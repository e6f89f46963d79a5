//! Routes whose requests go to several upstreams, and copies of requests.

use std::time::Duration;

use http::HeaderName;

use super::HashKey;

/// `upstream = { NAME = WEIGHT, ... }` of a route, and `[routes.NAME.split]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Indices into [`Config::upstreams`](super::Config::upstreams) with weights, one of them at least not 0.
    pub upstreams: Vec<(usize, u32)>,
    /// What makes requests go to the same one; default chance.
    pub sticky: Sticky,
    /// A header whose value may name one of them; default none.
    pub header: Option<HeaderName>,
}

/// What makes requests go to the same upstream of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sticky {
    /// Nothing.
    #[default]
    No,
    /// What a request has.
    Key(HashKey),
    /// A cookie of the gateway's own.
    Cookie {
        /// Its name.
        name: String,
        /// How long it is kept; default: until the browser ends.
        max_age: Option<Duration>,
    },
}

/// `[routes.NAME.mirror]`: copies of requests, whose answers nobody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Where they go: index into [`Config::upstreams`](super::Config::upstreams).
    pub upstream: usize,
    /// Of so many requests of a million; default all.
    pub per_million: u32,
    /// A request with a longer body is not copied; default 64 KiB.
    pub body_bytes: u64,
    /// Copies under way at the same time, of all workers; default 100. More are dropped.
    pub max_requests: usize,
    /// What copies do not have of the requests; default nothing.
    pub remove_headers: Vec<HeaderName>,
}
