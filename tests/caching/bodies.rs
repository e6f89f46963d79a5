//! A body passes as it comes, and is kept only if it was whole and is not too large.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use super::{MISS, counting, gateway, told};
use crate::support::{
    Gateway, Raw, RawUpstream, Upstream,
    raw::{DEADLINE, ask, get as request},
    until,
};

const FRESH: &str = "cache-control: max-age=60\r\n";

fn stores(gateway: &Gateway) -> u64 {
    gateway.metric("gatehouse_cache_stores_total{cache=\"c\"}")
}

#[test]
fn a_client_gets_each_piece_at_once_and_the_next_client_all_of_it() {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let upstream = RawUpstream::start(move |raw| {
        while raw.request().is_some() {
            raw.send(format!("HTTP/1.1 200 OK\r\n{FRESH}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"));
            gate.lock().unwrap().recv().unwrap();
            raw.send("6\r\n world\r\n0\r\n\r\n");
        }
    });
    let gateway = gateway("", &upstream);
    let mut raw = Raw::connect(gateway.address());
    raw.send(request("/a", ""));
    raw.until("hello");
    assert_eq!(stores(&gateway), 0);
    go.send(()).unwrap();
    raw.until("0\r\n\r\n");
    assert_eq!(stores(&gateway), 1);
    let hit = ask(gateway.address(), request("/a", ""));
    assert_eq!((hit.text(), hit.header("content-length")), ("hello world", Some("11")));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn what_breaks_off_is_broken_for_its_client_and_is_not_kept() {
    for body in [
        "content-length: 10\r\n\r\nhello",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n",
    ] {
        let upstream = RawUpstream::ending(move |mut raw| {
            raw.request();
            raw.send(format!("HTTP/1.1 200 OK\r\n{FRESH}{body}"));
        });
        let gateway = gateway("", &upstream);
        for _ in 0..2 {
            assert!(!ask(gateway.address(), request("/a", "")).whole, "{body}");
        }
        assert_eq!((stores(&gateway), upstream.requests().len()), (0, 2), "{body}");
    }
}

#[test]
fn what_ends_with_its_connection_may_have_broken_off_and_is_not_kept() {
    let upstream = RawUpstream::ending(|mut raw| {
        raw.request();
        raw.send(format!("HTTP/1.1 200 OK\r\n{FRESH}\r\nhello"));
    });
    let gateway = gateway("", &upstream);
    for _ in 0..2 {
        assert_eq!(ask(gateway.address(), request("/a", "")).text(), "hello");
    }
    assert_eq!((stores(&gateway), upstream.requests().len()), (0, 2));
}

#[test]
fn what_its_client_leaves_is_not_kept_and_the_next_client_asks_anew() {
    let upstream = RawUpstream::start(|raw| {
        while raw.request().is_some() {
            let _ = raw.try_send(format!("HTTP/1.1 200 OK\r\n{FRESH}content-length: 10\r\n\r\nhello"));
            if raw.quiet(std::time::Duration::from_millis(200)) {
                let _ = raw.try_send("world");
            }
        }
    });
    let gateway = gateway("", &upstream);
    let mut raw = Raw::connect(gateway.address());
    raw.send(request("/a", "")).until("hello");
    raw.reset();
    until(DEADLINE, || gateway.metric("gatehouse_failures_total{code=\"client_left\"}") == 1);
    assert_eq!(stores(&gateway), 0);
    assert_eq!(ask(gateway.address(), request("/a", "")).text(), "helloworld");
    assert_eq!((stores(&gateway), upstream.requests().len()), (1, 2));
}

#[test]
fn what_is_too_large_passes_and_is_not_kept() {
    for framing in ["content-length: 1025\r\n\r\n", "transfer-encoding: chunked\r\n\r\n401\r\n"] {
        let end = if framing.contains("chunked") { "\r\n0\r\n\r\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\n{FRESH}{framing}{}{end}", "x".repeat(1025));
        let upstream = RawUpstream::saying(answer);
        let gateway = gateway("entry_bytes = \"1KiB\"", &upstream);
        for _ in 0..2 {
            let answer = ask(gateway.address(), request("/a", ""));
            assert!(answer.whole && answer.body.len() == 1025);
        }
        assert_eq!(stores(&gateway), 0, "{framing}");
    }
}

#[tokio::test]
async fn all_that_is_kept_stays_within_its_bytes() {
    let upstream = Upstream::answering(|_| Response::new(Full::new(Bytes::from(vec![0; 100 << 10]))));
    let gateway = gateway("ttl = \"60s\"\nbytes = \"1MiB\"", &upstream);
    for number in 0..40 {
        assert_eq!(gateway.get(&format!("/{number}")).await.body.len(), 100 << 10);
    }
    let bytes = gateway.metric("gatehouse_cache_bytes{cache=\"c\"}");
    assert!((500 << 10..=1 << 20).contains(&bytes), "{bytes}");
    assert_eq!(stores(&gateway), 40);
    assert!(gateway.metric("gatehouse_cache_evictions_total{cache=\"c\"}") >= 30);
}

#[tokio::test]
async fn an_answer_without_a_body_is_kept_too() {
    let upstream = counting();
    let gateway = gateway("", &upstream);
    for expected in [MISS, "hit; ttl=60"] {
        let call =
            gateway.get("/a").header("x-answer", ":status=301|location=/b|cache-control=max-age=60|content-length=0");
        let empty = gateway.get("/b").header("x-answer", ":status=204|cache-control=max-age=60");
        let (reply, empty) = (call.await, empty.await);
        assert_eq!((told(&empty).0, told(&empty).2), (204, expected));
        assert_eq!((reply.status, reply.header("location"), told(&reply).2), (301, Some("/b"), expected));
    }
}

#[tokio::test]
async fn response_filters_see_what_is_kept_as_any_answer() {
    let upstream = Upstream::start();
    let text = "[caches.c]\nttl = \"60s\"\n[plugins.body]\ncomponent = \"{guests}/probe-body.wasm\"\nconfig = { response = { upper = true } }\n\
        [plugins.chunks]\ncomponent = \"{guests}/probe.wasm\"\nconfig = { on_response = { set_headers = { x-seen = \"1\" } } }\n\
        [routes.r]\nupstream = \"up\"\nplugins = [\"body\", \"chunks\"]\ncache = { name = \"c\", shared = true }\n";
    let gateway = Gateway::start(text, &upstream);
    for expected in [MISS, "hit; ttl=60"] {
        let reply = gateway.get("/").await;
        assert_eq!((told(&reply), reply.header("x-seen")), ((200, "HELLO", expected), Some("1")));
    }
    assert_eq!(upstream.seen().len(), 1);
    assert!(gateway.calls("body") >= 2);
}
