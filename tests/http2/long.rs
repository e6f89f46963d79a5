//! Answers that are long in coming, or that last: long polling, events, and the time-outs of a route.

use std::{
    sync::{Mutex, mpsc::channel},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;

use super::text;
use crate::support::{
    Gateway, Http2, Raw, RawUpstream,
    raw::{DEADLINE, get, ok},
    streams::{Streams, piped},
};

#[tokio::test(flavor = "multi_thread")]
async fn events_over_http2_arrive_one_by_one_as_they_are_sent() {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel::<String>();
    let told = std::sync::Arc::new(tokio::sync::Mutex::new(told));
    let upstream = Streams::start(move |mut exchange| {
        let told = told.clone();
        async move {
            let mut answer = exchange.begin(&[("content-type", "text/event-stream")]);
            while let Some(event) = told.lock().await.recv().await {
                answer.send_data(event.into(), false).unwrap();
            }
            answer.send_data(Bytes::new(), true).unwrap();
        }
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    let client = Http2::connect(gateway.address()).await;
    // The head comes before there is a body.
    let answer = client.send(client.request("GET", "/")).await.unwrap();
    let mut body = answer.into_body();
    for n in 0..20 {
        let event = format!("data: {n}\n\n");
        tell.send(event.clone()).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), event);
    }
    drop(tell);
    assert!(body.collect().await.unwrap().to_bytes().is_empty());
}

#[test]
fn a_client_that_leaves_a_poll_takes_the_upstream_connection_with_it_at_once() {
    let (tell, told) = channel();
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        tell.send(None).unwrap();
        // Nothing is answered: the connection ends.
        let waited = Instant::now();
        let bytes = raw.drain();
        tell.send(Some((bytes, waited.elapsed()))).unwrap();
    });
    let gateway = Gateway::start("[routes.all]\nupstream = \"up\"\ntimeouts = { first_byte = \"24h\" }\n", &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(get("/poll", ""));
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), None);
    drop(client);
    let (bytes, waited) = told.recv_timeout(DEADLINE).unwrap().unwrap();
    assert!(bytes == 0 && waited < Duration::from_secs(2), "{bytes} {waited:?}");
}

#[test]
fn an_answer_that_goes_on_for_longer_than_all_of_it_may_take_is_broken_off() {
    // A chunk each 20 ms is never idle.
    let upstream = RawUpstream::start(|raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while raw.try_send("1\r\na\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let gateway = Gateway::start("[routes.all]\nupstream = \"up\"\ntimeouts = { total = \"300ms\" }\n", &upstream);
    let begun = Instant::now();
    let answer = Raw::connect(gateway.address()).send(get("/", "")).response();
    let took = begun.elapsed();
    assert!(answer.status() == 200 && !answer.whole && answer.body.len() > 2, "{answer:?}");
    assert!(took > Duration::from_millis(290) && took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn an_answer_that_does_not_begin_in_all_of_its_time_is_504_and_one_in_time_is_whole() {
    let upstream = RawUpstream::start(|raw| {
        while let Some(seen) = raw.request() {
            if seen.head.starts_with("GET /never ") {
                raw.drain();
                return;
            }
            raw.send(ok("hello"));
        }
    });
    let gateway = Gateway::start("[routes.all]\nupstream = \"up\"\ntimeouts = { total = \"300ms\" }\n", &upstream);
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(get("/never", "")).response().status(), 504);
    let answer = client.send(get("/", "")).response();
    assert!(answer.status() == 200 && answer.whole && answer.body == b"hello", "{answer:?}");
    assert_eq!(gateway.metric("gatehouse_failures_total{code=\"upstream_timeout\"}"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_wait_longer_for_an_answer_or_shorter_than_its_upstream() {
    let times =
        "[upstreams.up]\nurl = \"http://{upstream}\"\nfirst_byte_timeout = \"150ms\"\nidle_timeout = \"150ms\"\n";
    let routes = "[routes.all]\nupstream = \"up\"\n\
        [routes.poll]\npath = \"/poll\"\nupstream = \"up\"\ntimeouts = { first_byte = \"1h\", idle = \"1h\" }\n";
    for protocol in ["http1", "http2"] {
        let text = format!("{times}protocol = \"{protocol}\"\n{routes}");
        let pause = Duration::from_millis(400);
        let (raw, streams);
        let upstream = match protocol {
            "http1" => {
                raw = RawUpstream::start(move |raw| {
                    while raw.request().is_some() {
                        std::thread::sleep(pause);
                        if raw.try_send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe").is_err() {
                            return;
                        }
                        std::thread::sleep(pause);
                        let _ = raw.try_send("llo");
                    }
                });
                &*raw
            }
            _ => {
                streams = Streams::start(move |mut exchange| async move {
                    tokio::time::sleep(pause).await;
                    let mut answer = exchange.begin(&[]);
                    let _ = answer.send_data("he".into(), false);
                    tokio::time::sleep(pause).await;
                    let _ = answer.send_data("llo".into(), true);
                });
                &*streams
            }
        };
        let gateway = Gateway::start(&text, upstream);
        assert_eq!(gateway.get("/poll").await.text(), "hello", "{protocol}");
        assert_eq!(gateway.get("/").await.status, 504, "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_wait_longer_for_its_clients() {
    let upstream = Streams::start(super::answer);
    let limits = "[limits]\nbody_idle_timeout = \"150ms\"\n";
    let patient = "[routes.patient]\npath = \"/patient\"\nupstream = \"up\"\ntimeouts = { body_idle = \"1h\" }\n";
    let gateway = Gateway::start(&format!("{limits}{}{patient}", text("", "")), &upstream);
    for (path, status) in [("/patient", 200), ("/", 408)] {
        let client = Http2::connect(gateway.address()).await;
        let (send, body) = piped();
        send.send(Frame::data("hel".into())).unwrap();
        let later = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let _ = send.send(Frame::data("lo".into()));
        });
        let answer = client.send_body(client.request("POST", path), body).await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        later.await.unwrap();
    }
}

#[test]
fn a_poll_that_is_answered_late_is_answered() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let upstream = RawUpstream::start(move |raw| {
        while raw.request().is_some() {
            wait.lock().unwrap().recv().unwrap();
            raw.send(ok("news"));
        }
    });
    let gateway = Gateway::start("[routes.all]\nupstream = \"up\"\ntimeouts = { first_byte = \"1m\" }\n", &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(get("/poll", ""));
    assert!(client.quiet(Duration::from_millis(100)));
    go.send(()).unwrap();
    assert_eq!(client.response().text(), "news");
}
