//! Clients that go on asking while something else happens.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::support::{
    Raw,
    raw::{DEADLINE, get},
    until,
};

/// Tells clients to stop when it is dropped, by a test that has failed, too: they would be waited for.
pub(super) struct Stops<'a>(pub(super) &'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks on one connection until it is told to stop; each time it is answered well.
pub(super) fn keep_asking(address: SocketAddr, path: &str, stop: &AtomicBool, served: &AtomicUsize) {
    let mut client = Raw::connect(address);
    while !stop.load(Ordering::Relaxed) {
        let answer = client.send(get(path, "")).response();
        assert_eq!((answer.status(), answer.text(), answer.header("x-a")), (200, "hello", Some("1")));
        served.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until requests that were sent after now have been served, too.
pub(super) fn meets_more_requests(served: &AtomicUsize) {
    let before = served.load(Ordering::Relaxed);
    until(DEADLINE, || served.load(Ordering::Relaxed) >= before + 10);
}
