//! Headers: what ends here, what only the gateway may say, and what passes untouched.

use super::{ALL, server};
use crate::support::{
    Gateway, Process, RawUpstream, Upstream,
    raw::{ask, get, ok},
};

/// Headers of one hop, and two that `Connection` names.
const HOP: &str = "connection: keep-alive, X-Mine, x-other\r\nkeep-alive: timeout=5\r\nproxy-connection: keep-alive\r\n\
    te: trailers\r\ntrailer: x-end\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\nproxy-authorization: Basic eA==\r\n\
    proxy-authenticate: Basic\r\nproxy-authentication-info: x\r\nx-mine: 1\r\nX-OTHER: 2\r\n";

/// Their names.
fn hop_names() -> impl Iterator<Item = &'static str> {
    HOP.split("\r\n").filter_map(|line| Some(line.split_once(':')?.0))
}

#[test]
fn headers_of_the_clients_hop_do_not_reach_the_upstream() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(ALL, &upstream);
    assert_eq!(ask(gateway.address(), get("/", &format!("{HOP}accept: x\r\n"))).status(), 200);
    let seen = upstream.last_request();
    for name in hop_names() {
        assert!(seen.headers(name).is_empty(), "{name}: {}", seen.head);
    }
    assert_eq!(seen.header("accept"), Some("x"));
}

#[test]
fn headers_of_the_upstreams_hop_do_not_reach_the_client() {
    let upstream = RawUpstream::saying(format!("HTTP/1.1 200 OK\r\n{HOP}content-length: 1\r\nage: 3\r\n\r\nx"));
    let gateway = Gateway::start(ALL, &upstream);
    let answer = ask(gateway.address(), get("/", ""));
    for name in hop_names() {
        assert!(answer.headers(name).is_empty(), "{name}: {}", answer.head);
    }
    assert_eq!((answer.header("age"), answer.header("content-length"), answer.text()), (Some("3"), Some("1"), "x"));
}

#[test]
fn connection_cannot_name_a_trusted_header_away() {
    let upstream = RawUpstream::saying(ok(""));
    let route = format!("{ALL}upstream_headers = {{ x-user = \"alice\" }}\n");
    let gateway = Gateway::start(&route, &upstream);
    let names = "x-user, x-forwarded-for, x-forwarded-host, x-forwarded-proto, x-request-id, via, host, content-length";
    let request =
        format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nconnection: {names}\r\nx-user: root\r\n\r\nhi");
    assert_eq!(ask(gateway.address(), request).status(), 200);
    let seen = upstream.last_request();
    for name in names.split(", ") {
        assert_eq!(seen.headers(name).len(), 1, "{name}: {}", seen.head);
    }
    assert_eq!((seen.header("x-user"), seen.text()), (Some("alice"), "hi"));
}

#[tokio::test]
async fn what_a_stranger_says_of_its_address_is_replaced() {
    let upstream = Upstream::start();
    let gateway =
        Gateway::start(&format!("{ALL}upstream_headers = {{ x-ip = \"${{request.client-ip}}\" }}"), &upstream);
    let forged = "x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-forwarded-prefix forwarded \
        x-real-ip true-client-ip cf-connecting-ip x_forwarded_for x-original-url x-rewrite-url proxy";
    let call = forged.split_whitespace().fold(gateway.get("/"), |call, name| call.header(name, "9.9.9.9"));
    call.header("host", "a.example").await;
    let seen = upstream.last();
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!((seen.header("x-forwarded-proto"), seen.header("x-forwarded-host")), (Some("http"), Some("a.example")));
    assert_eq!(seen.header("x-ip"), Some("127.0.0.1"));
    assert!(!format!("{:?}", seen.headers).contains("9.9.9.9"), "{:?}", seen.headers);
}

