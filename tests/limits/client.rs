//! Bodies of requests, and connections that are idle.

use std::{
    sync::{Mutex, mpsc::channel},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};

use super::all;
use crate::support::{
    Gateway, Http2, Raw, RawUpstream, Upstream,
    raw::{DEADLINE, Message, get, ok},
};

const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\n";

fn refusal(answer: &Message) -> (u16, String) {
    (answer.status(), answer.json()["code"].as_str().unwrap().to_owned())
}

#[test]
fn a_body_that_is_declared_too_long_is_refused_before_the_upstream_is_asked() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(&all("[limits]\nbody_bytes = 1000"), &upstream);
    let mut client = Raw::connect(gateway.address());
    let answer = client.send(format!("{POST}content-length: 1000\r\n\r\n{}", "b".repeat(1000))).response();
    assert_eq!(answer.status(), 200);
    let answer = client.send(format!("{POST}content-length: 1001\r\nexpect: 100-continue\r\n\r\n")).response();
    assert_eq!(refusal(&answer), (413, "body_too_large".into()));
    assert_eq!((upstream.connections(), upstream.requests().len()), (1, 1));
}

#[test]
fn a_chunked_body_is_refused_where_it_gets_too_long() {
    let upstream = RawUpstream::saying(ok("hello"));
    let gateway = Gateway::start(&all("[limits]\nbody_bytes = 1000"), &upstream);
    let chunked =
        |bytes: usize| format!("{POST}transfer-encoding: chunked\r\n\r\n{bytes:x}\r\n{}\r\n", "b".repeat(bytes));
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(chunked(1000)).send("0\r\n\r\n").response().status(), 200);
    assert_eq!(refusal(&client.send(chunked(1000)).send("1\r\nb\r\n").response()), (413, "body_too_large".into()));
    assert_eq!(client.rest(), b"");
    assert!(upstream.requests().iter().skip(1).all(|seen| !seen.whole), "{:?}", upstream.requests());
}

#[tokio::test]
async fn a_body_of_http2_has_the_same_limit() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nbody_bytes = 100000"), &upstream);
    let client = Http2::connect(gateway.address()).await;
    for (bytes, status) in [(100_000, 200), (100_001, 413)] {
        let body = Full::from(vec![b'b'; bytes]).boxed();
        let answer = client.send_body(client.request("POST", "/"), body).await.unwrap();
        assert_eq!(answer.status(), status);
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_route_may_have_a_limit_of_its_own() {
    let upstream = Upstream::start();
    let routes = "[routes.small]\npath = \"/small\"\nupstream = \"up\"\nlimits = { body_bytes = 10 }\n\
        [routes.large]\npath = \"/large\"\nupstream = \"up\"\nlimits = { body_bytes = \"1KiB\" }\n";
    let gateway = Gateway::start(&all(&format!("[limits]\nbody_bytes = 100\n{routes}")), &upstream);
    for (path, most) in [("/small", 10), ("/large", 1024), ("/other", 100)] {
        assert_eq!(gateway.call("POST", path).body("b".repeat(most)).await.status, 200, "{path}");
        assert_eq!(gateway.call("POST", path).body("b".repeat(most + 1)).await.status, 413, "{path}");
    }
}

#[test]
fn a_body_that_stops_coming_is_answered_408() {
    let (send, left) = channel();
    let upstream = RawUpstream::start(move |raw| send.send(raw.request().map(|seen| seen.whole)).unwrap());
    let gateway = Gateway::start(&all("[limits]\nbody_idle_timeout = \"200ms\""), &upstream);
    for start in ["content-length: 10\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let mut client = Raw::connect(gateway.address());
        let answer = client.send(format!("{POST}{start}")).response();
        assert_eq!(refusal(&answer), (408, "body_timeout".into()));
        assert_eq!(left.recv_timeout(DEADLINE).unwrap(), Some(false));
        assert_eq!(client.rest(), b"");
    }
}

#[test]
fn a_slow_body_is_in_time_as_long_as_it_moves() {
    let upstream = RawUpstream::saying(ok("hello"));
    let timeout = "[upstreams.up]\nurl = \"http://{upstream}\"\nfirst_byte_timeout = \"400ms\"";
    let limits = "[limits]\nbody_idle_timeout = \"400ms\"\nbody_min_rate = 20";
    let gateway = Gateway::start(&all(&format!("{limits}\n{timeout}")), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(format!("{POST}content-length: 30\r\n\r\n"));
    for _ in 0..6 {
        assert!(client.send("piece").quiet(Duration::from_millis(150)) || upstream.requests().len() == 1);
    }
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn an_idle_connection_is_closed_in_its_time() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nidle_timeout = \"200ms\"\nheader_timeout = \"1h\""), &upstream);
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(get("/", "")).response().status(), 200);
    assert_eq!(client.rest(), b"");
}

#[tokio::test]
async fn an_idle_connection_of_http2_is_closed_in_its_time() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nidle_timeout = \"200ms\"\nheader_timeout = \"1h\""), &upstream);
    let client = Http2::connect(gateway.address()).await;
    assert_eq!(client.send(client.request("GET", "/")).await.unwrap().status(), 200);
    // It ends although the client would go on.
    let _ = tokio::time::timeout(DEADLINE, client.connection).await.expect("the connection ends").unwrap();
}

#[tokio::test]
async fn a_connection_whose_only_stream_was_reset_is_idle() {
    let upstream = RawUpstream::start(|raw| drop((raw.request(), raw.rest())));
    let gateway = Gateway::start(&all("[limits]\nidle_timeout = \"200ms\"\nheader_timeout = \"1h\""), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let asked = async {
        while upstream.requests().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    // The answer is given up once the request is under way, which resets the stream.
    tokio::select! {
        _ = client.send(client.request("GET", "/")) => panic!("an answer"),
        () = asked => {}
    }
    let _ = tokio::time::timeout(DEADLINE, client.connection).await.expect("the connection ends").unwrap();
}

#[test]
fn a_ping_does_not_make_an_idle_http2_connection_one_that_owes_a_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all("[limits]\nheader_timeout = \"200ms\"\nidle_timeout = \"1500ms\""), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").send([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // HEADERS of stream 1: GET, http, `/`, `:authority: a`.
    client.send(b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a");
    client.until("hello");
    client.send(b"\0\0\x08\x06\0\0\0\0\0pingpong");
    client.until("pingpong");
    let answered = Instant::now();
    assert!(!client.rest().windows(4).any(|window| window == b"HTTP"), "an answer of HTTP/1 on HTTP/2");
    assert!(answered.elapsed().as_millis() > 800, "closed {:?} after a ping", answered.elapsed());
}

#[test]
fn a_connection_is_not_idle_while_an_exchange_is_under_way() {
    let (go, wait) = channel();
    let wait = Mutex::new(wait);
    let upstream = RawUpstream::start(move |raw| {
        while raw.request().is_some() {
            raw.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
            wait.lock().unwrap().recv().unwrap();
            raw.send(" done");
        }
    });
    let gateway = Gateway::start(&all("[limits]\nidle_timeout = \"100ms\"\nheader_timeout = \"100ms\""), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(get("/", "")).until("half");
    // A second connection comes and goes in twice the time.
    for _ in 0..2 {
        assert_eq!(Raw::connect(gateway.address()).rest(), b"");
    }
    go.send(()).unwrap();
    client.until(" done");
    assert_eq!(client.rest(), b"");
}
