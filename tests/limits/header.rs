//! The size of a header section, and the time it may take.

use std::time::Duration;

use super::all;
use crate::support::{
    Gateway, Http2, Raw, RawUpstream, Upstream,
    raw::{Message, ask, get, ok},
};

/// Status and code of an answer.
fn refusal(answer: &Message) -> (u16, String) {
    (answer.status(), answer.json()["code"].as_str().unwrap().to_owned())
}

#[test]
fn header_bytes_are_counted_to_the_last() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nheader_bytes = \"2KiB\""), &upstream);
    // `host` and `a.example` are 13 bytes, `x` is one.
    let sized = |bytes: usize| get("/", &format!("x: {}\r\n", "v".repeat(bytes - 14)));
    assert_eq!(ask(gateway.address(), sized(2048)).status(), 200);
    assert_eq!(refusal(&ask(gateway.address(), sized(2049))), (431, "headers_too_large".into()));
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn header_fields_are_counted_below_and_above_what_hyper_takes_by_itself() {
    let upstream = RawUpstream::saying(ok("hello"));
    for most in [10, 100, 150] {
        let gateway = Gateway::start(&all(&format!("[limits]\nheader_count = {most}")), &upstream);
        let fields = |count: usize| get("/", &"x: 1\r\n".repeat(count - 1));
        assert_eq!(ask(gateway.address(), fields(most)).status(), 200, "{most}");
        assert_eq!(ask(gateway.address(), fields(most + 1)).status(), 431, "{most}");
    }
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn a_target_is_measured_with_its_query() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nuri_bytes = 100"), &upstream);
    for start in ["/", "/a?", "/?/"] {
        let target = |bytes: usize| format!("{start}{}", "u".repeat(bytes - start.len()));
        assert_eq!(ask(gateway.address(), get(&target(100), "")).status(), 200);
        assert_eq!(refusal(&ask(gateway.address(), get(&target(101), ""))), (414, "uri_too_long".into()));
    }
    assert_eq!(upstream.seen().len(), 3);
}

#[test]
fn the_default_limits_can_all_be_used_at_once() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(&all(""), &upstream);
    let fields: String = (0..99).map(|n| format!("x-{n:03}: {}\r\n", "v".repeat(160))).collect();
    let target = format!("/{}", "u".repeat(8191));
    assert_eq!(ask(gateway.address(), get(&target, &fields)).status(), 200);
    assert_eq!(refusal(&ask(gateway.address(), get(&format!("{target}u"), ""))).0, 414);
    assert_eq!(refusal(&ask(gateway.address(), get("/", &format!("x: {}\r\n", "v".repeat(16 << 10))))).0, 431);
}

#[test]
fn a_header_section_without_an_end_is_cut_off() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send("GET / HTTP/1.1\r\n");
    let line = format!("x: {}\r\n", "v".repeat(8192));
    let sent = (0..1000).take_while(|_| client.try_send(&line).is_ok()).count();
    assert!(sent < 1000, "8 MB of a header section were taken");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn http2_has_the_same_limits() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(&all("[limits]\nheader_bytes = \"8KiB\"\nuri_bytes = 8000"), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let with = |path: usize, fields: usize, value: usize| {
        let request = client.request("GET", &format!("/{}", "u".repeat(path - 1)));
        (0..fields).fold(request, |request, n| request.header(format!("x-{n:02}"), "v".repeat(value)))
    };
    for (path, fields, value, status) in
        [(1, 90, 80, 200), (1, 90, 88, 431), (8000, 90, 80, 200), (8001, 1, 1, 414), (1, 101, 1, 431), (1, 100, 1, 200)]
    {
        let answer = client.send(with(path, fields, value)).await.unwrap();
        assert_eq!(answer.status(), status, "{path} {fields} {value}");
    }
}

#[test]
fn half_a_header_section_is_answered_408_when_its_time_is_over() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nheader_timeout = \"200ms\"\nidle_timeout = \"1h\""), &upstream);
    for start in ["G", "GET / HTTP/1.1\r\nhost: a", "GET / HTTP/1.1\r\nhost: a\r\n"] {
        let mut client = Raw::connect(gateway.address());
        client.send(start);
        let rest = client.rest();
        assert!(rest.starts_with(b"HTTP/1.1 408 "), "{start}: {}", String::from_utf8_lossy(&rest));
    }
}

#[test]
fn a_header_section_that_trickles_in_gets_no_more_time() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nheader_timeout = \"300ms\""), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send("GET / HTTP/1.1\r\nhost: a\r\n");
    let mut lines = 0;
    while client.quiet(Duration::from_millis(20)) && lines < 100 {
        lines += 1;
        // It may be over just now.
        let _ = client.try_send("x: y\r\n");
    }
    assert_eq!(client.response().status(), 408, "after {lines} lines");
}

#[test]
fn the_second_header_section_of_a_connection_has_its_time_too() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nheader_timeout = \"200ms\"\nidle_timeout = \"1h\""), &upstream);
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(get("/", "")).response().status(), 200);
    assert_eq!(client.send("GET / HT").response().status(), 408);
}

#[test]
fn a_new_connection_that_says_nothing_is_closed_without_a_word() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nheader_timeout = \"100ms\"\nidle_timeout = \"1h\""), &upstream);
    assert_eq!(Raw::connect(gateway.address()).rest(), b"");
    assert_eq!(Raw::connect(gateway.address()).send("PRI * HTTP").rest(), b"");
}
