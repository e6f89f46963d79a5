//! Doubles of the gateway, to test a plugin with plain `cargo test`.
//!
//! ```
//! # use gatehouse_plugin::prelude::*;
//! # #[derive(Deserialize)]
//! # struct Gate { key: String }
//! # impl Authorizer for Gate {
//! #     fn authorize(&self, request: &Request) -> Result<Verdict> {
//! #         let key = request.header("x-key").unwrap_or_default();
//! #         if same_secret(&key, &self.key) { Verdict::allow("alice").into() } else { Verdict::deny(403).into() }
//! #     }
//! # }
//! use gatehouse_plugin::test::{Exchange, start};
//!
//! # fn main() -> Result<()> {
//! let gate: Gate = start(json!({ "key": "k1" }))?;
//! let exchange = Exchange::get("/pets/1").header("x-key", "k1");
//! assert_eq!(exchange.authorize(&gate)?, Verdict::allow("alice").into());
//! assert_eq!(exchange.reads(), ["header:x-key"]);
//! # Ok(())
//! # }
//! ```

mod exchange;
mod gateway;
#[doc(hidden)]
pub mod imports;

pub use exchange::Exchange;
pub use gateway::Gateway;

use crate::{Plugin, Result};

/// Makes a plugin of its configuration, as the gateway does. A plugin that asks for the time or sends requests at its
/// start needs [`Gateway::start`].
pub fn start<P: Plugin>(config: serde_json::Value) -> Result<P> {
    Gateway::new().start(config)
}
