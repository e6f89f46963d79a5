//! Clients that are slow on purpose, over HTTP/1.1: in their header section, their body, or in reading the answer.

use std::{
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use super::{all, ended};
use crate::support::{
    Gateway, Process, Raw, RawUpstream, Upstream,
    raw::{DEADLINE, ask, get, ok},
};

const POST: &str = "POST /up HTTP/1.1\r\nhost: a\r\n";

/// Sends bytes one by one until the other end answers or leaves; tells how long that took.
fn trickle(client: &mut Raw, byte: &str) -> Duration {
    let begun = Instant::now();
    while client.try_send(byte).is_ok() && client.quiet(Duration::from_millis(20)) {
        assert!(begun.elapsed() < DEADLINE, "it is held for ever");
    }
    begun.elapsed()
}

#[test]
fn a_header_section_that_trickles_ends_in_its_time() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nheader_timeout = \"200ms\"\n"), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx: ");
    let took = trickle(&mut client, "x");
    assert_eq!(client.response_to_head().status(), 408);
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(gateway.metric_at(&ended("header_timeout"), 1), 1);
}

#[test]
fn a_body_that_trickles_is_answered_408() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(&all("[limits]\nbody_idle_timeout = \"300ms\"\n"), &upstream);
    for framing in ["content-length: 100000\r\n\r\n", "transfer-encoding: chunked\r\n\r\nfffff\r\n"] {
        let mut client = Raw::connect(gateway.address());
        client.send(format!("{POST}{framing}"));
        let took = trickle(&mut client, "b");
        let answer = client.response();
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (408, Some("body_timeout")));
        assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(5), "{took:?}");
    }
}

#[test]
fn a_body_that_keeps_its_rate_is_in_time_however_long_it_takes() {
    let upstream = RawUpstream::saying(ok("hello"));
    let limits = "[limits]\nbody_idle_timeout = \"300ms\"\nbody_min_rate = 1000\n";
    let gateway = Gateway::start(&all(limits), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(format!("{POST}content-length: 20000\r\n\r\n"));
    for _ in 0..20 {
        client.send("b".repeat(1000));
        assert!(client.quiet(Duration::from_millis(50)) || upstream.requests().len() == 1);
    }
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn a_route_may_let_bodies_trickle() {
    let upstream = RawUpstream::saying(ok("hello"));
    let route = "[limits]\nbody_idle_timeout = \"300ms\"\n\
        [routes.up]\npath = \"/up\"\nupstream = \"up\"\nlimits = { body_min_rate = 0 }\n";
    let gateway = Gateway::start(&all(route), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(format!("{POST}content-length: 20\r\n\r\n"));
    for _ in 0..20 {
        client.send("b").quiet(Duration::from_millis(50));
    }
    assert_eq!(client.response().text(), "hello");
}

/// An answer of so many bytes; tells how it went, by whether all were taken.
fn large(bytes: usize) -> (RawUpstream, std::sync::mpsc::Receiver<bool>) {
    let (taken, told) = channel();
    let upstream = RawUpstream::start(move |raw| {
        while raw.request().is_some() {
            raw.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n"));
            let piece = vec![b'x'; 1 << 20];
            let all = (0..bytes >> 20).all(|_| raw.try_send(&piece).is_ok());
            let _ = taken.send(all);
        }
    });
    (upstream, told)
}

#[test]
fn a_client_that_does_not_read_its_answer_is_ended() {
    let (upstream, told) = large(256 << 20);
    let gateway = Gateway::start(&all("[limits]\nanswer_idle_timeout = \"300ms\"\n"), &upstream);
    let mut client = Raw::connect(gateway.address());
    let begun = Instant::now();
    client.send(get("/", ""));
    assert_eq!(gateway.metric_at(&ended("answer_timeout"), 1), 1);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(!told.recv_timeout(DEADLINE).unwrap(), "the upstream's connection goes with it");
    assert_eq!(gateway.metric_at("gatehouse_failures_total{code=\"client_left\"}", 1), 1);
    assert_eq!(gateway.metric("gatehouse_requests_under_way"), 0);
}

#[test]
fn a_client_that_reads_slowly_but_keeps_reading_gets_all_of_it() {
    let (upstream, told) = large(48 << 20);
    let gateway = Gateway::start(&all("[limits]\nanswer_idle_timeout = \"1s\"\n"), &upstream);
    let mut client = Raw::connect(gateway.address());
    let begun = Instant::now();
    client.send(get("/", "connection: close\r\n")).head().unwrap();
    for _ in 0..24 {
        client.skip(2 << 20);
        // It rests: nothing is read.
        std::thread::park_timeout(Duration::from_millis(60));
    }
    assert!(told.recv_timeout(DEADLINE).unwrap());
    assert!(begun.elapsed() > Duration::from_secs(1));
    assert_eq!(client.rest(), b"");
    assert_eq!(gateway.metric(&ended("answer_timeout")), 0);
}

#[test]
fn two_hundred_slow_clients_hold_nobody_up_and_leave_nothing_behind() {
    let (upstream, _told) = large(64 << 20);
    // How late the worker is does not matter here: fifty answers of 64 MiB begin at once.
    let text = "[overload]\nmax_delay = \"0s\"\n[admin]\naddress = \"127.0.0.1:0\"\n[limits]\nheader_timeout = \"1s\"\nbody_idle_timeout = \"1s\"\n\
        answer_idle_timeout = \"1s\"\n[routes.well]\npath = \"/well\"\nrespond = { status = 200, body = \"well\" }\n";
    let process = Process::start(&all(text), &upstream);
    let well = || ask(process.address(), get("/well", "connection: close\r\n")).text() == "well";
    assert!(well());
    let (descriptors, memory) = (process.descriptors(), process.memory("VmRSS"));
    let mut slow: Vec<Raw> = (0..200).map(|_| Raw::connect(process.address())).collect();
    for (number, client) in slow.iter_mut().enumerate() {
        match number % 4 {
            0 => client.send("GET / HTTP/1.1\r\nhost: a\r\nx"),
            1 => client.send(format!("{POST}content-length: 1000\r\n\r\nb")),
            2 => client.send(get("/", "")),
            _ => client.send(""),
        };
    }
    let begun = Instant::now();
    let mut worst = Duration::ZERO;
    while process.descriptors() >= descriptors + 10 {
        let asked = Instant::now();
        assert!(well());
        worst = worst.max(asked.elapsed());
        assert!(begun.elapsed() < DEADLINE, "{} descriptors", process.descriptors());
    }
    println!("200 slow clients are gone after {:?}; another waited for {worst:?} at the most", begun.elapsed());
    let more = process.memory("VmRSS").saturating_sub(memory);
    assert!(more < 64 << 10, "{more} KiB more than before");
    assert!(well());
}
