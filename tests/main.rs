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
mod caching;
mod compiler;
mod compression;
mod concurrency;
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
mod http2;
mod inspect;
mod kit;
mod lifecycle;
mod limits;
mod mapping;
mod mirror;
mod openapi;
mod operators;
mod overload;
mod plugins;
mod quotas;
mod ratelimits;
mod redis;
mod resolving;
mod routing;
mod split;
mod stages;
mod streaming;
mod tls;
mod upstreams;
mod usage;
mod validation;
mod websocket;
