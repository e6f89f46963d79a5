//! What a WebSocket may be.

use std::time::Duration;

/// `[routes.NAME.websocket]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebSocket {
    /// Without a byte in either direction; default 10 min (AWS: 10 min). Then it is closed.
    pub idle_timeout: Duration,
    /// From its begin; default 2 h (AWS: 2 h). Then it is closed.
    pub max_time: Duration,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self { idle_timeout: Duration::from_mins(10), max_time: Duration::from_hours(2) }
    }
}
