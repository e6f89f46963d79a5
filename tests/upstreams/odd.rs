//! Upstreams that say something else than an answer, or more than one.

use std::time::Duration;

use gatehouse_faultproxy::{Act, Fault, Place};

use super::config;
use crate::support::{
    Faulty, Gateway, Raw,
    faulty::{Framing, body_of},
    raw::{DEADLINE, get, ok},
    until,
};

fn running(framing: Framing) -> (Faulty, Gateway) {
    let faulty = Faulty::start(framing);
    let gateway = Gateway::start(&config(false), &faulty);
    (faulty, gateway)
}

/// Asks for what is served well, some times.
fn is_served(client: &mut Raw, case: &str) {
    for number in 0..3 {
        let path = format!("/ok/{number}");
        assert_eq!(client.send(get(&path, "")).response().text(), body_of(&path), "{case}");
    }
}

#[test]
fn garbage_in_a_header_section_is_no_answer() {
    let (faulty, gateway) = running(Framing::Length);
    let mut client = Raw::connect(gateway.address());
    for (place, said) in [
        (Place::Asked, "garbage\r\n\r\n"),
        (Place::Asked, "\0\0\0\0"),
        (Place::StatusLine, "\r\n"),
        (Place::HeaderLine, "no colon\r\n"),
        (Place::HeaderLine, " folded: 1\r\n"),
        (Place::HeaderLine, "content-length: 3\r\n"),
        (Place::HeaderLine, "transfer-encoding: chunked\r\n"),
    ] {
        faulty.set(Fault::new(place, [Act::say(said)]));
        let answer = client.send(get("/fault/garbage", "")).response();
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_broken")), "{said:?}");
        is_served(&mut client, said);
    }
    assert_eq!(faulty.reused(), 0);
}

#[test]
fn garbage_between_chunks_breaks_the_body() {
    let (faulty, gateway) = running(Framing::Chunked);
    let mut other = Raw::connect(gateway.address());
    for (place, said) in [
        (Place::ChunkSize, "x"),
        (Place::ChunkEnd, "junk"),
        (Place::LastChunk, "zz\r\n"),
        (Place::Trailers, "no end\n"),
        (Place::LastByte, "\r"),
    ] {
        faulty.set(Fault::new(place, [Act::say(said)]));
        let answer = Raw::connect(gateway.address()).send(get("/fault/garbage", "")).response();
        assert_eq!((answer.status(), answer.whole), (200, false), "{said:?}");
        assert!(body_of("/fault/garbage").starts_with(answer.text()), "{said:?}");
        is_served(&mut other, said);
    }
    assert_eq!(faulty.reused(), 0);
}

#[test]
fn a_second_answer_reaches_nobody() {
    let later = Act::Wait(Duration::from_millis(20));
    for framing in [Framing::Length, Framing::Chunked] {
        for acts in [vec![], vec![later.clone()]] {
            let (faulty, gateway) = running(framing);
            let mut client = Raw::connect(gateway.address());
            let acts = [acts, vec![Act::say(ok("poison")), Act::Hang]].concat();
            faulty.set(Fault::new(Place::End, acts));
            let answer = client.send(get("/fault/two", "")).response();
            assert_eq!((answer.whole, answer.text()), (true, &*body_of("/fault/two")));
            // The gateway closes what it cannot trust, without being asked for anything.
            until(DEADLINE, || faulty.proxy.open() == 0);
            is_served(&mut client, "two");
            assert_eq!(faulty.reused(), 0);
        }
    }
}

#[test]
fn a_body_where_none_can_be_reaches_nobody() {
    let later = Act::Wait(Duration::from_millis(20));
    for (method, path) in [("HEAD", "/fault/head"), ("GET", "/fault/nothing")] {
        for acts in [vec![], vec![later.clone()]] {
            let (faulty, gateway) = running(Framing::Length);
            let mut client = Raw::connect(gateway.address());
            let acts = [acts, vec![Act::say(ok("poison")), Act::Hang]].concat();
            faulty.set(Fault::new(Place::End, acts));
            let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n");
            let status = client.send(request).response_to_head().status();
            assert_eq!(status, if method == "HEAD" { 200 } else { 204 });
            until(DEADLINE, || faulty.proxy.open() == 0);
            is_served(&mut client, path);
            assert_eq!(faulty.reused(), 0);
        }
    }
}

#[test]
fn an_early_answer_is_passed_on_though_the_upstream_resets_in_the_middle_of_the_request() {
    let (faulty, gateway) = running(Framing::Length);
    let early = [Act::say(ok("early")), Act::Wait(Duration::from_millis(50)), Act::Reset];
    faulty.set(Fault::new(Place::Request(1000), early));
    for number in 0..5 {
        let mut client = Raw::connect(gateway.address());
        client.send("POST /fault/early HTTP/1.1\r\nhost: a\r\ncontent-length: 500000\r\n\r\n");
        // The gateway may be done before it has read everything.
        let _ = client.try_send(vec![b'x'; 500_000]);
        assert_eq!(client.response().text(), "early", "{number}");
        is_served(&mut Raw::connect(gateway.address()), "early");
    }
    faulty.set(Fault::new(Place::Request(1000), [Act::Reset]));
    let mut client = Raw::connect(gateway.address());
    client.send("POST /fault/reset HTTP/1.1\r\nhost: a\r\ncontent-length: 500000\r\n\r\n");
    let _ = client.try_send(vec![b'x'; 500_000]);
    assert_eq!(client.response().status(), 502);
    assert_eq!(faulty.reused(), 0);
}
