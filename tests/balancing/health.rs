//! Endpoints that are looked at beside requests.

use super::{Moody, gateway, is_available, nobody, text, wait_until};
use crate::support::{Gateway, Upstream};

const CHECK: &str =
    "health_check = { path = \"/healthz\", interval = \"100ms\", timeout = \"1s\" }\nretries = { attempts = 0 }";

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_not_well_gets_no_requests_until_it_is() {
    let [a, b] = [Moody::start(500), Moody::start(200)];
    let gateway = gateway(&[&a.upstream, &b.upstream], CHECK);
    // The first check counts at once.
    wait_until(|| !is_available(&gateway, a.upstream.address()));
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!((a.asked(), b.asked()), (0, 10));
    a.set(204);
    wait_until(|| is_available(&gateway, a.upstream.address()));
    for _ in 0..10 {
        assert!([200, 204].contains(&gateway.get("/").await.status));
    }
    assert_eq!((a.asked(), b.asked()), (5, 15));
    let check = a.upstream.seen().into_iter().find(|seen| seen.target == "/healthz").unwrap();
    assert_eq!(check.header("host"), Some(&*a.upstream.address().to_string()));
    assert_eq!(check.header("user-agent"), Some("gatehouse-health"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_check_that_fails_changes_nothing() {
    let [a, b] = [Moody::start(200), Moody::start(200)];
    let gateway = gateway(&[&a.upstream, &b.upstream], &CHECK.replace("timeout", "unhealthy = 1000, timeout"));
    wait_until(|| a.upstream.seen().len() > 1);
    a.set(500);
    let before = a.upstream.seen().len();
    wait_until(|| a.upstream.seen().len() > before + 2);
    assert!(is_available(&gateway, a.upstream.address()));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_none_that_is_well_all_are_asked() {
    let [a, b] = [Moody::start(500), Moody::start(500)];
    let gateway = gateway(&[&a.upstream, &b.upstream], CHECK);
    wait_until(|| !is_available(&gateway, a.upstream.address()) && !is_available(&gateway, b.upstream.address()));
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.status, 500);
    }
    assert_eq!((a.asked(), b.asked()), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_path_a_connection_is_enough() {
    let well = Upstream::start();
    let gone = nobody();
    let more = "health_check = { interval = \"100ms\" }\nretries = { attempts = 0 }";
    let gateway = Gateway::start(&text(&[gone, well.address()], more), &well);
    wait_until(|| !is_available(&gateway, gone));
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    // What a check finds is not what a request finds: nobody was asked in vain.
    assert_eq!(gateway.metric("gatehouse_failures_total{code=\"upstream_unreachable\"}"), 0);
    // Who comes back is found.
    let listener = std::net::TcpListener::bind(gone).unwrap();
    wait_until(|| is_available(&gateway, gone));
    drop(listener);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_looked_at_who_is_in_the_configuration_no_more() {
    let [a, b] = [Moody::start(200), Moody::start(200)];
    let gateway = gateway(&[&a.upstream, &b.upstream], CHECK);
    wait_until(|| a.upstream.seen().len() > 1);
    gateway.reload(&text(&[b.upstream.address()], CHECK), &b.upstream).unwrap();
    gateway.get("/").await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let before = a.upstream.seen().len();
    let others = b.upstream.seen().len();
    wait_until(|| b.upstream.seen().len() > others + 4);
    assert_eq!(a.upstream.seen().len(), before);
}
