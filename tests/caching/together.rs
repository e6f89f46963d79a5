//! Requests that ask the same at the same time: one goes to the upstream, and nobody is worse off for it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{gateway, told};
use crate::support::{
    Gateway, Held, Raw, RawUpstream,
    raw::{DEADLINE, get as request},
    until,
};

fn many(gateway: &Gateway, number: usize) -> JoinSet<crate::support::Reply> {
    let mut asked = JoinSet::new();
    (0..number).for_each(|_| drop(asked.spawn(gateway.get("/a").into_future())));
    asked
}

/// Waits until so many exchanges are under way: each has its connection.
fn requests(gateway: &Gateway, number: u64) -> bool {
    gateway.metric("gatehouse_requests_total{route=\"r\"}") >= number
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_for_one_answer_ask_the_upstream_once() {
    let upstream = Held::start();
    let gateway = gateway("ttl = \"60s\"\n[server]\nworkers = 2", &upstream);
    let asked = many(&gateway, 50);
    upstream.arrival();
    upstream.release(1);
    let answers = asked.join_all().await;
    let hits = answers.iter().filter(|reply| told(reply).2.starts_with("hit")).count();
    assert_eq!((answers.iter().all(|reply| reply.text() == "hello"), hits), (true, 49));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_answer_cannot_be_kept_all_go_on_by_themselves_at_once() {
    let upstream = Held::start();
    let gateway = gateway("collapse = \"1m\"", &upstream);
    let asked = many(&gateway, 20);
    upstream.arrival();
    let started = Instant::now();
    upstream.release(20);
    assert!(asked.join_all().await.iter().all(|reply| reply.text() == "hello"));
    (0..19).for_each(|_| upstream.arrival());
    // Nor do they wait for each other afterwards.
    let asked = many(&gateway, 5);
    (0..5).for_each(|_| upstream.arrival());
    upstream.release(5);
    asked.join_all().await;
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_longer_than_configured() {
    for collapse in ["0s", "50ms"] {
        let upstream = Held::start();
        let gateway = gateway(&format!("ttl = \"60s\"\ncollapse = \"{collapse}\""), &upstream);
        let asked = many(&gateway, 3);
        // The first is not answered before the others are there too.
        (0..3).for_each(|_| upstream.arrival());
        upstream.release(3);
        assert!(asked.join_all().await.iter().all(|reply| told(reply).2 == "fwd=uri-miss"));
    }
}

#[test]
fn when_the_first_client_leaves_another_takes_its_place() {
    let upstream = Held::start();
    let gateway = gateway("ttl = \"60s\"\ncollapse = \"1m\"", &upstream);
    let mut first = Raw::connect(gateway.address());
    first.send(request("/a", ""));
    upstream.arrival();
    let mut others: Vec<_> = (0..3).map(|_| Raw::connect(gateway.address())).collect();
    for raw in &mut others {
        raw.send(request("/a", ""));
    }
    first.reset();
    until(DEADLINE, || requests(&gateway, 1));
    upstream.arrival();
    upstream.release(2);
    assert!(others.iter_mut().all(|raw| raw.response().text() == "hello"));
}

#[test]
fn an_upstream_that_fails_holds_nobody_up() {
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let gateway = gateway("ttl = \"60s\"\ncollapse = \"1m\"", &upstream);
    let mut clients: Vec<_> = (0..5).map(|_| Raw::connect(gateway.address())).collect();
    for raw in &mut clients {
        raw.send(request("/a", ""));
    }
    let started = Instant::now();
    assert!(clients.iter_mut().all(|raw| raw.response().status() == 502));
    assert!(started.elapsed() < Duration::from_secs(30) && count.load(Ordering::Relaxed) >= 5);
}
