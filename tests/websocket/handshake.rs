//! What opens a WebSocket, and what does not.

use super::{ACCEPT, KEY, ROUTE, agreed, agreeing, code, echo, handshake, open, open_now};
use crate::support::{
    Gateway, Raw, RawUpstream,
    raw::{ask, get, ok},
};

const PROBE: &str = "[plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\n";

/// The route with a chain.
fn with_plugins(plugins: &str) -> String {
    format!("{ROUTE}plugins = [{plugins}]\n")
}

#[test]
fn a_handshake_passes_with_the_headers_of_its_hop_and_all_that_a_request_is_given() {
    let upstream = RawUpstream::ending(|mut raw| {
        raw.request();
        raw.send(agreed("sec-websocket-protocol: chat\r\nkeep-alive: 5\r\nx-a: 1\r\n") + "at once");
        raw.echo();
    });
    let plugin = format!("{PROBE}config.authorize = {{ principal = \"alice\" }}\n");
    let route = with_plugins("\"probe\"") + "upstream_headers = { x-user = \"${auth.principal}\" }\n";
    let gateway = Gateway::start(&format!("{plugin}{route}"), &upstream);
    let mut client = Raw::connect(gateway.address());
    let offer =
        "sec-websocket-protocol: chat, other\r\nsec-websocket-extensions: permessage-deflate\r\nx-user: eve\r\n";
    let answer = client.send(handshake("/ws", offer)).response();
    assert_eq!((answer.status(), answer.headers("upgrade")), (101, vec!["websocket"]));
    assert_eq!((answer.headers("connection"), answer.headers("sec-websocket-accept")), (vec!["upgrade"], vec![ACCEPT]));
    assert_eq!((answer.header("sec-websocket-protocol"), answer.header("x-a")), (Some("chat"), Some("1")));
    assert!(answer.header("x-request-id").is_some() && answer.header("keep-alive").is_none());
    assert!(answer.header("content-length").is_none() && answer.header("transfer-encoding").is_none());
    let seen = upstream.last_request();
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", KEY),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat, other"),
        ("sec-websocket-extensions", "permessage-deflate"),
        ("x-user", "alice"),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        assert_eq!(seen.headers(name), [value], "{name}");
    }
    client.until("at once");
    client.send("hello").until("hello");
    assert_eq!((open_now(&gateway), gateway.metric("gatehouse_requests_total{route=\"ws\"}")), (1, 0));
    client.shut();
    assert_eq!(client.rest(), b"");
    assert_eq!(gateway.metric_at("gatehouse_requests_total{route=\"ws\"}", 1), 1);
    assert_eq!(open_now(&gateway), 0);
}

