//! Gatehouse: a programmable API gateway. Every request goes through a chain of sandboxed WebAssembly plugins and then
//! to its upstream.
//!
//! The library is what the binary is made of; its public part is what the tests drive. ARCHITECTURE.md has the map.

pub mod admin;
pub mod clock;
pub mod config;
pub mod diff;
mod errors;
pub mod exchange;
pub mod failure;
#[doc(hidden)]
pub mod fuzz;
pub mod import;
pub mod logs;
#[doc(hidden)]
pub mod measure;
pub mod metrics;
pub mod path;
pub mod server;
pub mod trial;
pub mod watch;

mod access;
mod answer;
mod body;
mod cache;
mod calendar;
mod chain;
mod clients;
mod compress;
mod concurrency;
mod connection;
mod cors;
mod deadline;
mod descriptors;
mod edge;
mod file;
mod flight;
mod gateway;
mod limits;
mod lines;
mod lock;
mod mapping;
mod mirror;
mod openapi;
pub mod overload;
mod panics;
mod patience;
mod plugin;
mod query;
mod quota;
mod ratelimit;
mod redis;
mod reply;
mod route;
mod snapshot;
mod split;
mod state;
mod template;
mod tls;
mod upstream;
mod usage;
mod validation;
mod verdict;
mod websocket;
mod worker;

pub use plugin::{Inspection, inspect};
#[doc(hidden)]
pub use plugin::{compiler, read_debug_info};
pub use server::Server;
pub use snapshot::check;
