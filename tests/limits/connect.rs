//! Upstreams that cannot be reached, or that do not answer.

use std::{
    net::{SocketAddr, TcpStream},
    sync::mpsc::channel,
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use super::upstream as with;
use crate::support::{
    Gateway, Raw, RawUpstream, Upstream,
    raw::{DEADLINE, ask, get, ok},
};

/// A route to an address that nobody of ours serves.
fn to(address: SocketAddr) -> String {
    with("connect_timeout = \"200ms\"").replace("{upstream}", &address.to_string())
}

#[test]
fn an_upstream_that_refuses_is_unreachable_and_asking_again_may_help() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gateway = Gateway::start(&to(address), &Upstream::start());
    let answer = ask(gateway.address(), get("/", ""));
    assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_unreachable")));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(!answer.text().contains(&address.port().to_string()), "{}", answer.text());
}

#[test]
fn an_upstream_name_that_does_not_resolve_is_unreachable() {
    let gateway =
        Gateway::start(&with("connect_timeout = \"9s\"").replace("{upstream}", "nowhere.invalid"), &Upstream::start());
    let answer = ask(gateway.address(), get("/", ""));
    assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_unreachable")));
}

#[test]
fn an_upstream_that_takes_no_connection_is_given_up_in_its_time() {
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    // The system takes no more once the queue is full; nobody empties it.
    let patience = Duration::from_millis(100);
    let waiting: Vec<_> = std::iter::from_fn(|| TcpStream::connect_timeout(&address, patience).ok()).collect();
    assert!(waiting.len() < 10, "{}", waiting.len());
    let gateway = Gateway::start(&to(address), &Upstream::start());
    let answer = ask(gateway.address(), get("/", ""));
    assert_eq!((answer.status(), answer.json()["code"].as_str()), (504, Some("upstream_connect_timeout")));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[test]
fn an_upstream_that_does_not_answer_is_given_up_and_disconnected() {
    let (send, left) = channel();
    let upstream = RawUpstream::start(move |raw| send.send((raw.request().is_some(), raw.rest())).unwrap());
    let gateway = Gateway::start(&with("first_byte_timeout = \"200ms\""), &upstream);
    let mut client = Raw::connect(gateway.address());
    let answer = client.send(get("/", "")).response();
    assert_eq!((answer.status(), answer.json()["code"].as_str()), (504, Some("upstream_timeout")));
    assert_eq!(left.recv_timeout(DEADLINE).unwrap(), (true, vec![]));
    // The client's connection is none the worse for it.
    assert_eq!(client.send(get("/", "")).response().status(), 504);
}

#[test]
fn half_a_header_section_of_the_upstream_is_no_answer() {
    let upstream = RawUpstream::start(|raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\ncontent-le");
        raw.rest();
    });
    let gateway = Gateway::start(&with("first_byte_timeout = \"200ms\""), &upstream);
    assert_eq!(ask(gateway.address(), get("/", "")).status(), 504);
}

#[test]
fn a_slow_answer_within_the_time_is_an_answer() {
    let upstream = RawUpstream::start(|raw| {
        raw.request();
        assert!(raw.quiet(Duration::from_millis(300)));
        raw.send(ok("late"));
    });
    let gateway = Gateway::start(&with("first_byte_timeout = \"5s\"\nidle_timeout = \"100ms\""), &upstream);
    assert_eq!(ask(gateway.address(), get("/", "")).text(), "late");
}
