//! Concurrency limits: how many are under way exactly, and that each that ends, in whatever way, makes room for one.

use crate::support::{
    Gateway, Held, Raw, RawUpstream, Upstream,
    raw::{DEADLINE, get},
    until,
};

fn text(limit: &str, more: &str) -> String {
    format!("[concurrency_limits.l]\n{limit}\n[routes.r]\nupstream = \"up\"\nconcurrency_limits = [\"l\"]\n{more}")
}

fn under_way(gateway: &Gateway) -> u64 {
    gateway.metric("gatehouse_concurrency{limit=\"l\"}")
}

/// Sends a request and leaves it under way.
fn begin(gateway: &Gateway, headers: &str) -> Raw {
    let mut client = Raw::connect(gateway.address());
    client.send(get("/", headers));
    client
}

#[test]
fn as_many_as_may_are_under_way_and_each_that_is_answered_makes_room() {
    let upstream = Held::start();
    let gateway = Gateway::start(&text("max = 2", ""), &upstream);
    let mut first = begin(&gateway, "");
    upstream.arrival();
    let mut second = begin(&gateway, "");
    upstream.arrival();
    let mut third = begin(&gateway, "");
    let refused = third.response();
    assert_eq!((refused.status(), refused.header("retry-after")), (429, Some("1")));
    assert!(refused.text().contains("concurrency_limited"), "{}", refused.text());
    assert_eq!(under_way(&gateway), 2);
    upstream.release(2);
    assert_eq!((first.response().status(), second.response().status()), (200, 200));
    until(DEADLINE, || under_way(&gateway) == 0);
    upstream.release(1);
    assert_eq!(third.send(get("/", "")).response().status(), 200);
    assert_eq!(gateway.metric("gatehouse_concurrency_limited_total{limit=\"l\"}"), 1);
}

#[test]
fn a_client_that_leaves_makes_room() {
    let upstream = Held::start();
    let gateway = Gateway::start(&text("max = 1", ""), &upstream);
    for _ in 0..3 {
        let client = begin(&gateway, "");
        upstream.arrival();
        assert_eq!(under_way(&gateway), 1);
        drop(client);
        until(DEADLINE, || under_way(&gateway) == 0);
        upstream.release(1);
    }
}

#[tokio::test]
async fn a_failure_a_refusal_and_a_panic_make_room() {
    let upstream = Upstream::start();
    let plugins = "plugins = [\"probe\"]\nrate_limits = [\"h\"]\n[rate_limits.h]\nrate = \"3/h\"\n\
        [plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\n\
        config.authorize = { verdict_header = \"x-verdict\" }\ncache = { ttl = \"0s\" }\n";
    let gateway = Gateway::start(&text("max = 1", plugins), &upstream);
    let statuses = [
        gateway.get("/").header("x-verdict", "deny").await.status,
        gateway.get("/").header("x-verdict", "trap").await.status,
        gateway.get("/").header("x-verdict", "allow").await.status,
        gateway.get("/").await.status,
        gateway.get("/").await.status,
    ];
    assert_eq!((statuses[0], statuses[2..].to_vec()), (403, vec![200, 429, 429]), "{statuses:?}");
    // The clock is asked by the rate limit, when the permit is there.
    gateway.pass(3600);
    gateway.clock.panic_after(0);
    assert_eq!(gateway.get("/").await.status, 500);
    assert_eq!([gateway.get("/").await.status, gateway.get("/").await.status], [200, 200]);
    until(DEADLINE, || under_way(&gateway) == 0);
}

#[test]
fn each_value_of_the_key_has_its_own_and_routes_of_one_limit_share_it() {
    let upstream = Held::start();
    let more = "[routes.s]\npath = \"/s\"\nupstream = \"up\"\nconcurrency_limits = [\"l\"]\n\
        [server]\nworkers = 2\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let gateway = Gateway::start(&text("max = 1\nkey = \"${request.client-ip}\"", more), &upstream);
    let from = |client: &str| format!("x-forwarded-for: {client}\r\n");
    let mut first = begin(&gateway, &from("192.0.2.1"));
    upstream.arrival();
    let mut other = begin(&gateway, &from("192.0.2.2"));
    upstream.arrival();
    let mut same = Raw::connect(gateway.address());
    assert_eq!(same.send(get("/s", &from("192.0.2.1"))).response().status(), 429);
    upstream.release(2);
    assert_eq!((first.response().status(), other.response().status()), (200, 200));
}

#[test]
fn an_open_websocket_is_under_way_until_it_ends() {
    let upstream = crate::websocket::echo();
    let gateway = Gateway::start(&text("max = 1", "path = \"/ws\"\nwebsocket = true\n"), &upstream);
    let mut client = crate::websocket::open(&gateway);
    client.send("hello").until("hello");
    assert_eq!(under_way(&gateway), 1);
    let mut second = Raw::connect(gateway.address());
    assert_eq!(second.send(get("/ws", "")).response().status(), 429);
    client.shut();
    assert_eq!(client.rest(), b"");
    until(DEADLINE, || under_way(&gateway) == 0);
}

#[test]
fn a_body_that_is_still_on_its_way_is_under_way() {
    let upstream = RawUpstream::start(|raw| {
        while raw.request().is_some() {
            raw.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello");
            let _ = raw.request();
        }
    });
    let gateway = Gateway::start(&text("max = 1", ""), &upstream);
    let mut client = begin(&gateway, "");
    client.until("hello");
    assert_eq!(under_way(&gateway), 1);
    assert_eq!(begin(&gateway, "").response().status(), 429);
    drop(client);
    until(DEADLINE, || under_way(&gateway) == 0);
}

#[tokio::test]
async fn of_requests_at_once_never_more_are_under_way_than_may_be() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    let upstream = Upstream::answering(|_| {
        MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::yield_now();
        NOW.fetch_sub(1, Ordering::SeqCst);
        http::Response::new(http_body_util::Full::new(bytes::Bytes::new()))
    });
    let gateway = Gateway::start(&text("max = 3", "[server]\nworkers = 4\n"), &upstream);
    let mut asked = tokio::task::JoinSet::new();
    (0..200).for_each(|_| drop(asked.spawn(gateway.get("/").into_future())));
    let answers = asked.join_all().await;
    let passed = answers.iter().filter(|reply| reply.status == 200).count();
    assert!(passed >= 3 && MOST.load(Ordering::SeqCst) <= 3, "{passed}");
    assert_eq!(gateway.metric("gatehouse_concurrency_limited_total{limit=\"l\"}") as usize, 200 - passed);
    until(DEADLINE, || under_way(&gateway) == 0);
}
