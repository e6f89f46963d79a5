//! What has become of an exchange.

use std::time::Duration;

#[cfg(target_arch = "wasm32")]
use crate::bindings::gatehouse::plugin::outcome;
#[cfg(not(target_arch = "wasm32"))]
use crate::test::imports::outcome;

/// What has become of the exchange. It holds nothing: each method asks the gateway.
#[derive(Debug)]
pub struct Outcome(pub(crate) ());

impl Outcome {
    /// When the request's header section had arrived, since 1970-01-01T00:00:00Z.
    pub fn started(&self) -> Duration {
        Duration::from_millis(outcome::started())
    }

    /// From then until the last byte of the answer was handed to the connection.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(outcome::duration())
    }

    /// From handing the request to the upstream until its header section came back. None when the upstream was not
    /// asked or did not answer.
    pub fn upstream_duration(&self) -> Option<Duration> {
        outcome::upstream_duration().map(Duration::from_micros)
    }

    /// Bytes of the request's body that were read from the client.
    pub fn request_bytes(&self) -> u64 {
        outcome::request_bytes()
    }

    /// Bytes of the response's body that were handed to the connection.
    pub fn response_bytes(&self) -> u64 {
        outcome::response_bytes()
    }

    /// `allow`, `deny`, or none when the route has no authorizer or it was not reached.
    pub fn verdict(&self) -> Option<String> {
        outcome::verdict()
    }

    /// Whether every verdict came from the cache.
    pub fn verdict_cached(&self) -> bool {
        outcome::verdict_cached()
    }

    /// The code of the failure that ended the exchange. None when all went well.
    pub fn failure(&self) -> Option<String> {
        outcome::failure()
    }
}
