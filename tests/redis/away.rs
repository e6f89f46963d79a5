//! When it is away: what decides, that nobody waits, and that it is asked again once it is back.

use std::time::{Duration, Instant};

use super::text;
use crate::support::{Gateway, Redis, Upstream, raw::DEADLINE, until};

const LIMIT: &str = "[rate_limits.l]\nrate = \"1/h\"\nburst = 3\nstore = \"redis.main\"\n";

fn gateway(redis: &Redis, more: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(&(text(redis, more, LIMIT) + "rate_limits = [\"l\"]\n"), upstream)
}

async fn statuses(gateway: &Gateway, requests: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..requests {
        statuses.push(gateway.get("/a").await.status);
    }
    statuses
}

fn available(gateway: &Gateway) -> bool {
    gateway.metric("gatehouse_redis_available{redis=\"main\"}") == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_is_answered_for_as_it_was_chosen_and_asked_again_when_it_is_back() {
    let upstream = Upstream::start();
    for (when, away) in [
        ("open", [200, 200, 200, 200, 200]),
        ("closed", [503, 503, 503, 503, 503]),
        ("local", [200, 200, 200, 429, 429]),
    ] {
        let mut redis = Redis::start();
        let gateway = gateway(&redis, &format!("timeout = \"2s\"\nwhen_away = {when:?}"), &upstream);
        assert_eq!(statuses(&gateway, 4).await, [200, 200, 200, 429], "{when}");
        redis.kill();
        assert_eq!(statuses(&gateway, 5).await, away, "{when}");
        assert!(!available(&gateway));
        assert_eq!(gateway.metric("gatehouse_redis_decisions_total{redis=\"main\",result=\"away\"}"), 5, "{when}");
        redis.start_again();
        until(DEADLINE, || available(&gateway));
        // It has forgotten, and counts anew.
        assert_eq!(statuses(&gateway, 4).await, [200, 200, 200, 429], "{when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_never_there_is_asked_when_it_comes() {
    let upstream = Upstream::start();
    let mut redis = Redis::start();
    redis.kill();
    let gateway = gateway(&redis, "when_away = \"closed\"\ntimeout = \"2s\"", &upstream);
    let refused = gateway.get("/a").await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("limits_unavailable")));
    redis.start_again();
    until(DEADLINE, || available(&gateway));
    assert_eq!(statuses(&gateway, 1).await, [200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_delays_one_request_by_the_time_out_and_no_other() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let gateway = gateway(&redis, "timeout = \"300ms\"\nwhen_away = \"open\"", &upstream);
    assert_eq!(statuses(&gateway, 1).await, [200]);
    redis.signal("STOP");
    let begun = Instant::now();
    assert_eq!(statuses(&gateway, 1).await, [200]);
    let first = begun.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&first), "{first:?}");
    let begun = Instant::now();
    assert_eq!(statuses(&gateway, 20).await, [200; 20]);
    assert!(begun.elapsed() < 20 * Duration::from_millis(150), "{:?}", begun.elapsed());
    assert!(!available(&gateway));
    redis.signal("CONT");
    until(DEADLINE, || available(&gateway));
    let answered = || gateway.metric("gatehouse_redis_decisions_total{redis=\"main\",result=\"answered\"}");
    let before = answered();
    statuses(&gateway, 1).await;
    assert_eq!(answered(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_redis_has_closed_are_made_anew_and_its_scripts_are_brought_again() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let gateway = gateway(&redis, "timeout = \"5s\"\nwhen_away = \"closed\"", &upstream);
    assert_eq!(statuses(&gateway, 1).await, [200]);
    redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert_eq!(statuses(&gateway, 1).await, [200]);
    redis.ask(&["SCRIPT", "FLUSH"]);
    assert_eq!(statuses(&gateway, 2).await, [200, 429]);
    assert!(available(&gateway));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_no_writes_is_away() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let gateway = gateway(&redis, "timeout = \"5s\"\nwhen_away = \"closed\"", &upstream);
    assert_eq!(statuses(&gateway, 2).await, [503, 503]);
    redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    until(DEADLINE, || available(&gateway));
    assert_eq!(statuses(&gateway, 1).await, [200]);
}