#[tokio::test]
async fn the_chain_of_a_trusted_proxy_goes_on_and_tells_the_client() {
    let upstream = Upstream::start();
    let text = server("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]")
        + "upstream_headers = { x-ip = \"${request.client-ip}\" }\n";
    let gateway = Gateway::start(&text, &upstream);
    let call = gateway.get("/").header("x-forwarded-for", "1.1.1.1, 9.9.9.9").header("x-forwarded-for", "10.0.0.7");
    let call = call.header("x-forwarded-proto", "https").header("x-forwarded-host", "outer.example");
    call.header("forwarded", "for=6.6.6.6").await;
    let seen = upstream.last();
    assert_eq!(seen.header("x-forwarded-for"), Some("1.1.1.1, 9.9.9.9, 10.0.0.7, 127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.header("x-forwarded-host"), Some("outer.example"));
    assert_eq!((seen.header("x-ip"), seen.header("forwarded")), (Some("9.9.9.9"), None));
}

#[tokio::test]
async fn the_upstream_is_told_in_the_headers_that_the_configuration_names() {
    let upstream = Upstream::start();
    let element = "for=127.0.0.1;proto=http;host=a.example";
    for (speaks, x_forwarded, forwarded) in [
        ("x-forwarded", Some("127.0.0.1"), None),
        ("rfc7239", None, Some(element)),
        ("both", Some("127.0.0.1"), Some(element)),
        ("off", None, None),
    ] {
        let gateway = Gateway::start(&server(&format!("forwarded = \"{speaks}\"")), &upstream);
        let call = gateway.get("/").header("forwarded", "for=9.9.9.9").header("x-forwarded-for", "9.9.9.9");
        call.header("host", "a.example").await;
        let seen = upstream.last();
        assert_eq!((seen.header("x-forwarded-for"), seen.header("forwarded")), (x_forwarded, forwarded), "{speaks}");
        assert_eq!(seen.header("x-forwarded-host"), x_forwarded.and(Some("a.example")), "{speaks}");
    }
}

#[tokio::test]
async fn forwarded_is_continued_for_a_trusted_proxy_that_speaks_it() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&server("trusted_proxies = [\"127.0.0.1\"]\nforwarded = \"rfc7239\""), &upstream);
    let call = gateway.get("/").header("host", "a.example:81").header("x-forwarded-for", "6.6.6.6");
    call.header("forwarded", "for=\"[2001:db8::1]:80\";proto=https").await;
    let expected = "for=\"[2001:db8::1]:80\";proto=https, for=127.0.0.1;proto=http;host=\"a.example:81\"";
    assert_eq!(upstream.last().header("forwarded"), Some(expected));
    assert_eq!(upstream.last().header("x-forwarded-for"), None);
}

#[test]
fn via_tells_both_sides_of_the_gateway_and_of_their_versions() {
    let upstream = RawUpstream::saying("HTTP/1.0 200 OK\r\nvia: 1.1 inner\r\ncontent-length: 0\r\n\r\n");
    let gateway = Gateway::start(ALL, &upstream);
    let answer = ask(gateway.address(), get("/", "via: 1.0 fred\r\n"));
    assert_eq!(upstream.last_request().headers("via"), ["1.0 fred", "1.1 gatehouse"]);
    assert_eq!(answer.headers("via"), ["1.1 inner", "1.0 gatehouse"]);
    ask(gateway.address(), "GET / HTTP/1.0\r\n\r\n");
    assert_eq!(upstream.last_request().headers("via"), ["1.0 gatehouse"]);
}

#[tokio::test]
async fn via_is_left_out_when_it_has_no_name() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&server("via = \"\""), &upstream);
    assert_eq!(gateway.get("/").await.header("via"), None);
    assert_eq!(upstream.last().header("via"), None);
}

#[tokio::test]
async fn the_request_id_is_the_gateways_and_the_same_on_both_sides_and_in_the_log() {
    let upstream = Upstream::answering(|_| {
        http::Response::builder().header("x-request-id", "theirs").body(http_body_util::Full::default()).unwrap()
    });
    let process = Process::start(ALL, &upstream);
    let mut ids = Vec::new();
    for path in ["/1", "/2"] {
        let reply = process.get(path).header("x-request-id", "mine").header("x_request_id", "mine").await;
        let line = process.access_line(path);
        let id = reply.header("x-request-id").unwrap().to_owned();
        assert_eq!(reply.headers.get_all("x-request-id").iter().count(), 1);
        assert_eq!(upstream.last().header("x-request-id"), Some(id.as_str()));
        assert_eq!(upstream.last().headers.get_all("x-request-id").iter().count(), 1);
        assert_eq!((upstream.last().header("x_request_id"), line["request_id"].as_str()), (None, Some(id.as_str())));
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn bytes_beyond_ascii_pass_unchanged_in_both_directions() {
    let bytes = [b"x-bytes: \x80\xa0\xe9\xff\r\n".as_slice(), b"x-utf8: \xc3\xa9\xf0\x9f\x98\x80\r\n"].concat();
    let upstream = RawUpstream::saying([b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n", &bytes[..], b"\r\n"].concat());
    let gateway = Gateway::start(ALL, &upstream);
    let answer = ask(gateway.address(), [b"GET / HTTP/1.1\r\nhost: a\r\n", &bytes[..], b"\r\n"].concat());
    for message in [answer, upstream.last_request()] {
        assert_eq!(message.header("x-bytes"), Some("\u{80}\u{a0}\u{e9}\u{ff}"));
        assert_eq!(message.header("x-utf8"), Some("\u{c3}\u{a9}\u{f0}\u{9f}\u{98}\u{80}"));
    }
}

#[test]
fn repeated_and_empty_headers_keep_their_order_and_number() {
    let lines = "x-a: 1\r\nset-cookie: a=1\r\nx-empty:\r\nx-a: 2, 3\r\nset-cookie: b=2\r\nx-a: 1\r\n";
    let upstream = RawUpstream::saying(format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{lines}\r\n"));
    let gateway = Gateway::start(ALL, &upstream);
    let answer = ask(gateway.address(), get("/", lines));
    for message in [answer, upstream.last_request()] {
        assert_eq!(message.headers("x-a"), ["1", "2, 3", "1"]);
        assert_eq!(message.headers("set-cookie"), ["a=1", "b=2"]);
        assert_eq!(message.headers("x-empty"), [""]);
    }
}
