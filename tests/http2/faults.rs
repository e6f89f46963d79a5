//! Upstreams over HTTP/2 that refuse, break off, fall silent or are none.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::channel,
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::{Reason, server::Builder};
use http_body_util::BodyExt as _;

use super::{answer, echo, text};
use crate::support::{Gateway, Http2, Raw, RawUpstream, raw::get, streams::Streams};

/// A short time for an answer to begin, or to go on.
const IMPATIENT: &str = "first_byte_timeout = \"300ms\"\nidle_timeout = \"300ms\"";

fn failures(gateway: &Gateway, code: &str) -> u64 {
    gateway.metric_at(&format!("gatehouse_failures_total{{code=\"{code}\"}}"), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstream_has_not_begun_with_is_sent_again_whatever_it_is() {
    let count = Arc::new(AtomicUsize::new(0));
    let upstream = Streams::start(move |mut exchange| {
        // Each second one.
        let refuses = count.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        async move {
            match refuses {
                true => exchange.respond.send_reset(Reason::REFUSED_STREAM),
                false => answer(exchange).await,
            }
        }
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    for method in ["GET", "GET", "DELETE", "POST", "PATCH"] {
        assert_eq!(gateway.call(method, "/").await.status, 200, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_goaway_costs_no_request() {
    let upstream = Streams::with(&Builder::new(), 5, answer);
    let gateway = Gateway::start(&text("", ""), &upstream);
    for n in 0..40 {
        let reply = gateway.call("POST", "/").body(format!("{n}")).await;
        assert_eq!((reply.status, reply.text()), (200, &*n.to_string()));
    }
    assert!(upstream.connections() >= 8, "{}", upstream.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_a_failure_and_nothing_is_repeated() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let upstream = Streams::start(move |mut exchange| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { exchange.respond.send_reset(Reason::INTERNAL_ERROR) }
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    for method in ["GET", "POST"] {
        let reply = gateway.call(method, "/").await;
        assert_eq!((reply.status, reply.json()["code"].as_str()), (502, Some("upstream_broken")));
    }
    assert_eq!(count.load(Ordering::Relaxed), 2);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_never_looks_whole() {
    let go = Arc::new(tokio::sync::Notify::new());
    let told = go.clone();
    let upstream = Streams::start(move |mut exchange| {
        let told = told.clone();
        async move {
            let mut answer = exchange.begin(&[]);
            answer.send_data(Bytes::from_static(b"half"), false).unwrap();
            told.notified().await;
            answer.send_reset(Reason::INTERNAL_ERROR);
        }
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let mut body = client.send(client.request("GET", "/")).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    go.notify_one();
    assert!(body.collect().await.is_err());
    let mut raw = Raw::connect(gateway.address());
    raw.send(get("/", "")).until("half\r\n");
    go.notify_one();
    assert!(raw.rest().is_empty(), "no last chunk");
    let failed = "gatehouse_failures_total{code=\"upstream_broken\"}";
    assert_eq!(gateway.metric_at(failed, 2), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_its_stream_and_no_other() {
    let (tell, told) = channel();
    let upstream = Streams::start(move |mut exchange| {
        let tell = tell.clone();
        async move {
            let mut answer = exchange.begin(&[]);
            answer.send_data(Bytes::from_static(b"first"), false).unwrap();
            let path = exchange.head.uri.path().to_owned();
            let reason = std::future::poll_fn(|cx| answer.poll_reset(cx)).await;
            tell.send((path, reason.unwrap())).unwrap();
        }
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let mut stays = client.send(client.request("GET", "/stays")).await.unwrap().into_body();
    stays.frame().await.unwrap().unwrap();
    let mut left = client.send(client.request("GET", "/leaves")).await.unwrap().into_body();
    left.frame().await.unwrap().unwrap();
    drop(left);
    assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), ("/leaves".to_owned(), Reason::CANCEL));
    let mut raw = Raw::connect(gateway.address());
    raw.send(get("/raw", "")).until("first");
    drop(raw);
    assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), ("/raw".to_owned(), Reason::CANCEL));
    assert!(told.try_recv().is_err());
    assert_eq!(upstream.connections(), 1);
    drop(stays);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_never_looks_whole_to_the_upstream() {
    let (tell, told) = channel();
    let upstream = Streams::start(move |mut exchange| {
        let tell = tell.clone();
        async move {
            let ended = loop {
                match exchange.body.data().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break error.reason(),
                    None => break None,
                }
            };
            tell.send(ended).unwrap();
        }
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    let mut raw = Raw::connect(gateway.address());
    raw.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf");
    drop(raw);
    assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), Some(Reason::CANCEL));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_hold_nobody_else_up() {
    let upstream = Streams::start(|mut exchange| async move {
        if exchange.head.uri.path() != "/long" {
            return answer(exchange).await;
        }
        let mut answer = exchange.begin(&[]);
        loop {
            answer.reserve_capacity(1 << 20);
            let room = std::future::poll_fn(|cx| answer.poll_capacity(cx)).await;
            let Some(Ok(room)) = room else { return };
            if answer.send_data(vec![b'x'; room].into(), false).is_err() {
                return;
            }
        }
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let mut unread = Vec::new();
    for _ in 0..40 {
        unread.push(client.send(client.request("GET", "/long")).await.unwrap());
    }
    for _ in 0..20 {
        let reply = gateway.call("POST", "/").body(vec![b'y'; 200_000]).await;
        assert_eq!((reply.status, reply.body.len()), (200, 200_000));
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_has_fallen_silent_gets_no_more_requests() {
    let upstream = RawUpstream::start(|raw| {
        // It takes what comes, says its settings, and nothing more.
        raw.send([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        raw.drain();
    });
    let gateway = Gateway::start(&text(IMPATIENT, ""), &upstream);
    for expected in [1, 2] {
        let started = Instant::now();
        let reply = gateway.get("/").await;
        assert_eq!((reply.status, reply.json()["code"].as_str()), (504, Some("upstream_timeout")));
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(upstream.connections(), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_does_not_cost_the_connection() {
    let upstream = Streams::start(|mut exchange| async move {
        if exchange.head.uri.path() == "/slow" {
            return std::future::pending().await;
        }
        exchange.say("hello");
    });
    let gateway = Gateway::start(&text(IMPATIENT, ""), &upstream);
    assert_eq!(gateway.get("/slow").await.status, 504);
    // The PING has an answer soon; who comes before that may get a new connection.
    crate::support::until(Duration::from_secs(5), || {
        let before = upstream.connections();
        let mut raw = Raw::connect(gateway.address());
        raw.send(get("/", "")).response().status() == 200 && upstream.connections() == before
    });
    assert!(upstream.connections() <= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stalls_is_broken_off() {
    let upstream = Streams::start(|mut exchange| async move {
        let mut answer = exchange.begin(&[]);
        answer.send_data(Bytes::from_static(b"first"), false).unwrap();
        std::future::pending::<()>().await;
    });
    let gateway = Gateway::start(&text(IMPATIENT, ""), &upstream);
    assert!(gateway.get("/").http2().outcome().await.is_err());
    assert_eq!(failures(&gateway, "upstream_broken"), 1);
}

#[test]
fn what_does_not_speak_http2_answers_nobody() {
    let upstream = RawUpstream::saying("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    let gateway = Gateway::start(&text("", ""), &upstream);
    let reply = Raw::connect(gateway.address()).send(get("/", "")).response();
    assert_eq!((reply.status(), reply.json()["code"].as_str()), (502, Some("upstream_broken")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_or_is_kept_for_too_long_gets_no_request() {
    // Each connection is closed without a word.
    let upstream = RawUpstream::start(|_| {});
    let gateway = Gateway::start(&text("", ""), &upstream);
    assert_eq!(gateway.get("/").await.status, 502);
    let well = echo();
    let gateway = Gateway::start(&text("keepalive_timeout = \"1ms\"", ""), &well);
    for _ in 0..3 {
        assert_eq!(gateway.get("/").await.text(), "hello");
    }
    crate::support::until(Duration::from_secs(10), || {
        let before = well.connections();
        let mut raw = Raw::connect(gateway.address());
        raw.send(get("/", "")).response();
        well.connections() > before
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_max_requests_are_refused_over_http2_too() {
    let waiting = super::Waiting::start(&Builder::new());
    let gateway = Gateway::start(&text("max_requests = 1", ""), &waiting.upstream);
    let first = tokio::spawn(gateway.get("/").into_future());
    waiting.arrival();
    let reply = gateway.get("/").await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (503, Some("upstream_busy")));
    waiting.go.send(()).unwrap();
    assert_eq!(first.await.unwrap().status, 200);
    let again = tokio::spawn(gateway.get("/").into_future());
    waiting.arrival();
    waiting.go.send(()).unwrap();
    assert_eq!(again.await.unwrap().status, 200);
}
