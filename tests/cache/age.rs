//! How long a verdict is kept. The clock stands still unless a test moves it.

use super::{TENANTS, asked, probe};
use crate::support::{Gateway, Upstream};

/// Asks, lets one second less than `seconds` pass, asks, lets that second pass, asks: the cache must have the second.
async fn assert_keeps_for(seconds: u64, authorize: &str, cache: &str) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe(authorize, cache), &upstream);
    gateway.get("/").await;
    gateway.pass(seconds - 1);
    gateway.get("/").await;
    assert_eq!(asked(&gateway), 1, "{seconds} s: {authorize}; {cache}");
    gateway.pass(1);
    gateway.get("/").await;
    assert_eq!(asked(&gateway), 2, "{seconds} s: {authorize}; {cache}");
    gateway.pass(seconds - 1);
    gateway.get("/").await;
    assert_eq!(asked(&gateway), 2, "again {seconds} s: {authorize}; {cache}");
}

#[tokio::test]
async fn a_grant_is_kept_for_the_ttl_which_is_300_seconds() {
    assert_keeps_for(300, "", "").await;
    assert_keeps_for(10, "", "ttl = \"10s\"").await;
    assert_keeps_for(3600, "", "ttl = \"1h\", denial_ttl = \"5s\"").await;
}

#[tokio::test]
async fn a_grant_is_kept_for_as_long_as_the_plugin_says_up_to_the_cap() {
    assert_keeps_for(10, "max_age = 10", "").await;
    assert_keeps_for(1000, "max_age = 1000", "ttl = \"10s\"").await;
    assert_keeps_for(3600, "max_age = 4294967295", "").await;
    assert_keeps_for(100, "max_age = 101", "max_ttl = \"100s\"").await;
    assert_keeps_for(100, "", "max_ttl = \"100s\"").await;
}

#[tokio::test]
async fn a_denial_is_kept_for_a_time_of_its_own_which_is_60_seconds() {
    assert_keeps_for(60, "verdict = \"deny\"", "").await;
    assert_keeps_for(5, "verdict = \"deny\"", "denial_ttl = \"5s\"").await;
    assert_keeps_for(600, "verdict = \"deny\"", "ttl = \"10s\", denial_ttl = \"600s\"").await;
    assert_keeps_for(10, "verdict = \"deny\", max_age = 10", "").await;
    assert_keeps_for(60, "verdict = \"deny\", max_age = 1000", "max_ttl = \"1h\"").await;
}

#[tokio::test]
async fn that_a_plugin_abstains_is_kept_like_a_denial() {
    assert_keeps_for(60, "verdict = \"abstain\"", "").await;
    assert_keeps_for(5, "verdict = \"abstain\"", "denial_ttl = \"5s\"").await;
}

/// Asks three times: the plugin must have been asked each time.
async fn assert_never_keeps(authorize: &str, cache: &str) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe(authorize, cache), &upstream);
    for times in 1..=3 {
        gateway.get("/").await;
        assert_eq!(asked(&gateway), times, "{authorize}; {cache}");
    }
}

#[tokio::test]
async fn a_max_age_of_zero_is_never_kept() {
    assert_never_keeps("max_age = 0", "").await;
    assert_never_keeps("verdict = \"deny\", max_age = 0", "").await;
}

#[tokio::test]
async fn a_denial_ttl_of_zero_keeps_no_denial() {
    assert_never_keeps("verdict = \"deny\"", "denial_ttl = \"0s\"").await;
    assert_never_keeps("verdict = \"deny\", max_age = 60", "denial_ttl = \"0s\"").await;
    assert_keeps_for(300, "", "denial_ttl = \"0s\"").await;
}

#[tokio::test]
async fn a_ttl_of_zero_turns_the_cache_off() {
    let upstream = Upstream::start();
    let text = TENANTS.replace("[routes.x]", "cache = { ttl = \"0s\" }\n[routes.x]");
    let gateway = Gateway::start(&text, &upstream);
    for times in 1..=3 {
        gateway.get("/acme").header("x-tenant-key", "a1").await;
        assert_eq!(gateway.calls("p"), times);
    }
    gateway.reload(&probe("max_age = 60", "ttl = \"0s\""), &upstream).unwrap();
    for times in ["1", "2"] {
        gateway.get("/").await;
        assert_eq!(upstream.last().header("x-count"), Some(times));
    }
}

#[tokio::test]
async fn each_verdict_ages_by_itself() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe("read = [\"header:x-key\"]", ""), &upstream);
    let get = async |key| gateway.get("/").header("x-key", key).await.status;
    get("a").await;
    gateway.pass(200);
    get("b").await;
    gateway.pass(100);
    assert_eq!((get("a").await, get("b").await, asked(&gateway)), (200, 200, 3));
    gateway.pass(200);
    assert_eq!((get("a").await, get("b").await, asked(&gateway)), (200, 200, 4));
}
