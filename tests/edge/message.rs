//! Messages of HTTP/1: old clients, pipelines, methods and statuses without bodies, expectations, upgrades.

use super::ALL;
use crate::support::{
    Gateway, Raw, RawUpstream, Upstream,
    raw::{ask, get, ok},
};

#[test]
fn a_client_of_http_1_0_gets_a_body_that_ends_with_the_connection() {
    let upstream = RawUpstream::saying("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let gateway = Gateway::start(ALL, &upstream);
    let answer = ask(gateway.address(), "GET / HTTP/1.0\r\n\r\n");
    assert_eq!((answer.header("transfer-encoding"), answer.text()), (None, "hello"));
    assert!(upstream.last_request().head.starts_with("GET / HTTP/1.1\r\n"));
}

#[test]
fn a_client_of_http_1_0_may_keep_its_connection() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..2 {
        let answer = client.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").response();
        assert_eq!((answer.text(), answer.header("connection")), ("hello", Some("keep-alive")));
    }
    assert_eq!(client.send("GET / HTTP/1.0\r\n\r\n").response().text(), "hello");
    assert_eq!(client.rest(), b"");
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let upstream = RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            raw.send(ok(request.target()));
        }
    });
    let gateway = Gateway::start(ALL, &upstream);
    let mut client = Raw::connect(gateway.address());
    let post = "POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nGET /".to_owned();
    let requests: Vec<String> = (0..50).map(|n| get(&format!("/{n}"), "")).chain([post]).collect();
    client.send(requests.concat()).send(get("/last", "connection: close\r\n"));
    for n in 0..50 {
        assert_eq!(client.response().text(), format!("/{n}"));
    }
    assert_eq!(client.response().text(), "/p");
    assert_eq!((client.response().text(), client.rest()), ("/last", vec![]));
}

#[test]
fn an_answer_to_head_has_the_length_but_no_body() {
    let upstream = RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            let body = if request.head.starts_with("HEAD") { "" } else { "hello" };
            raw.send(format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{body}"));
        }
    });
    let gateway = Gateway::start(ALL, &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..2 {
        let answer = client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").response_to_head();
        assert_eq!((answer.status(), answer.header("content-length")), (200, Some("5")));
        assert_eq!(client.send(get("/", "")).response().text(), "hello");
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_refusal_of_head_has_no_body_either() {
    let upstream = Upstream::start();
    let gateway = Gateway::start("[routes.a]\npath = \"/a\"\nupstream = \"up\"\n", &upstream);
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send("HEAD /b HTTP/1.1\r\nhost: a\r\n\r\n").response_to_head().status(), 404);
    assert_eq!(client.send(get("/a", "")).response().text(), "hello");
}

#[test]
fn an_answer_that_has_no_body_by_its_status_passes_without_one() {
    let upstream = RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            let status = request.target()[1..].to_owned();
            raw.send(format!("HTTP/1.1 {status} X\r\netag: \"a\"\r\n\r\n"));
        }
    });
    let gateway = Gateway::start(ALL, &upstream);
    let mut client = Raw::connect(gateway.address());
    for path in ["/204", "/304", "/204"] {
        let answer = client.send(get(path, "")).response();
        assert_eq!((&answer.status().to_string(), answer.header("etag")), (&path[1..].to_owned(), Some("\"a\"")));
        assert_eq!((answer.header("transfer-encoding"), answer.header("content-length")), (None, None));
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn a_304_may_tell_the_length_that_a_200_would_have() {
    let upstream = RawUpstream::saying("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n");
    let gateway = Gateway::start(ALL, &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..3 {
        assert_eq!(client.send(get("/", "")).response().status(), 304);
    }
}

#[test]
fn an_expectation_is_met_by_the_gateway_before_the_body_is_sent() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.response().status(), 100);
    let answer = client.send("hi").response();
    assert_eq!((answer.status(), answer.text()), (200, "hello"));
    let seen = upstream.last_request();
    assert_eq!((seen.header("expect"), seen.text()), (None, "hi"));
}

#[test]
fn an_expectation_of_a_request_that_is_refused_is_not_met() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start("[routes.a]\npath = \"/a\"\nupstream = \"up\"\n", &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send("POST /b HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.response().status(), 404);
}

#[test]
fn an_interim_answer_of_the_upstream_is_not_taken_for_the_answer() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let upstream = RawUpstream::saying(format!("{interim}{}", ok("hello")));
    let gateway = Gateway::start(ALL, &upstream);
    let answer = ask(gateway.address(), get("/", ""));
    assert_eq!((answer.status(), answer.text(), answer.header("link")), (200, "hello", None));
}

#[test]
fn a_request_for_an_upgrade_is_forwarded_as_one_without() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    for lines in [
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n",
        "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    ] {
        let mut client = Raw::connect(gateway.address());
        assert_eq!(client.send(get("/", lines)).response().text(), "hello");
        let seen = upstream.last_request();
        assert!(["connection", "upgrade", "http2-settings"].iter().all(|name| seen.headers(name).is_empty()));
        assert_eq!(client.send(get("/again", "")).response().text(), "hello");
    }
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_not_usable() {
    let upstream =
        RawUpstream::saying("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nraw bytes");
    let gateway = Gateway::start(ALL, &upstream);
    for lines in ["", "connection: upgrade\r\nupgrade: x\r\n"] {
        let answer = ask(gateway.address(), get("/", lines));
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (502, Some("upstream_broken")), "{lines}");
    }
}

#[test]
fn a_reason_of_the_upstream_and_a_status_of_its_own_pass() {
    let upstream = RawUpstream::saying("HTTP/1.1 299 Fine By Me\r\ncontent-length: 0\r\n\r\n");
    let gateway = Gateway::start(ALL, &upstream);
    assert_eq!(ask(gateway.address(), get("/", "")).status(), 299);
}