#[test]
fn who_is_not_let_pass_opens_no_connection_to_the_upstream() {
    let upstream = echo();
    let deny = format!("{PROBE}config.authorize = {{ verdict = \"deny\" }}\n");
    let respond = format!("{PROBE}config.on_request = {{ respond = {{ status = 418 }} }}\n");
    let full = "[rate_limits.one]\nrate = \"1/d\"\n".to_owned();
    let limited = format!(
        "{ROUTE}rate_limits = [\"one\"]\n[routes.other]\npath = \"/other\"\nrate_limits = [\"one\"]\nrespond = {{}}\n"
    );
    for (before, route, status) in [
        (deny, with_plugins("\"probe\""), 403),
        (respond, with_plugins("\"probe\""), 418),
        (full, limited, 429),
        (String::new(), format!("{ROUTE}headers = {{ origin = \"https://app.example\" }}\n"), 404),
    ] {
        let gateway = Gateway::start(&format!("{before}{route}"), &upstream);
        ask(gateway.address(), get("/other", ""));
        let mut client = Raw::connect(gateway.address());
        let answer = client.send(handshake("/ws", "origin: https://evil.example\r\n")).response();
        assert_eq!((answer.status(), answer.header("upgrade")), (status, None));
        // The connection speaks HTTP still.
        assert_eq!(client.send(get("/nowhere", "")).response().status(), 404);
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn bytes_before_the_upstream_has_agreed_are_another_request() {
    let refused = "HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 8\r\ncontent-length: 2\r\n\r\nno";
    let upstream = RawUpstream::saying(refused);
    let routes = format!("{ROUTE}[routes.inside]\npath = \"/inside\"\nrespond = {{ status = 403 }}\n");
    let gateway = Gateway::start(&routes, &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(handshake("/ws", "") + &get("/inside", "") + &get("/ws", ""));
    let answer = client.response();
    assert_eq!((answer.status(), answer.text(), answer.header("sec-websocket-version")), (426, "no", Some("8")));
    assert_eq!((client.response().status(), client.response().status()), (403, 426));
    let seen = upstream.requests();
    assert_eq!((seen.len(), upstream.connections()), (2, 1));
    assert_eq!((seen[0].header("upgrade"), seen[1].header("upgrade")), (Some("websocket"), None));
    assert!(seen[1].header("x-request-id").is_some());
}

#[test]
fn bytes_that_come_with_a_handshake_pass_once_the_upstream_has_agreed() {
    let upstream = echo();
    let gateway = Gateway::start(ROUTE, &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(handshake("/ws", "") + "GET /early HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().status(), 101);
    client.until("GET /early HTTP/1.1\r\n\r\n");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn an_upstream_that_does_not_agree_as_it_must_is_not_usable() {
    for wrong in [
        agreed("").replace(ACCEPT, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        agreed("").replace("sec-websocket-accept", "x-accept"),
        agreed(&format!("sec-websocket-accept: {ACCEPT}\r\n")),
        agreed("").replace("websocket\r\n", "h2c\r\n"),
        agreed("").replace("connection: Upgrade", "connection: close"),
        agreed("content-length: 5\r\n"),
        agreed("transfer-encoding: chunked\r\n"),
        agreed("").replace("HTTP/1.1", "HTTP/1.0"),
    ] {
        let upstream = RawUpstream::saying(wrong.clone() + "bytes");
        let gateway = Gateway::start(ROUTE, &upstream);
        let mut client = Raw::connect(gateway.address());
        let answer = client.send(handshake("/ws", "")).response();
        assert_eq!(code(&answer), (502, "upstream_broken".to_owned()), "{wrong}");
        assert_eq!(answer.header("upgrade"), None);
        // Its connection is not used again; the client's is.
        assert_eq!(client.send(get("/ws", "")).response().status(), 502);
        assert_eq!((upstream.connections(), open_now(&gateway)), (2, 0));
    }
}

#[test]
fn what_is_no_handshake_is_forwarded_as_a_request_without_one() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(&format!("{ROUTE}[routes.plain]\npath = \"/plain\"\nupstream = \"up\"\n"), &upstream);
    let good = handshake("/ws", "");
    for request in [
        good.replace("HTTP/1.1", "HTTP/1.0"),
        good.replace("GET", "POST"),
        good.replace(": 13", ": 8"),
        good.replace(KEY, "short"),
        good.replace(": websocket", ": h2c"),
        good.replace("keep-alive, Upgrade", "keep-alive"),
        handshake("/ws", "content-length: 4\r\n") + "body",
        handshake("/ws", "transfer-encoding: chunked\r\n") + "0\r\n\r\n",
        handshake("/plain", ""),
    ] {
        assert_eq!(ask(gateway.address(), &request).text(), "hello", "{request}");
        let seen = upstream.last_request();
        assert!(["connection", "upgrade"].iter().all(|name| seen.headers(name).is_empty()), "{request}");
    }
}

#[test]
fn an_upstream_that_switches_unasked_is_not_usable() {
    let upstream = RawUpstream::saying(agreed("") + "bytes");
    let gateway = Gateway::start(&format!("{ROUTE}[routes.plain]\npath = \"/plain\"\nupstream = \"up\"\n"), &upstream);
    for request in [handshake("/plain", ""), get("/ws", ""), handshake("/ws", "").replace("GET", "POST")] {
        assert_eq!(code(&ask(gateway.address(), &request)), (502, "upstream_broken".to_owned()), "{request}");
    }
}

#[test]
fn filters_see_both_heads_and_their_body_hooks_nothing() {
    let upstream = echo();
    let plugins = "[plugins.heads]\ncomponent = \"{guests}/probe.wasm\"\n\
        config = { on_request = { set_headers = { x-in = \"1\", sec-websocket-key = \"other\" } }, \
        on_response = { set_headers = { x-out = \"1\", sec-websocket-accept = \"other\" } } }\n\
        [plugins.bodies]\ncomponent = \"{guests}/probe-body.wasm\"\nconfig = { request = { upper = true }, response = { upper = true } }\n\
        [plugins.chunks]\ncomponent = \"{guests}/probe-chunks.wasm\"\nconfig.response = { fail = \"it was asked\" }\n";
    let route = with_plugins("\"heads\", \"bodies\", \"chunks\"");
    let gateway = Gateway::start(&format!("{plugins}{route}"), &upstream);
    let mut client = Raw::connect(gateway.address());
    let answer = client.send(handshake("/ws", "")).response();
    assert_eq!((answer.status(), answer.headers("x-out"), answer.headers("x-body-bytes")), (101, vec!["1"], vec![]));
    assert_eq!(answer.headers("sec-websocket-accept"), [ACCEPT]);
    assert_eq!(
        (upstream.last_request().header("x-in"), upstream.last_request().headers("sec-websocket-key")),
        (Some("1"), vec![KEY])
    );
    client.send("hello").until("hello");
}

#[test]
fn a_filter_that_answers_otherwise_keeps_the_websocket_closed() {
    for (does, status) in [
        ("on_response = { status = 503 }", 503),
        ("on_response = { replace = { status = 403, body = \"no\" } }", 403),
        ("on_response = { act = \"panic\" }", 500),
        ("on_request = { method = \"PUT\" }", 502),
    ] {
        // It hears of its end.
        let upstream = agreeing(|mut raw| assert_eq!(raw.rest(), b""));
        let plugin = format!("{PROBE}config = {{ {does} }}\n");
        let gateway = Gateway::start(&format!("{plugin}{}", with_plugins("\"probe\"")), &upstream);
        let mut client = Raw::connect(gateway.address());
        let answer = client.send(handshake("/ws", "")).response();
        assert_eq!(
            (answer.status(), answer.header("upgrade"), answer.header("connection")),
            (status, None, None),
            "{does}"
        );
        assert_eq!(client.send(get("/nowhere", "")).response().status(), 404);
        assert_eq!(open_now(&gateway), 0);
    }
}

#[test]
fn its_connection_serves_no_other_request() {
    let upstream = RawUpstream::ending(|mut raw| {
        while let Some(request) = raw.request() {
            match request.header("upgrade") {
                Some(_) => return raw.send(agreed("")).echo(),
                None => drop(raw.send(ok("hello"))),
            }
        }
    });
    let gateway = Gateway::start(ROUTE, &upstream);
    // A kept one may become it.
    assert_eq!(ask(gateway.address(), get("/ws", "")).text(), "hello");
    let mut client = open(&gateway);
    assert_eq!(upstream.connections(), 1);
    assert_eq!(ask(gateway.address(), get("/ws", "")).text(), "hello");
    client.send("hello").until("hello");
    drop(client);
    assert_eq!(gateway.metric_at("gatehouse_requests_total{route=\"ws\"}", 3), 3);
    assert_eq!(ask(gateway.address(), get("/ws", "")).text(), "hello");
    assert_eq!(upstream.connections(), 2);
}
