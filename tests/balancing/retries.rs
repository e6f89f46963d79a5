//! What is sent again, to whom, and how often.

use std::time::{Duration, Instant};

use super::{Moody, counts, gateway, is_available, nobody, text, wait_until};
use crate::support::{Gateway, Held, Raw, Upstream};

#[tokio::test]
async fn an_endpoint_that_is_gone_costs_no_request_and_gets_none_after_five() {
    let well = Upstream::start();
    let gone = nobody();
    let more = "ejection = { failures = 5, time = \"400ms\" }";
    let gateway = Gateway::start(&text(&[gone, well.address()], more), &well);
    for number in 0..20 {
        // Nothing has left, so that all of them may be sent again.
        let reply = gateway.call("POST", "/").body(format!("body {number}")).await;
        assert_eq!((reply.status, reply.text()), (200, &*format!("body {number}")));
    }
    assert_eq!(well.seen().len(), 20);
    assert_eq!(gateway.metric("gatehouse_upstream_retries_total{upstream=\"up\"}"), 5);
    let ejections = format!("gatehouse_upstream_ejections_total{{upstream=\"up\",endpoint=\"{gone}\"}}");
    assert_eq!(gateway.metric(&ejections), 1);
    assert!(!is_available(&gateway, gone) && is_available(&gateway, well.address()));
    // Then it is tried again.
    wait_until(|| is_available(&gateway, gone));
    for _ in 0..4 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!(gateway.metric("gatehouse_upstream_retries_total{upstream=\"up\"}"), 7);
}

#[tokio::test]
async fn statuses_that_are_as_good_as_no_answer_are_asked_for_again_where_that_is_safe() {
    let broken = Moody::start(503);
    let well = Upstream::start();
    let more = "retries = { attempts = 1, statuses = [503] }\nejection = { failures = 0 }";
    let gateway = gateway(&[&broken.upstream, &well], more);
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!((broken.asked(), well.seen().len()), (5, 10));
    // Twice the same order is worse than none.
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(gateway.call("POST", "/").body("order").await.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503]);
    // Another status is an answer.
    broken.set(500);
    let mut statuses = vec![gateway.get("/").await.status, gateway.get("/").await.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 500]);
}

#[tokio::test]
async fn without_attempts_the_failure_is_the_answer() {
    let well = Upstream::start();
    let more = "retries = { attempts = 0 }\nejection = { failures = 0 }";
    let gateway = Gateway::start(&text(&[nobody(), well.address()], more), &well);
    let mut statuses = Vec::new();
    for _ in 0..10 {
        statuses.push(gateway.get("/").await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 5, "{statuses:?}");
    assert_eq!(gateway.metric("gatehouse_upstream_retries_total{upstream=\"up\"}"), 0);
}

#[tokio::test]
async fn an_outage_of_all_makes_no_storm() {
    let [a, b] = [Moody::start(503), Moody::start(503)];
    let gateway = gateway(&[&a.upstream, &b.upstream], "retries = { attempts = 3, statuses = [503] }");
    let started = Instant::now();
    for _ in 0..200 {
        assert_eq!(gateway.get("/").await.status, 503);
    }
    let seconds = started.elapsed().as_secs() as usize + 1;
    let asked = a.asked() + b.asked();
    // A fifth more, and ten a second.
    assert!((210..=200 + 40 + 10 * (seconds + 1)).contains(&asked), "{asked} in {seconds} s");
}

#[tokio::test]
async fn an_endpoint_that_answers_late_is_not_asked_twice() {
    let slow = Held::start();
    let well = Upstream::start();
    let gateway = gateway(&[&slow, &well], "first_byte_timeout = \"200ms\"");
    let mut statuses = vec![gateway.get("/").await.status, gateway.get("/").await.status];
    statuses.sort_unstable();
    // It may be at work on it.
    assert_eq!(statuses, [200, 504]);
    assert_eq!(counts(&[&well]), [1]);
    slow.release(1);
}

#[tokio::test]
async fn a_client_whose_body_does_not_come_ejects_nobody() {
    let [a, b] = [Upstream::start(), Upstream::start()];
    let more = "ejection = { failures = 1, time = \"1m\" }\n[limits]\nbody_idle_timeout = \"100ms\"";
    let gateway = gateway(&[&a, &b], more);
    for _ in 0..4 {
        let mut raw = Raw::connect(gateway.address());
        raw.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab");
        assert_eq!(raw.response().status(), 408);
    }
    assert!(is_available(&gateway, a.address()) && is_available(&gateway, b.address()));
}

#[tokio::test]
async fn what_is_known_of_an_endpoint_outlives_a_reload() {
    let well = Upstream::start();
    let gone = nobody();
    let more = "ejection = { failures = 2, time = \"1m\" }";
    let gateway = Gateway::start(&text(&[gone, well.address()], more), &well);
    for _ in 0..4 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert!(!is_available(&gateway, gone));
    let before = gateway.metric("gatehouse_upstream_retries_total{upstream=\"up\"}");
    gateway.reload(&text(&[gone, well.address()], &format!("{more}\nidle_timeout = \"9s\"")), &well).unwrap();
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!(gateway.metric("gatehouse_upstream_retries_total{upstream=\"up\"}"), before);
    // One that is in the configuration no more is told of no more.
    gateway.reload(&text(&[well.address()], more), &well).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    gateway.get("/").await;
    let text = gateway.shared().metrics.text();
    assert!(!text.contains(&format!("available{{upstream=\"up\",endpoint=\"{gone}\"")), "{text}");
}
