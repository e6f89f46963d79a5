//! What is kept stands in place of an error for as long as that is said.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{counting, gateway, get, told};
use crate::support::{
    RawUpstream,
    raw::{ask, get as request},
};

const STALE: &str = "fwd=stale; detail=stale-if-error";

#[tokio::test]
async fn an_error_is_answered_by_what_was_fresh_a_while_ago() {
    let upstream = counting();
    let gateway = gateway("ttl = \"60s\"\nstale_if_error = \"100s\"", &upstream);
    get(&gateway, "/a", "").await;
    for status in [500, 502, 503, 504] {
        gateway.pass(61);
        get(&gateway, "/a", "").await;
        gateway.pass(100);
        let reply = get(&gateway, "/a", &format!(":status={status}")).await;
        assert_eq!((reply.status, told(&reply).2, reply.header("age")), (200, STALE, Some("100")), "{status}");
    }
    // What is no outage is an answer.
    assert_eq!(get(&gateway, "/a", ":status=501").await.status, 501);
    assert_eq!(get(&gateway, "/a", ":status=404").await.status, 404);
    assert_eq!(gateway.metric("gatehouse_cache_requests_total{cache=\"c\",result=\"stale\"}"), 4);
}

#[tokio::test]
async fn that_ends_when_its_time_is_over_and_an_answer_that_says_so_is_never_served_stale() {
    let upstream = counting();
    let gateway = gateway("stale_if_error = \"100s\"", &upstream);
    for (path, answer, stale) in [
        ("/a", "max-age=60", 100),
        ("/b", "max-age=60, stale-if-error=10", 10),
        ("/c", "max-age=60, must-revalidate", 0),
        ("/d", "s-maxage=60", 0),
    ] {
        get(&gateway, path, &format!("etag=\"x\"|cache-control={answer}")).await;
        gateway.pass(60 + stale - 1);
        let expected = if stale == 0 { "hit; ttl=1" } else { STALE };
        assert_eq!(told(&get(&gateway, path, ":status=503").await).2, expected, "{answer}");
        gateway.pass(1);
        assert_eq!(get(&gateway, path, ":status=503").await.status, 503, "{answer}");
    }
}

#[test]
fn an_upstream_that_gives_no_answer_is_an_error_too() {
    let dead = Arc::new(AtomicBool::new(false));
    let is_dead = dead.clone();
    let upstream = RawUpstream::start(move |raw| {
        while raw.request().is_some() && !is_dead.load(Ordering::Relaxed) {
            raw.send(crate::support::raw::ok("hello"));
        }
    });
    let gateway = gateway("ttl = \"60s\"\nstale_if_error = \"100s\"", &upstream);
    assert_eq!(ask(gateway.address(), request("/a", "")).text(), "hello");
    dead.store(true, Ordering::Relaxed);
    gateway.pass(61);
    let stale = ask(gateway.address(), request("/a", ""));
    assert_eq!((stale.status(), stale.text()), (200, "hello"));
    assert_eq!(gateway.metric("gatehouse_failures_total{code=\"upstream_broken\"}"), 0);
    assert_eq!(ask(gateway.address(), request("/b", "")).status(), 502);
    gateway.pass(100);
    assert_eq!(ask(gateway.address(), request("/a", "")).status(), 502);
}
