//! Framing: a message has one length, and no two parties read another one out of it.

use super::ALL;
use crate::support::{
    Gateway, Raw, RawUpstream,
    raw::{Message, ask, ok},
};

/// A POST with these header lines and this much after them.
fn post(lines: &str, rest: &str) -> String {
    format!("POST /a HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n{rest}")
}

/// How a message says its length.
fn framings(message: &Message) -> usize {
    message.headers("content-length").len() + message.headers("transfer-encoding").len()
}

#[test]
fn two_framings_in_one_request_are_never_forwarded() {
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a.example\r\n\r\n";
    for lines in [
        "content-length: 6\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 6\r\n",
        "content-length: 6\r\ntransfer-encoding: chunked\r\ncontent-length: 6\r\n",
    ] {
        let upstream = RawUpstream::saying(ok("hello"));
        let gateway = Gateway::start(ALL, &upstream);
        let mut client = Raw::connect(gateway.address());
        let status = client.send(post(lines, smuggled)).response().status();
        assert_eq!((status, client.rest()), (400, vec![]), "{lines}");
        assert!(upstream.requests().is_empty(), "{lines}");
    }
}

#[test]
fn what_has_not_become_a_request_is_counted() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    for bytes in
        ["GET / HTTP/1.1\nhost: a.example\n\n", "\u{1}\u{2}\r\n\r\n", "GET / HTTP/1.1\r\nhost : a.example\r\n\r\n"]
    {
        assert_eq!(ask(gateway.address(), bytes).status(), 400, "{bytes:?}");
    }
    assert_eq!(gateway.metric_at("gatehouse_clients_ended_total{reason=\"bad_request\"}", 3), 3);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_transfer_coding_other_than_chunked_is_refused() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    let codings =
        "gzip, chunked|chunked, gzip|gzip|identity|xchunked|chunked, chunked|chunked;q=1|\"chunked\"|,chunked";
    for coding in codings.split('|') {
        let request = post(&format!("transfer-encoding: {coding}\r\n"), "0\r\n\r\n");
        assert_eq!(ask(gateway.address(), request).status(), 400, "{coding}");
    }
    let two = "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n";
    assert_eq!(ask(gateway.address(), post(two, "0\r\n\r\n")).status(), 400);
    let old = "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(ask(gateway.address(), old).status(), 400);
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_doubtful_content_length_is_refused() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    for length in ["+1", "-1", "0x1", "1 1", "1, 1", "1,2", "1.0", "a", "", "18446744073709551616"] {
        let request = post(&format!("content-length: {length}\r\n"), "x");
        assert_eq!(ask(gateway.address(), request).status(), 400, "{length:?}");
    }
    assert_eq!(ask(gateway.address(), post("content-length: 1\r\ncontent-length: 2\r\n", "xx")).status(), 400);
    for lines in ["content-length : 1\r\n", " content-length: 1\r\n", "x: y\r\n content-length: 1\r\n"] {
        assert_eq!(ask(gateway.address(), post(lines, "x")).status(), 400, "{lines:?}");
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_chunked_body_is_framed_anew() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    let body = "5;a=\"b\"\r\nhello\r\n00001\r\n \r\n5\r\nworld\r\n0;x\r\nx-end: 1\r\ncontent-length: 3\r\n\r\n";
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(post("transfer-encoding: Chunked\r\n", body)).response().status(), 200);
    assert_eq!(client.send(post("content-length: 2\r\n", "ab")).response().status(), 200);
    let seen = upstream.requests();
    assert_eq!((framings(&seen[0]), seen[0].text(), seen[0].header("x-end")), (1, "hello world", None));
    assert_eq!((framings(&seen[1]), seen[1].header("content-length"), seen[1].text()), (1, Some("2"), "ab"));
}

#[test]
fn a_chunked_body_that_cannot_be_read_never_ends_for_the_upstream() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    let bodies = ["0x1\r\nx\r\n0\r\n\r\n", "5\nhello\n0\n\n", "5\r\nhelloX\r\n0\r\n\r\n", "-1\r\nx\r\n0\r\n\r\n"];
    for body in bodies.into_iter().chain(["FFFFFFFFFFFFFFFFF\r\nx\r\n0\r\n\r\n", "g\r\nx\r\n0\r\n\r\n"]) {
        let mut client = Raw::connect(gateway.address());
        let answer = client.send(post("transfer-encoding: chunked\r\n", body)).response();
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (400, Some("body_broken")), "{body:?}");
        assert_eq!(client.rest(), b"", "{body:?}");
    }
    assert!(upstream.requests().iter().all(|seen| !seen.whole), "{:?}", upstream.requests());
}

#[test]
fn spellings_of_one_request_leave_as_one() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    for request in [
        "\r\n\r\nPOST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi",
        "POST / HTTP/1.1\r\nhost:a\r\ncontent-length: \t2 \r\n\r\nhi",
        "POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 002\r\n\r\nhi",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: Chunked\r\n\r\n2;x\r\nhi\r\n0\r\n\r\n",
    ] {
        assert_eq!(ask(gateway.address(), request).status(), 200, "{request:?}");
        let seen = upstream.last_request();
        assert_eq!((framings(&seen), seen.text(), seen.whole), (1, "hi", true), "{request:?}: {}", seen.head);
        assert!(!seen.head.replace("\r\n", "").contains(['\r', '\n']), "{request:?}: {}", seen.head);
    }
}

#[test]
fn an_answer_is_sent_although_more_has_come_than_is_wanted() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    let request = post("connection: close\r\ncontent-length: 2\r\n", "hi\r\nGET /next");
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(request).response().text(), "hello");
    // Half a request must not hold the answer to a whole one back.
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(post("content-length: 2\r\n", "hiGET /ne")).response().text(), "hello");
    assert_eq!(client.send("xt HTTP/1.1\r\nhost: a\r\n\r\n").response().text(), "hello");
}

#[test]
fn a_request_without_a_body_has_no_framing() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    for request in ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", "DELETE / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        assert_eq!(ask(gateway.address(), request).status(), 200);
        assert_eq!(framings(&upstream.last_request()), 0, "{}", upstream.last_request().head);
    }
    assert_eq!(ask(gateway.address(), post("content-length: 0\r\n", "")).status(), 200);
    assert_eq!(upstream.last_request().headers("content-length"), ["0"]);
}

#[test]
fn a_body_after_an_early_answer_is_not_taken_for_requests() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start("[routes.a]\npath = \"/other\"\nupstream = \"up\"\n", &upstream);
    let canary = "GET /other HTTP/1.1\r\nhost: a.example\r\n\r\n".repeat(4);
    let lines = format!("content-length: {}\r\n", canary.len());
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(post(&lines, "")).response().status(), 404);
    // The connection may be closed already.
    let _ = client.try_send(canary);
    assert_eq!(client.rest(), b"");
    assert!(upstream.requests().is_empty(), "{:?}", upstream.requests());
}

#[test]
fn an_answer_with_two_framings_or_a_strange_one_is_not_usable() {
    for lines in [
        "content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "transfer-encoding: gzip\r\n\r\nhello",
        "transfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "content-length: 3\r\ncontent-length: 5\r\n\r\nhello",
        "content-length: x\r\n\r\nhello",
    ] {
        let upstream = RawUpstream::ending(move |mut raw| {
            raw.request();
            raw.send(format!("HTTP/1.1 200 OK\r\n{lines}"));
        });
        let gateway = Gateway::start(ALL, &upstream);
        let answer = ask(gateway.address(), "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_broken")), "{lines:?}");
    }
}
