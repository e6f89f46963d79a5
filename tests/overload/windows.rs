//! Clients of HTTP/2 that ask and leave no window for the answers.

use std::{
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use super::{all, ended, frame, preface, request};
use crate::support::{
    Gateway, Raw, RawUpstream, Upstream,
    raw::{DEADLINE, ask, get},
};

/// SETTINGS_INITIAL_WINDOW_SIZE of zero.
const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];

const TIMEOUT: &str = "[limits]\nanswer_idle_timeout = \"300ms\"\n";

/// An answer that goes on for as long as somebody takes it; tells how many bytes were taken.
fn endless() -> (RawUpstream, std::sync::mpsc::Receiver<u64>) {
    let (taken, told) = channel();
    let upstream = RawUpstream::start(move |raw| {
        while let Some(seen) = raw.request() {
            if seen.head.starts_with("GET /well") {
                raw.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell");
                continue;
            }
            raw.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
            let _ = taken.send(raw.flood(DEADLINE, &[b'x'; 16 << 10]).0);
            return;
        }
    });
    (upstream, told)
}

#[test]
fn a_stream_whose_client_gives_no_window_is_reset_and_its_connection_goes_on() {
    let (upstream, told) = endless();
    let gateway = Gateway::start(&all(TIMEOUT), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(preface(NO_WINDOW)).send(request(1));
    // RST_STREAM with CANCEL.
    let begun = Instant::now();
    let reset: String = frame(3, 0, 1, &[0, 0, 0, 8]).into_iter().map(char::from).collect();
    client.until(&reset);
    assert!(begun.elapsed() >= Duration::from_millis(250), "{:?}", begun.elapsed());
    assert_eq!(gateway.metric_at(&ended("answer_timeout"), 1), 1);
    // What the upstream had to say was not gathered: it is as much as sockets keep, and its connection is gone.
    assert!(told.recv_timeout(DEADLINE).unwrap() < 16 << 20);
    client.send(frame(6, 0, 0, b"pingpong")).until("pingpong");
}

#[test]
fn a_window_of_a_byte_now_and_then_is_a_trickle() {
    let (upstream, _told) = endless();
    let gateway = Gateway::start(&all(TIMEOUT), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(preface(NO_WINDOW)).send(request(1));
    let begun = Instant::now();
    while gateway.metric(&ended("answer_timeout")) == 0 {
        client.send(frame(8, 0, 1, &[0, 0, 0, 1]));
        // A byte is taken, and no more for a while.
        std::thread::park_timeout(Duration::from_millis(50));
        assert!(begun.elapsed() < DEADLINE, "it is held for ever");
    }
    assert_eq!(gateway.metric(&ended("http2_flood")), 0);
}

#[test]
fn a_window_of_a_byte_again_and_again_is_a_flood() {
    // Data dribble, CVE-2019-9511.
    let (upstream, _told) = endless();
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(preface(NO_WINDOW)).send(request(1));
    let mut updates = 0;
    while client.try_send(frame(8, 0, 1, &[0, 0, 0, 1])).is_ok() {
        // Waits for the byte, not for the time.
        client.quiet(Duration::from_millis(50));
        updates += 1;
        assert!(updates < 10_000, "it is served for ever");
    }
    assert_eq!(gateway.metric_at(&ended("http2_flood"), 1), 1);
}

#[test]
fn two_hundred_streams_without_a_window_leave_others_alone_and_give_all_back() {
    let (upstream, _told) = endless();
    let gateway = Gateway::start(&all(TIMEOUT), &upstream);
    let mut client = Raw::connect(gateway.address());
    let streams = (0..200).flat_map(|number| request(number * 2 + 1));
    client.send(preface(NO_WINDOW)).send(streams.collect::<Vec<_>>());
    assert_eq!(ask(gateway.address(), get("/well", "connection: close\r\n")).text(), "well");
    assert_eq!(gateway.metric_at(&ended("answer_timeout"), 200), 200);
    assert_eq!(gateway.metric("gatehouse_requests_under_way"), 0);
}

#[test]
fn who_waits_for_the_upstream_is_not_waited_for() {
    // Events that come slower than a client may be.
    let upstream = RawUpstream::start(|raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for _ in 0..5 {
            raw.send("7\r\nevent\r\n\r\n");
            raw.quiet(Duration::from_millis(250));
        }
        raw.send("3\r\nend\r\n0\r\n\r\n");
    });
    let short = "[limits]\nanswer_idle_timeout = \"100ms\"\nbody_idle_timeout = \"100ms\"\nidle_timeout = \"100ms\"\n";
    let gateway = Gateway::start(&all(short), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(preface(&[])).send(request(1)).until("end");
    assert_eq!(ask(gateway.address(), get("/", "connection: close\r\n")).text(), "event\r\n".repeat(5) + "end");
    assert_eq!(gateway.metric(&ended("answer_timeout")), 0);
}

#[test]
fn an_upstream_is_waited_for_without_a_timer_of_the_client() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nanswer_idle_timeout = \"1ms\"\n"), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(preface(&[]));
    for number in 0..200 {
        client.send(request(number * 2 + 1)).until("hello");
    }
}
