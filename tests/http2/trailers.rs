//! Trailers: they go on where they can, and say nothing that a header may not.

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt as _;

use super::{telling, text};
use crate::support::{
    Gateway, Http2, Raw, RawUpstream,
    raw::get,
    streams::{Streams, fields, piped},
};

/// What comes of an answer over HTTP/2: its body and its trailers.
async fn answer(gateway: &Gateway) -> (Bytes, Option<HeaderMap>) {
    let client = Http2::connect(gateway.address()).await;
    let answer = client.send(client.request("GET", "/").header("te", "trailers")).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned();
    (body.to_bytes(), trailers)
}

/// An upstream that answers with a body, if that is not empty, and trailers.
fn trailing(body: &'static str, trailers: &'static [(&'static str, &'static str)]) -> Streams {
    Streams::start(move |mut exchange| async move {
        let mut answer = exchange.begin(&[("trailer", "x-end")]);
        if !body.is_empty() {
            answer.send_data(Bytes::from_static(body.as_bytes()), false).unwrap();
        }
        answer.send_trailers(fields(trailers)).unwrap();
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_an_answer_pass_from_http2_to_either_protocol() {
    for body in ["hello", ""] {
        let upstream = trailing(body, &[("x-end", "1"), ("set-cookie", "a=b"), ("content-length", "3")]);
        let gateway = Gateway::start(&text("", ""), &upstream);
        assert_eq!(answer(&gateway).await, (Bytes::from(body), Some(fields(&[("x-end", "1")]))));
        let mut client = Raw::connect(gateway.address());
        client.send(get("/", "te: trailers\r\nconnection: te\r\n"));
        assert!(client.until("\r\n\r\n").contains("trailer: x-end"));
        assert!(client.until("\r\n\r\n").ends_with("0\r\nx-end: 1\r\n\r\n"));
        // Who does not ask for them gets none.
        let text = client.send(get("/", "")).until("0\r\n\r\n");
        assert!(!text.contains("x-end: 1"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_never_may_be_some_leave_a_whole_answer_without() {
    let upstream = trailing("hello", &[("set-cookie", "a=b")]);
    let gateway = Gateway::start(&text("", ""), &upstream);
    assert_eq!(answer(&gateway).await, (Bytes::from("hello"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_chunks_pass_to_http2() {
    let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";
    for (lines, expected) in [
        ("X-End: 1\r\ncontent-length: 3\r\nx-end: 2\r\n", Some(fields(&[("x-end", "1"), ("x-end", "2")]))),
        ("transfer-encoding: chunked\r\n", None),
        ("", None),
    ] {
        let upstream = RawUpstream::saying(format!("{chunks}{lines}\r\n"));
        let gateway = Gateway::start("[routes.all]\nupstream = \"up\"\n", &upstream);
        for _ in 0..2 {
            let (body, trailers) = answer(&gateway).await;
            assert_eq!(body, "hello");
            let values = |map: &HeaderMap| map.get_all("x-end").iter().cloned().collect::<Vec<_>>();
            assert_eq!(trailers.as_ref().map(values), expected.as_ref().map(values), "{lines}");
        }
        assert_eq!(upstream.connections(), 1);
    }
}

#[test]
fn malformed_ones_break_the_answer() {
    let upstream =
        RawUpstream::saying("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\na b: c\r\n\r\n");
    let gateway = Gateway::start("[routes.all]\nupstream = \"up\"\n", &upstream);
    let rest = String::from_utf8(Raw::connect(gateway.address()).send(get("/", "")).rest()).unwrap();
    assert!(rest.ends_with("5\r\nhello\r\n"), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn those_of_a_request_say_nothing_that_its_headers_may_not() {
    let (upstream, told) = telling();
    let gateway = Gateway::start(&text("", "upstream_headers = { x-user = \"${request.route}\" }"), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let (send, body) = piped();
    send.send(Frame::data("hello".into())).unwrap();
    let trailers = [("x-end", "1"), ("x-user", "root"), ("x_user", "root"), ("authorization", "x"), ("x-real-ip", "1")];
    send.send(Frame::trailers(fields(&trailers))).unwrap();
    drop(send);
    client.send_body(client.request("POST", "/"), body).await.unwrap();
    let seen = told.recv().unwrap();
    assert!(seen.ends_with("\n5\nSome([\"x-end\"])"), "{seen}");
    let chunks =
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-end: 1\r\nhost: b\r\n\r\n";
    assert_eq!(Raw::connect(gateway.address()).send(chunks).response().status(), 200);
    let seen = told.recv().unwrap();
    assert!(seen.ends_with("\n1\nSome([\"x-end\"])"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_of_a_request_break_it() {
    let (upstream, _told) = telling();
    let gateway = Gateway::start(&text("", ""), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let (send, body) = piped();
    let mut trailers = HeaderMap::new();
    (0..101).for_each(|n| drop(trailers.insert(http::HeaderName::try_from(format!("x-{n}")).unwrap(), n.into())));
    send.send(Frame::data("hello".into())).unwrap();
    send.send(Frame::trailers(trailers)).unwrap();
    drop(send);
    let answer = client.send_body(client.request("POST", "/"), body).await.unwrap();
    assert_eq!(answer.status(), 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn body_filters_see_none_and_lose_none() {
    let upstream = trailing("hello", &[("x-end", "1")]);
    for (guest, config) in [
        ("probe-body", "response = { upper = true }"),
        ("probe-chunks", "response = { replace = { h = \"H\", e = \"E\", l = \"L\", o = \"O\" } }"),
    ] {
        let plugin = format!("[plugins.p]\ncomponent = \"{{guests}}/{guest}.wasm\"\nconfig = {{ {config} }}\n");
        let gateway = Gateway::start(&format!("{plugin}{}", text("", "plugins = [\"p\"]")), &upstream);
        assert_eq!(answer(&gateway).await, (Bytes::from("HELLO"), Some(fields(&[("x-end", "1")]))), "{guest}");
    }
}
