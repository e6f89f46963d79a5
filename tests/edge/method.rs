//! A method that a filter changes: what the client gets fits what the client asked for.

use http_body_util::BodyExt;

use crate::support::{
    Gateway, Http2, Process, Raw, RawUpstream,
    raw::{get, ok},
};

/// A route whose filter makes a method of every request.
fn making(method: &str) -> String {
    format!(
        "[plugins.method]\ncomponent = \"{{guests}}/probe.wasm\"\nconfig = {{ on_request = {{ method = \"{method}\" }} }}\n\
         [routes.all]\nplugins = [\"method\"]\nupstream = \"up\"\n"
    )
}

/// An upstream that answers as the method says, and keeps the connection.
fn upstream() -> RawUpstream {
    RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            let answer = ok("hello");
            let length = if request.head.starts_with("HEAD") { answer.len() - 5 } else { answer.len() };
            raw.send(&answer[..length]);
        }
    })
}

#[tokio::test]
async fn a_get_that_became_a_head_is_answered_with_an_empty_body() {
    let upstream = upstream();
    let gateway = Gateway::start(&making("HEAD"), &upstream);
    let mut client = Raw::connect(gateway.address());
    for _ in 0..3 {
        let answer = client.send(get("/", "")).response();
        assert_eq!((answer.status(), answer.text(), answer.whole), (200, "", true));
    }
    let client = Http2::connect(gateway.address()).await;
    for _ in 0..3 {
        let answer = client.send(client.request("GET", "/")).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "");
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_head_that_became_a_get_is_answered_without_a_body() {
    let upstream = upstream();
    let process = Process::start(&making("GET"), &upstream);
    let mut client = Raw::connect(process.address());
    for _ in 0..3 {
        let answer = client.send("HEAD /h1 HTTP/1.1\r\nhost: a\r\n\r\n").response_to_head();
        assert_eq!((answer.status(), answer.header("content-length")), (200, Some("5")));
    }
    let client = Http2::connect(process.address()).await;
    for _ in 0..3 {
        let answer = client.send(client.request("HEAD", "/h2")).await.unwrap();
        assert_eq!(answer.headers()["content-length"], "5");
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "");
    }
    for path in ["/h1", "/h2"] {
        let line = process.access_line(path);
        assert_eq!((line["status"].as_u64(), line["failure"].as_str()), (Some(200), None), "{line}");
    }
}

#[tokio::test]
async fn an_answer_of_the_gateways_own_to_a_head_has_no_body_over_http2() {
    let upstream = upstream();
    let gateway = Gateway::start("[routes.a]\npath = \"/a\"\nupstream = \"up\"\n", &upstream);
    let client = Http2::connect(gateway.address()).await;
    for (path, status) in [("/b", 404), ("/a", 200)] {
        let answer = client.send(client.request("HEAD", path)).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "", "{path}");
    }
}

#[tokio::test]
async fn a_length_in_an_answer_that_never_has_a_body_harms_nobody() {
    for status in ["204 No Content", "304 Not Modified"] {
        let upstream = RawUpstream::saying(format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\n"));
        let gateway = Gateway::start("[routes.all]\nupstream = \"up\"\n", &upstream);
        let client = Http2::connect(gateway.address()).await;
        let mut raw = Raw::connect(gateway.address());
        for _ in 0..3 {
            let answer = client.send(client.request("GET", "/")).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "", "{status}");
            assert_eq!(raw.send(get("/", "")).response().status(), status[..3].parse::<u16>().unwrap());
        }
    }
}
