//! When the gateway has too much to do.

use std::time::Duration;

/// `[overload]`: beyond any of these, new requests are answered 503 with `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overload {
    /// Exchanges under way, over all workers; default no limit.
    pub max_requests: Option<usize>,
    /// How long what is ready has waited for its turn, for half a second without a break; default 2 s; zero: it does not
    /// matter.
    pub max_delay: Duration,
    /// Memory of the process, in bytes, without what belongs to files; default no limit.
    pub max_memory: Option<u64>,
    /// What `Retry-After` says; whole seconds, default 1.
    pub retry_after: Duration,
}

/// What becomes of a route's requests then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// They are refused.
    Normal,
    /// They are served.
    Critical,
}
