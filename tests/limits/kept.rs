//! Connections to an upstream that are kept: none of what happens to them between two requests reaches a client.

use std::{
    sync::{Mutex, mpsc::channel},
    time::Duration,
};

use super::{all, upstream as with};
use crate::support::{
    Gateway, Raw, RawUpstream,
    raw::{DEADLINE, get, ok},
};

#[test]
fn a_connection_serves_one_request_after_the_other_whatever_the_framing() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned();
    let trailers =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-end: 1\r\n\r\n".to_owned();
    for answer in [ok("hello"), chunked, trailers] {
        let upstream = RawUpstream::saying(answer.clone());
        let gateway = Gateway::start(&all(""), &upstream);
        let mut client = Raw::connect(gateway.address());
        for _ in 0..10 {
            assert_eq!(client.send(get("/", "")).response().text(), "hello");
        }
        assert_eq!(upstream.connections(), 1, "{answer}");
    }
}

#[test]
fn a_connection_serves_one_body_after_the_other() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    for (lines, body) in [("content-length: 5", "hello"), ("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")] {
        for method in ["POST", "GET", "PUT"] {
            let request = format!("{method} / HTTP/1.1\r\nhost: a\r\n{lines}\r\n\r\n{body}");
            assert_eq!(client.send(request).response().text(), "hello");
            assert_eq!(upstream.last_request().text(), "hello", "{method} {lines}");
        }
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_upstream_that_closes_after_each_answer_without_saying_so_costs_no_error() {
    let upstream = RawUpstream::ending(|mut raw| {
        raw.request();
        raw.send(ok("hello"));
    });
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    let answers = (0..500).map(|_| client.send(get("/", "")).response().status());
    assert_eq!(answers.filter(|status| *status != 200).count(), 0);
    assert_eq!(upstream.requests().len(), 500);
}

#[test]
fn an_upstream_that_resets_after_each_answer_costs_no_error() {
    let upstream = RawUpstream::ending(|mut raw| {
        raw.request();
        raw.send(ok("hello"));
        // The answer is whole before it resets, as the next request has come.
        raw.head();
        raw.reset();
    });
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..200 {
        assert_eq!(client.send(get("/", "")).response().status(), 200);
    }
}

#[test]
fn a_request_that_may_have_been_acted_on_is_not_repeated() {
    for request in ["POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi", "POST / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let upstream = RawUpstream::ending(|mut raw| {
            raw.request();
            raw.send(ok("hello"));
            raw.request();
            raw.reset();
        });
        let gateway = Gateway::start(&all(""), &upstream);
        let mut client = Raw::connect(gateway.address());
        assert_eq!(client.send(get("/", "")).response().status(), 200);
        assert_eq!(client.send(request).response().status(), 502);
        assert_eq!((upstream.requests().len(), upstream.connections()), (2, 1));
    }
}

#[test]
fn bytes_that_nobody_asked_for_are_not_taken_for_an_answer() {
    let (send, closed) = channel();
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        raw.send(ok("mine"));
        // The gateway closes what it cannot trust; only then the test goes on.
        let _ = raw.try_send(ok("poison"));
        send.send(raw.rest()).unwrap();
    });
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..5 {
        assert_eq!(client.send(get("/", "")).response().text(), "mine");
        assert_eq!(closed.recv_timeout(DEADLINE).unwrap(), b"");
    }
}

#[test]
fn two_answers_to_one_request_are_one_answer() {
    let upstream = RawUpstream::saying([ok("first"), ok("second")].concat());
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..20 {
        assert_eq!(client.send(get("/", "")).response().text(), "first");
    }
    assert_eq!(upstream.connections(), 20);
}

#[test]
fn two_answers_without_bodies_are_one_answer() {
    let nothing = "HTTP/1.1 204 No Content\r\n\r\n".to_owned();
    let upstream = RawUpstream::saying([nothing, ok("second")].concat());
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..20 {
        assert_eq!(client.send(get("/", "")).response().status(), 204);
    }
}

#[test]
fn a_body_that_is_not_wanted_costs_its_connection_and_nobody_elses_answer() {
    let (send, left) = channel();
    let upstream = RawUpstream::start(move |raw| {
        while let Some(request) = raw.request() {
            if request.target() == "/long" {
                raw.send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
                send.send(raw.flood(DEADLINE, &[b'x'; 65536]).0).unwrap();
                return;
            }
            raw.send(ok("short"));
        }
    });
    let gateway = Gateway::start(&all(""), &upstream);
    let mut leaving = Raw::connect(gateway.address());
    leaving.send(get("/long", "")).until("xxx");
    drop(leaving);
    assert!(left.recv_timeout(DEADLINE).unwrap() < 100_000_000);
    assert_eq!(Raw::connect(gateway.address()).send(get("/", "")).response().text(), "short");
}

#[test]
fn a_connection_is_kept_no_longer_than_the_configuration_says() {
    let (send, served) = channel();
    let send = Mutex::new(send);
    let upstream = RawUpstream::start(move |raw| {
        while raw.request().is_some() {
            raw.send(ok("hello"));
            send.lock().unwrap().send(()).unwrap();
        }
    });
    for (lines, connections) in [("max_idle = 0", 3), ("keepalive_timeout = \"1ms\"", 3)] {
        let before = upstream.connections();
        let gateway = Gateway::start(&with(lines), &upstream);
        let mut client = Raw::connect(gateway.address());
        for _ in 0..3 {
            assert_eq!(client.send(get("/", "")).response().text(), "hello");
            served.recv_timeout(DEADLINE).unwrap();
            assert!(client.quiet(Duration::from_millis(20)));
        }
        assert_eq!(upstream.connections() - before, connections, "{lines}");
    }
}
