//! What an upstream never ends: interim answers, a header section that trickles, chunk extensions, trailers, a body that
//! it does not take.

use std::{
    sync::mpsc::channel,
    time::{Duration, Instant},
};

use super::{all, upstream as with};
use crate::support::{
    Gateway, Raw, RawUpstream,
    raw::{DEADLINE, ask, get, ok},
};

/// Most bytes of the header sections of one answer.
const HEADERS: usize = 256 << 10;

const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";

/// What an upstream says over and over behind a beginning; how much of it the gateway took comes through the channel.
fn endless(beginning: &'static str, piece: &str) -> (RawUpstream, std::sync::mpsc::Receiver<u64>) {
    let (send, took) = channel();
    let piece = piece.repeat((64 << 10) / piece.len());
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        raw.send(beginning);
        // The test may have ended.
        let _ = send.send(raw.flood(DEADLINE, piece.as_bytes()).0);
    });
    (upstream, took)
}

/// What may be in the sockets between two ends on top of what was read.
const UNDERWAY: u64 = 16 << 20;

#[test]
fn interim_answers_without_an_end_are_no_answer() {
    let (upstream, took) = endless("", INTERIM);
    let gateway = Gateway::start(&all(""), &upstream);
    let answer = ask(gateway.address(), get("/", ""));
    assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_broken")));
    assert!(took.recv_timeout(DEADLINE).unwrap() < UNDERWAY);
}

#[test]
fn some_interim_answers_are_passed_over() {
    let upstream = RawUpstream::saying(INTERIM.repeat(100) + &ok("hello"));
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..3 {
        assert_eq!(client.send(get("/", "")).response().text(), "hello");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn the_header_sections_of_an_answer_are_counted_to_the_last_byte() {
    let end = "\r\ncontent-length: 0\r\n\r\n";
    let sized = |interim: usize, bytes: usize| {
        let begin = format!("{}HTTP/1.1 200 OK\r\nx: ", INTERIM.repeat(interim));
        begin.clone() + &"v".repeat(bytes - begin.len() - end.len()) + end
    };
    for (interim, bytes, status) in [(0, HEADERS, 200), (0, HEADERS + 1, 502), (3, HEADERS, 200), (3, HEADERS + 1, 502)]
    {
        let upstream = RawUpstream::saying(sized(interim, bytes));
        let gateway = Gateway::start(&all(""), &upstream);
        assert_eq!(ask(gateway.address(), get("/", "")).status(), status, "{interim} {bytes}");
    }
}

#[test]
fn a_header_section_that_trickles_gets_no_more_time_than_one_that_does_not_come() {
    for piece in ["x: y\r\n", INTERIM] {
        let upstream = RawUpstream::start(move |raw| {
            raw.request();
            if piece != INTERIM {
                raw.send("HTTP/1.1 200 OK\r\n");
            }
            while raw.quiet(Duration::from_millis(10)) && raw.try_send(piece).is_ok() {}
        });
        let gateway = Gateway::start(&with("first_byte_timeout = \"300ms\""), &upstream);
        let begin = Instant::now();
        let answer = ask(gateway.address(), get("/", ""));
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (504, Some("upstream_timeout")), "{piece}");
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    }
}

#[test]
fn chunk_extensions_and_trailers_without_an_end_break_the_body() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    for (piece, first) in [("e", "5;"), ("1;eeee\r\na\r\n", ""), ("x: y\r\n", "0\r\n"), ("t", "0\r\n")] {
        let beginning: &'static str = (CHUNKED.to_owned() + first).leak();
        let (upstream, took) = endless(beginning, piece);
        let gateway = Gateway::start(&all(""), &upstream);
        let answer = ask(gateway.address(), get("/", ""));
        assert_eq!((answer.status(), answer.whole), (200, false), "{piece}");
        assert!("helloaaaaaaaa".starts_with(&answer.text()[..5]));
        assert!(took.recv_timeout(DEADLINE).unwrap() < UNDERWAY, "{piece}");
    }
}

#[test]
fn a_body_that_comes_byte_by_byte_is_waited_for_and_one_that_stands_still_is_not() {
    let upstream = RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            let answer = ok("0123456789");
            let (head, body) = answer.split_at(answer.len() - 10);
            raw.send(head);
            let stands = if request.target() == "/still" { 5 } else { 10 };
            for byte in &body.as_bytes()[..stands] {
                raw.send([*byte]);
                assert!(raw.quiet(Duration::from_millis(40)));
            }
            if stands == 5 {
                raw.rest();
                return;
            }
        }
    });
    let gateway = Gateway::start(&with("idle_timeout = \"300ms\"\nfirst_byte_timeout = \"200ms\""), &upstream);
    let mut client = Raw::connect(gateway.address());
    // All of it takes longer than `idle_timeout`, each byte less.
    assert_eq!(client.send(get("/slow", "")).response().text(), "0123456789");
    let answer = client.send(get("/still", "")).response();
    assert_eq!((answer.text(), answer.whole), ("01234", false));
}

#[test]
fn a_body_that_the_upstream_takes_no_more_of_after_its_answer_is_broken_off() {
    let (send, left) = channel();
    let upstream = RawUpstream::start(move |raw| {
        raw.head();
        raw.send(ok("enough"));
        // It reads nothing, and sees whether the other end goes away nevertheless.
        send.send(raw.is_left(DEADLINE)).unwrap();
    });
    let gateway = Gateway::start(&(with("idle_timeout = \"200ms\"") + "[limits]\nbody_bytes = \"2GiB\"\n"), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n");
    client.flood(Duration::from_millis(300), &[b'x'; 65536]);
    assert_eq!(client.response().text(), "enough");
    assert!(left.recv_timeout(DEADLINE * 2).unwrap(), "the connection to the upstream stays for ever");
}
