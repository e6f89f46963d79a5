//! Write a plugin for the Gatehouse API gateway in Rust.
//!
//! A plugin is a type that implements one or more hooks and is named by [`export!`]:
//!
//! ```
//! use gatehouse_plugin::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Gate { key: String }
//!
//! impl Authorizer for Gate {
//!     fn authorize(&self, request: &Request) -> Result<Verdict> {
//!         let key = request.header("x-key").unwrap_or_default();
//!         if same_secret(&key, &self.key) { Verdict::allow("alice").into() } else { Verdict::deny(403).into() }
//!     }
//! }
//!
//! export!(Gate: authorizer);
//! ```
//!
//! Its fields are its configuration: what the operator writes under `[plugins.NAME.config]`. A plugin that makes something
//! of its configuration first, or checks it, implements [`Plugin`].
//!
//! Built for `wasm32-unknown-unknown` or `wasm32-wasip2` it becomes a component. Built natively, all reads go to the
//! doubles of [`test`], so `cargo test` tests the plugin's logic without a gateway.
//!
//! A component asks for what its code calls, no more: [`http`] for the grant `http`, [`keyvalue`] for `keyvalue`,
//! [`output`] for `output`.
//!
//! The SDK brings the global allocator, which a plugin with one of its own switches off with `default-features = false`.

#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod allocator;
#[doc(hidden)]
pub mod bindings;
pub mod clock;
mod edit;
mod error;
#[doc(hidden)]
pub mod export;
pub mod http;
pub mod keyvalue;
pub mod log;
mod outcome;
pub mod output;
mod plugin;
pub mod random;
mod request;
mod response;
mod secret;
mod source;
#[cfg(not(target_arch = "wasm32"))]
pub mod test;
mod verdict;

pub use bindings::gatehouse::plugin::types::{Attribute, Header, HeaderEdit, Reply};
pub use edit::{
    ChunkAction, RequestAction, RequestBodyAction, RequestBodyEdit, RequestEdit, ResponseAction, ResponseBodyAction,
    ResponseBodyEdit, ResponseEdit, quoted,
};
pub use error::{Error, Result};
pub use outcome::Outcome;
pub use plugin::{
    Authorizer, Logger, NoConfig, Plugin, RequestBodyFilter, RequestChunkFilter, RequestFilter, ResponseBodyFilter,
    ResponseChunkFilter, ResponseFilter,
};
pub use request::Request;
pub use response::Response;
pub use secret::same_secret;
pub use serde_json;
pub use source::Source;
pub use verdict::{Denial, Grant, Verdict};

/// What nearly every plugin uses.
pub mod prelude {
    pub use crate::{
        Authorizer, ChunkAction, Denial, Error, Grant, Header, HeaderEdit, Logger, NoConfig, Outcome, Plugin, Reply,
        Request, RequestAction, RequestBodyAction, RequestBodyEdit, RequestBodyFilter, RequestChunkFilter, RequestEdit,
        RequestFilter, Response, ResponseAction, ResponseBodyAction, ResponseBodyEdit, ResponseBodyFilter,
        ResponseChunkFilter, ResponseEdit, ResponseFilter, Result, Verdict, debug, error, export, info, same_secret,
        trace, warn,
    };
    pub use serde::Deserialize;
    pub use serde_json::json;
}
