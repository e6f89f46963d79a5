//! What the plugins `jwt` and `jwt-remote` share: keys, tokens, claims (RFC 7515 to 7519, 8725).
//!
//! Which algorithms a key may be used with is a property of the key, never of the token. Nothing in a token's header but
//! `alg` and `kid` has an influence.

mod algorithm;
mod claims;
mod config;
mod jwk;
mod key;
mod refusal;
mod rules;
mod token;

pub use config::{Config, SCHEMA};
pub use key::{Key, KeySet};
pub use rules::Rules;

#[cfg(test)]
mod tests;
