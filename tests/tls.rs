//! TLS, of clients and to upstreams.

mod listener;
mod upstream;
