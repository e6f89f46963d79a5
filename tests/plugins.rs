//! The shipped plugins as an operator gets them: each test has the real component behind a real gateway.

mod access_log;
mod api_key;
mod basic_auth;
mod jwt;
mod jwt_remote;
mod readme;
mod together;
mod token;
mod transform;

use crate::support::{Gateway, Reply, Upstream};

/// A route for every path with one plugin, `it`; and what more is in the plugin's table and in the route's.
fn with(component: &str, plugin: &str, route: &str) -> String {
    format!(
        "[plugins.it]\ncomponent = \"{{guests}}/{component}.wasm\"\n{plugin}\n\
         [routes.x]\nupstream = \"up\"\nplugins = [\"it\"]\n{route}\n"
    )
}

/// Verdicts from the cache, and verdicts that the plugin was asked for.
fn hits_and_misses(gateway: &Gateway) -> (u64, u64) {
    let count = |what| gateway.metric(&format!("gatehouse_verdict_cache_{what}_total{{plugin=\"it\"}}"));
    (count("hits"), count("misses"))
}

/// What is wrong with a configuration.
fn problem(text: &str) -> String {
    Gateway::try_start(text, &Upstream::start()).err().expect("a problem")
}

/// A failure of the plugin, of which the client learns no more than that.
fn assert_failed(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.json()["code"].as_str()), (status, Some(code)));
}
