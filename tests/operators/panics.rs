//! Panics in our own code, by way of a clock that panics when it is asked: only the tests have one.

use std::fs;

use gatehouse::watch;

use crate::support::{
    Gateway, Http2, Raw, Upstream, guest,
    raw::{DEADLINE, get},
    until,
};

/// A route `/x` whose authorizer's verdicts are kept: keeping and finding one asks for the time; and a route without.
fn timed(tag: &str) -> String {
    format!(
        r#"
        [plugins.p]
        component = {:?}
        config = {{ authorize = {{ principal = "alice" }}, on_response = {{ set_headers = {{ x-a = "{tag}" }} }} }}
        [routes.x]
        path = "/x"
        upstream = "up"
        plugins = ["p"]
        [routes.free]
        upstream = "up"
        "#,
        guest("probe")
    )
}

#[test]
fn a_panic_in_a_request_answers_500_and_its_connection_and_all_others_are_served() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&timed("1"), &upstream);
    let (mut client, mut other) = (Raw::connect(gateway.address()), Raw::connect(gateway.address()));
    assert_eq!(other.send(get("/x", "")).response().status(), 200);
    let (panics, served) = (gateway.metric("gatehouse_panics_total"), upstream.seen().len());
    for _ in 0..20 {
        gateway.clock.panic_after(0);
        let answer = client.send(get("/x", "")).response();
        let body = answer.json();
        assert_eq!((answer.status(), body["code"].as_str()), (500, Some("internal")), "{body}");
        assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"));
        assert!(!answer.text().contains("clock"), "{body}");
        for connection in [&mut client, &mut other] {
            let answer = connection.send(get("/x", "")).response();
            assert_eq!((answer.status(), answer.header("x-a")), (200, Some("1")));
        }
    }
    assert_eq!(upstream.seen().len() - served, 40);
    assert_eq!(gateway.metric("gatehouse_failures_total{code=\"internal\"}"), 20);
    assert!(gateway.metric("gatehouse_panics_total") - panics >= 20);
}

#[tokio::test]
async fn a_panic_in_a_stream_of_http2_leaves_the_others_alone() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&timed("1"), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let ask = async |path| client.send(client.request("GET", path)).await.unwrap().status().as_u16();
    assert_eq!(ask("/x").await, 200);
    for _ in 0..10 {
        gateway.clock.panic_after(0);
        let (first, second, free) = tokio::join!(ask("/x"), ask("/x"), ask("/free"));
        assert_eq!((first.max(second), first.min(second), free), (500, 200, 200));
    }
}

#[test]
fn a_panic_while_a_verdict_is_kept_holds_nobody_up_who_waits_for_it() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&timed("1"), &upstream);
    // The first request finds nothing, so that the first question for the time is at keeping.
    gateway.clock.panic_after(0);
    assert_eq!(Raw::connect(gateway.address()).send(get("/x", "")).response().status(), 500);
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(get("/x", "")).response().status(), 200);
    let hits = gateway.metric("gatehouse_verdict_cache_hits_total{plugin=\"p\"}");
    assert_eq!(client.send(get("/x", "")).response().status(), 200);
    assert_eq!(gateway.metric("gatehouse_verdict_cache_hits_total{plugin=\"p\"}"), hits + 1);
}

#[test]
fn a_panic_in_the_loader_is_a_refusal_and_the_next_load_goes_well() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&timed("1"), &upstream);
    for _ in 0..2 {
        gateway.clock.panic_after(0);
        let problems = gateway.reload(&timed("2"), &upstream).unwrap_err().to_string();
        assert!(
            problems.contains("gatehouse.toml: the loader panicked at ") && problems.contains(".rs:"),
            "{problems}"
        );
        let answer = Raw::connect(gateway.address()).send(get("/x", "")).response();
        assert_eq!((answer.status(), answer.header("x-a")), (200, Some("1")));
    }
    assert_eq!(gateway.metric("gatehouse_reloads_total{result=\"refused\"}"), 2);
    until(DEADLINE, || gateway.metric("gatehouse_snapshots_alive") == 1);
    assert_eq!(gateway.reload(&timed("2"), &upstream).unwrap(), 2);
    let answer = Raw::connect(gateway.address()).send(get("/x", "")).response();
    assert_eq!((answer.status(), answer.header("x-a")), (200, Some("2")));
}

#[test]
fn a_watcher_that_has_panicked_sees_the_next_change() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&timed("1"), &upstream);
    watch::start(gateway.shared()).unwrap();
    let file = gateway.file("gatehouse.toml");
    let text = fs::read_to_string(&file).unwrap();
    gateway.clock.panic_after(0);
    fs::write(&file, text.replace("x-a = \"1\"", "x-a = \"2\"")).unwrap();
    until(DEADLINE, || !gateway.clock.will_panic());
    // It panicked before it loaded anything.
    let tag = || Raw::connect(gateway.address()).send(get("/free", "")).response().status();
    assert_eq!((tag(), gateway.metric("gatehouse_generation")), (200, 1));
    fs::write(&file, text.replace("x-a = \"1\"", "x-a = \"3\"")).unwrap();
    until(DEADLINE, || gateway.metric("gatehouse_generation") == 2);
    let answer = Raw::connect(gateway.address()).send(get("/x", "")).response();
    assert_eq!(answer.header("x-a"), Some("3"));
}
