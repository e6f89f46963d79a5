//! The integration tests: real sockets, a real upstream, real components. Guests are built by `cargo xtask guests`.

#![allow(clippy::unwrap_used)]

mod support;
mod trial;

mod answers;
mod authorize;
mod balancing;
mod bodies;
mod budget;
mod cache;
mod compiler;
mod config;
mod conformance;
mod corpus;
mod cors;
mod dev;
mod diff;
mod edge;
mod errors;
mod faults;
mod fuzz;
mod grants;
mod hotload;
mod inspect;
mod kit;
mod lifecycle;
mod limits;
mod openapi;
mod operators;
mod plugins;
mod ratelimits;
mod routing;
mod stages;
mod streaming;
mod tls;
mod upstreams;
mod validation;
mod websocket;
