//! What the tests are made of: a gateway in this process or in one of its own, an upstream that remembers, a client.

mod client;
pub(crate) mod faulty;
mod gateway;
mod held;
mod http2;
mod process;
pub(crate) mod raw;
mod redis;
pub(crate) mod streams;
pub(crate) mod tls;
mod upstream;

pub(crate) use client::{Call, Reply};
pub(crate) use faulty::Faulty;
pub(crate) use gateway::Gateway;
pub(crate) use held::Held;
pub(crate) use http2::Http2;
pub(crate) use process::{Process, Start};
pub(crate) use raw::{Raw, RawUpstream};
pub(crate) use redis::Redis;
pub(crate) use upstream::Upstream;

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// The component of a guest, by the name of its package.
pub(crate) fn guest(name: &str) -> PathBuf {
    let folder = std::env::var_os("GATEHOUSE_GUESTS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/guests")), PathBuf::from);
    let file = folder.join(format!("{name}.wasm"));
    assert!(file.exists(), "{} is missing: `cargo xtask guests` builds it", file.display());
    file.canonicalize().unwrap()
}

/// Waits for what nobody tells of; it fails when it has not come by then.
pub(crate) fn until(most: Duration, is: impl Fn() -> bool) {
    let end = Instant::now() + most;
    while !is() {
        assert!(Instant::now() < end, "it has not come for {most:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Fills a configuration in: `{guests}` is the folder of the components, `{upstream}` the address of an upstream. What
/// every test needs (a listener on a free port, one worker) is added unless it is there.
pub(crate) fn configuration(text: &str, upstream: Option<&Upstream>) -> String {
    let guests = guest("probe").parent().unwrap().display().to_string();
    let upstream = upstream.map_or_else(|| "127.0.0.1:1".to_owned(), |upstream| upstream.address().to_string());
    let mut text = text.replace("{guests}", &guests).replace("{upstream}", &upstream);
    if !text.contains("[server]") {
        text += "\n[server]\nworkers = 1\ndrain_timeout = \"1s\"\n";
    }
    if !text.contains("[listeners.") {
        text += "\n[listeners.main]\naddress = \"127.0.0.1:0\"\n";
    }
    if !text.contains("[upstreams.") {
        text += &format!("\n[upstreams.up]\nurl = \"http://{upstream}\"\n");
    }
    text
}
