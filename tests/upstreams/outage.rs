//! Upstreams that are out as a whole: every client is told so at once, and the upstream is not asked much more often than
//! its clients ask.

use std::time::Duration;

use gatehouse_faultproxy::{Act, Fault, Place};

use super::config;
use crate::support::{
    Faulty, Gateway, Raw,
    faulty::{Framing, body_of},
    raw::{ask, get},
};

/// Connections that are kept when it begins.
const KEPT: usize = 10;

const REQUESTS: usize = 100;

/// A gateway with kept connections.
fn with_kept(faulty: &Faulty) -> Gateway {
    let gateway = Gateway::start(&config(false), faulty);
    // At the same time, so that each needs one of its own.
    faulty.set(Fault::new(Place::Asked, [Act::Wait(Duration::from_millis(300))]));
    let mut clients: Vec<_> = (0..KEPT).map(|_| Raw::connect(gateway.address())).collect();
    for client in &mut clients {
        client.send(get("/fault/kept", ""));
    }
    for client in &mut clients {
        assert_eq!(client.response().status(), 200);
    }
    assert_eq!(faulty.proxy.open(), KEPT);
    gateway
}

#[test]
fn an_outage_makes_no_storm_of_repeated_requests() {
    for act in [Act::Reset, Act::Close] {
        let faulty = Faulty::start(Framing::Length);
        let gateway = with_kept(&faulty);
        let asked = faulty.asked();
        faulty.set(Fault::new(Place::Asked, [act]));
        let mut client = Raw::connect(gateway.address());
        for _ in 0..REQUESTS {
            let answer = client.send(get("/fault/out", "")).response();
            assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_broken")));
        }
        // A kept connection may have been closed before the request came; a new one was not.
        assert_eq!(faulty.asked() - asked, REQUESTS + KEPT);
        faulty.set(Fault::none());
        assert_eq!(client.send(get("/fault/back", "")).response().text(), body_of("/fault/back"));
    }
}

#[test]
fn what_must_not_be_repeated_is_not_in_an_outage_either() {
    let faulty = Faulty::start(Framing::Length);
    let gateway = with_kept(&faulty);
    let asked = faulty.asked();
    faulty.set(Fault::new(Place::Asked, [Act::Reset]));
    for body in ["content-length: 2\r\n\r\nhi", "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"] {
        for method in ["POST", "PATCH", "PUT", "DELETE"] {
            let request = format!("{method} /fault/out HTTP/1.1\r\nhost: a\r\n{body}");
            assert_eq!(ask(gateway.address(), request).status(), 502, "{method} {body}");
        }
    }
    assert_eq!(faulty.asked() - asked, 8);
}

#[test]
fn a_connection_that_ends_as_soon_as_it_is_made_is_tried_once() {
    let faulty = Faulty::start(Framing::Length);
    let gateway = Gateway::start(&config(true), &faulty);
    let long = format!("content-length: 100000\r\n\r\n{}", "x".repeat(100_000));
    let mut made = 0;
    for (act, status, codes) in [
        // It may be reset as soon as it is there, or in the moment before.
        (Act::Reset, 502, &["upstream_broken", "upstream_unreachable"][..]),
        (Act::Close, 502, &["upstream_broken"]),
        (Act::Hang, 504, &["upstream_timeout"]),
        (Act::say("220 smtp.example ESMTP\r\n"), 502, &["upstream_broken"]),
    ] {
        faulty.greet(Some(act.clone()));
        for (method, body) in [("GET", "\r\n"), ("POST", "content-length: 2\r\n\r\nhi"), ("POST", &long)] {
            let request = format!("{method} /fault/out HTTP/1.1\r\nhost: a\r\n{body}");
            let answer = ask(gateway.address(), request);
            let code = answer.json()["code"].as_str().unwrap().to_owned();
            assert!(answer.status() == status && codes.contains(&&*code), "{act:?} {method}: {code}");
            made += 1;
            assert_eq!(faulty.proxy.connections(), made, "{act:?} {method}");
        }
    }
    faulty.greet(None);
    assert_eq!(ask(gateway.address(), get("/ok", "")).text(), body_of("/ok"));
}
