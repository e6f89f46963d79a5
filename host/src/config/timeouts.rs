//! How long an exchange of a route may wait for the next byte.

use std::time::Duration;

/// `[routes.NAME.timeouts]`: for long polling, events and streams that are silent for long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Instead of the upstream's `first_byte_timeout`.
    pub first_byte: Option<Duration>,
    /// Instead of the upstream's `idle_timeout`.
    pub idle: Option<Duration>,
    /// From when the upstream is asked to the last byte of its answer, retries included; default none.
    pub total: Option<Duration>,
    /// Instead of `limits.body_idle_timeout`.
    pub body_idle: Option<Duration>,
}
