//! Hosts: a request names exactly one.

use super::ALL;
use crate::support::{
    Gateway, Upstream,
    raw::{Raw, ask},
};

/// A GET with these lines for a header section.
fn with(lines: &str) -> String {
    format!("GET /a HTTP/1.1\r\n{lines}\r\n")
}

#[test]
fn a_missing_doubled_empty_or_malformed_host_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    let hosts = "a/b a@b u:p@a a:b a:1:2 a:0 a:65536 a..b .a a,b a\\b a%62 [::1 [a] ::1 127.1 0x7f.1 é";
    let mut sections: Vec<String> = hosts.split(' ').map(|host| format!("host: {host}\r\n")).collect();
    let more = ["", "host:\r\n", "host: a\r\nhost: b\r\n", "host: a\r\nhost: a\r\n", "host: a b\r\n", "hosts: a\r\n"];
    sections.extend(more.map(str::to_owned));
    for lines in sections {
        let answer = ask(gateway.address(), with(&lines));
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (400, Some("bad_request")), "{lines:?}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn the_upstream_gets_the_host_in_its_one_spelling() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    for (host, expected) in [("A.Example", "a.example"), ("a.example.:0080", "a.example"), ("[0:0::1]:81", "[::1]:81")]
    {
        assert_eq!(ask(gateway.address(), with(&format!("host: {host}\r\n"))).status(), 200, "{host}");
        assert_eq!(upstream.last().header("host"), Some(expected));
        assert_eq!(upstream.last().header("x-forwarded-host"), Some(expected));
    }
}

#[test]
fn the_authority_of_an_absolute_target_wins_over_the_host() {
    let upstream = Upstream::start();
    let routes = "[routes.a]\nhost = \"a.example\"\nupstream = \"up\"\n";
    let gateway = Gateway::start(routes, &upstream);
    let answer = |target: &str, host: &str| {
        ask(gateway.address(), format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n")).status()
    };
    assert_eq!(answer("http://a.example/x?y", "b.example"), 200);
    assert_eq!((upstream.last().target.as_str(), upstream.last().header("host")), ("/x?y", Some("a.example")));
    assert_eq!(answer("http://a.example", "b.example"), 200);
    assert_eq!(upstream.last().target, "/");
    assert_eq!(answer("http://b.example/x", "a.example"), 404);
    assert_eq!(answer("http://u:p@a.example/x", "a.example"), 400);
    assert_eq!(answer("a.example:80", "a.example"), 400);
}

#[test]
fn a_client_of_http_1_0_may_name_no_host() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    assert_eq!(ask(gateway.address(), "GET /a HTTP/1.0\r\n\r\n").status(), 200);
    assert_eq!(upstream.last().header("x-forwarded-host"), None);
    assert_eq!(ask(gateway.address(), "GET /a HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n").status(), 400);
}

#[test]
fn a_refused_host_ends_the_connection() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    let mut client = Raw::connect(gateway.address());
    let answer = client.send(with("")).response();
    assert_eq!((answer.status(), answer.header("connection")), (400, Some("close")));
    assert_eq!(client.rest(), b"");
}
