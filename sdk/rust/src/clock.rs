//! The time. `std::time::SystemTime::now` panics in a component without WASI: use this.

use std::time::Duration;

#[cfg(target_arch = "wasm32")]
use crate::bindings::wasi::clocks::wall_clock;
#[cfg(not(target_arch = "wasm32"))]
use crate::test::imports::wall_clock;

/// Since 1970-01-01T00:00:00Z. A verdict that used it is kept only if it says for how long (`max_age`).
pub fn now() -> Duration {
    let now = wall_clock::now();
    Duration::new(now.seconds, now.nanoseconds)
}
