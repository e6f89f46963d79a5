//! Answers that break off, that are no HTTP, or that are too much.

use std::sync::mpsc::channel;

use http_body_util::BodyExt;

use super::{all, upstream as with};
use crate::support::{
    Gateway, Http2, Process, Raw, RawUpstream,
    raw::{DEADLINE, ask, get, ok},
};

/// How an upstream leaves its answer in the middle.
const BREAKS: [fn(Raw); 3] = [drop, Raw::reset, |mut raw| drop(raw.rest())];

const LENGTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
const HALF_CHUNK: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nA\r\nhello";

/// An upstream that says this and then breaks off; `idle_timeout` is short.
fn breaking(said: &'static str, end: fn(Raw)) -> (RawUpstream, Gateway) {
    let upstream = RawUpstream::ending(move |mut raw| {
        raw.request();
        raw.send(said);
        end(raw);
    });
    // A connection of HTTP/2 has no time to say goodbye in: the test's runtime stands still while the gateway stops.
    let server = "[server]\nworkers = 1\ndrain_timeout = \"10ms\"\n";
    let gateway = Gateway::start(&(server.to_owned() + &with("idle_timeout = \"200ms\"")), &upstream);
    (upstream, gateway)
}

#[test]
fn a_body_that_breaks_off_is_never_a_whole_one_for_a_client_of_http_1_1() {
    for said in [LENGTH, CHUNKED, HALF_CHUNK] {
        for end in BREAKS {
            let (_upstream, gateway) = breaking(said, end);
            let mut client = Raw::connect(gateway.address());
            let answer = client.send(get("/", "")).response();
            assert_eq!((answer.status(), answer.whole), (200, false), "{said}");
            assert!("hello".starts_with(answer.text()), "{}", answer.text());
            assert_eq!(client.rest(), b"");
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_for_a_client_of_http2() {
    for said in [LENGTH, CHUNKED, HALF_CHUNK] {
        for end in BREAKS {
            let (_upstream, gateway) = breaking(said, end);
            let client = Http2::connect(gateway.address()).await;
            let answer = client.send(client.request("GET", "/")).await.unwrap();
            assert!(answer.into_body().collect().await.is_err(), "{said}");
            // Only the stream has ended.
            assert_eq!(client.send(client.request("GET", "/")).await.unwrap().status(), 200);
        }
    }
}

#[test]
fn a_broken_body_is_in_the_log_with_its_reason() {
    let upstream = RawUpstream::ending(|mut raw| {
        raw.request();
        raw.send(LENGTH);
    });
    let process = Process::start(&all(""), &upstream);
    ask(process.address(), get("/", ""));
    let line = process.access_line("/");
    assert_eq!((line["status"].as_u64(), line["failure"].as_str()), (Some(200), Some("upstream_broken")));
    assert_eq!(line["response_bytes"].as_u64(), Some(5));
}

#[test]
fn a_body_that_ends_with_the_connection_is_passed_on_as_it_can_be() {
    let upstream = RawUpstream::ending(|mut raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\n\r\nhello");
    });
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..2 {
        let answer = client.send(get("/", "")).response();
        assert_eq!((answer.header("transfer-encoding"), answer.text(), answer.whole), (Some("chunked"), "hello", true));
    }
}

#[test]
fn a_connection_that_ends_without_an_answer_is_broken() {
    for end in [drop, Raw::reset] {
        for said in ["", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n"] {
            let upstream = RawUpstream::ending(move |mut raw| {
                raw.request();
                raw.send(said);
                end(raw);
            });
            let gateway = Gateway::start(&all(""), &upstream);
            let answer = ask(gateway.address(), get("/", ""));
            assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_broken")), "{said}");
            // A connection that was new is not tried twice.
            assert_eq!(upstream.connections(), 1);
        }
    }
}

#[test]
fn an_answer_that_is_no_http_is_not_usable() {
    for said in [
        "garbage\r\n\r\n",
        "\r\n\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 099 No\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-a: b\0c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-a: b\r\n  folded\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "\x15\x03\x01\0\x02\x02\x46",
    ] {
        let upstream = RawUpstream::ending(move |mut raw| {
            raw.request();
            raw.send(said);
        });
        let gateway = Gateway::start(&all(""), &upstream);
        let answer = ask(gateway.address(), get("/", ""));
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_broken")), "{said:?}");
        assert!(!answer.text().contains("garbage"), "{}", answer.text());
    }
}

#[test]
fn too_many_and_too_large_headers_of_an_upstream_are_not_usable() {
    let many = "x: 1\r\n".repeat(101);
    let large = format!("x: {}\r\n", "v".repeat(1 << 20));
    for lines in [many, large] {
        let upstream = RawUpstream::start(move |raw| {
            raw.request();
            // The gateway may leave before it has read everything.
            let _ = raw.try_send(format!("HTTP/1.1 200 OK\r\n{lines}content-length: 0\r\n\r\n"));
        });
        let gateway = Gateway::start(&all(""), &upstream);
        let answer = ask(gateway.address(), get("/", ""));
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_broken")));
    }
}

#[test]
fn headers_of_an_upstream_without_an_end_are_cut_off() {
    let (send, took) = channel();
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\n");
        let line = format!("x: {}\r\n", "v".repeat(8186));
        send.send((0..10_000).take_while(|_| raw.try_send(&line).is_ok()).count()).unwrap();
    });
    let gateway = Gateway::start(&all(""), &upstream);
    assert_eq!(ask(gateway.address(), get("/", "")).status(), 502);
    assert!(took.recv_timeout(DEADLINE).unwrap() < 10_000);
}

#[test]
fn an_answer_longer_than_it_says_ends_where_it_says() {
    let upstream = RawUpstream::saying("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\nevil");
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..3 {
        let answer = client.send(get("/", "")).response();
        assert_eq!((answer.status(), answer.text()), (200, "hello"));
    }
    assert_eq!(upstream.connections(), 3);
}

#[test]
fn an_answer_to_a_body_that_is_not_read_still_reaches_the_client() {
    let upstream = RawUpstream::start(|raw| {
        raw.head();
        raw.send(ok("enough"));
        raw.drain();
    });
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nhello");
    assert_eq!(client.response().text(), "enough");
}
