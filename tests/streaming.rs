//! Streaming: bodies of any length through a chain that reads only headers, in little memory, as fast as the slower side.

use std::{
    io::ErrorKind,
    sync::{
        Mutex,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use http_body_util::{BodyExt, Full};

use crate::support::{
    Gateway, Http2, Process, Raw, RawUpstream,
    raw::{DEADLINE, get, ok},
};

const GIB: u64 = 1 << 30;

/// How much memory a body of any length may cost, in KiB.
const GROWTH: u64 = 32 << 10;

/// How long it takes until somebody who does not take a byte counts as one who has stopped reading.
const PATIENCE: Duration = Duration::from_millis(500);

/// What may be on the way between somebody who writes and somebody who does not read: mostly four socket buffers.
const UNDERWAY: u64 = 32 << 20;

/// A chain of an authorizer and a filter, none of which asks for a body.
const CHAIN: &str = "\
[limits]
body_bytes = \"2GiB\"
[plugins.who]
component = \"{guests}/probe.wasm\"
config = { authorize = { principal = \"alice\" }, on_response = { set_headers = { x-seen = \"1\" } } }
[routes.all]
plugins = [\"who\"]
upstream = \"up\"
upstream_headers = { x-user = \"${auth.principal}\" }
";

/// An upstream that answers `/` at once, and anything else with a GiB.
fn downloads() -> RawUpstream {
    RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            if request.target() == "/" {
                raw.send(ok("hello"));
                continue;
            }
            raw.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {GIB}\r\n\r\n"));
            let piece = vec![b'x'; 1 << 20];
            for _ in 0..GIB >> 20 {
                raw.send(&piece);
            }
        }
    })
}

/// How much the peak of a process's memory grows, in KiB, by what is done.
fn growth(process: &Process, act: impl FnOnce()) -> u64 {
    assert_eq!(Raw::connect(process.address()).send(get("/", "")).response().status(), 200);
    let before = process.memory("VmHWM");
    act();
    process.memory("VmHWM") - before
}

#[test]
fn a_gibibyte_flows_down_in_little_memory() {
    let upstream = downloads();
    let process = Process::start(CHAIN, &upstream);
    let grown = growth(&process, || {
        let mut client = Raw::connect(process.address());
        let head = client.send(get("/long", "")).head().unwrap();
        assert!(head.contains("x-seen: 1"), "{head}");
        client.skip(GIB);
    });
    println!("1 GiB down: the peak of the memory grew by {grown} KiB");
    assert!(grown < GROWTH, "{grown} KiB");
    assert_eq!(process.access_line("/long")["response_bytes"].as_u64(), Some(GIB));
}

#[test]
fn a_gibibyte_flows_up_in_little_memory() {
    let upstream = RawUpstream::start(|raw| {
        while let Some(head) = raw.head() {
            if head.starts_with("POST") {
                raw.skip(GIB);
            }
            raw.send(ok("hello"));
        }
    });
    let process = Process::start(CHAIN, &upstream);
    let grown = growth(&process, || {
        let mut client = Raw::connect(process.address());
        client.send(format!("POST /long HTTP/1.1\r\nhost: a\r\ncontent-length: {GIB}\r\n\r\n"));
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..GIB >> 20 {
            client.send(&piece);
        }
        assert_eq!(client.response().text(), "hello");
    });
    println!("1 GiB up: the peak of the memory grew by {grown} KiB");
    assert!(grown < GROWTH, "{grown} KiB");
    assert_eq!(process.access_line("/long")["request_bytes"].as_u64(), Some(GIB));
}

#[tokio::test]
async fn a_gibibyte_flows_down_over_http2_in_little_memory() {
    let upstream = downloads();
    let process = Process::start(CHAIN, &upstream);
    assert_eq!(process.get("/").await.status, 200);
    let before = process.memory("VmHWM");
    let client = Http2::connect(process.address()).await;
    let mut body = client.send(client.request("GET", "/long")).await.unwrap().into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().into_data().unwrap().len() as u64;
    }
    let grown = process.memory("VmHWM") - before;
    println!("1 GiB down over HTTP/2: the peak of the memory grew by {grown} KiB");
    assert!(bytes == GIB && grown < GROWTH, "{bytes} {grown} KiB");
}

/// An upstream that answers without an end, and tells how much was taken before it stopped to be, or it ended.
fn endless() -> (RawUpstream, Receiver<(u64, ErrorKind)>) {
    let (send, stalled) = channel();
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n");
        loop {
            let (bytes, why) = raw.flood(PATIENCE, &[b'x'; 65536]);
            // The test may have seen enough.
            let _ = send.send((bytes, why));
            if why != ErrorKind::WouldBlock {
                break;
            }
        }
    });
    (upstream, stalled)
}

/// Waits until the connection of an [`endless`] answer has ended; tells how much it took until then.
fn ended(stalled: &Receiver<(u64, ErrorKind)>) -> u64 {
    let mut taken = 0;
    loop {
        let (bytes, why) = stalled.recv_timeout(DEADLINE).expect("the upstream connection ends");
        taken += bytes;
        if why != ErrorKind::WouldBlock {
            return taken;
        }
    }
}

#[test]
fn an_upstream_is_not_read_while_the_client_does_not_read() {
    let (upstream, stalled) = endless();
    let process = Process::start(CHAIN, &upstream);
    let mut client = Raw::connect(process.address());
    client.send(get("/", "")).head().unwrap();
    let (bytes, _) = stalled.recv_timeout(DEADLINE).unwrap();
    println!("a client that does not read: {bytes} bytes were taken from the upstream");
    assert!(bytes < UNDERWAY, "{bytes}");
    client.skip(2 * bytes);
    drop(client);
    let more = ended(&stalled);
    assert!(more > bytes, "it went on when the client did: {more}");
}

#[tokio::test]
async fn an_upstream_is_not_read_while_a_stream_of_http2_is_not_read() {
    let (upstream, stalled) = endless();
    let gateway = Gateway::start(CHAIN, &upstream);
    let client = Http2::connect(gateway.address()).await;
    let answer = client.send(client.request("GET", "/")).await.unwrap();
    let (bytes, why) = tokio::task::spawn_blocking(move || stalled.recv_timeout(DEADLINE).unwrap()).await.unwrap();
    println!("a stream that is not read: {bytes} bytes were taken from the upstream");
    assert!(bytes < UNDERWAY && why == ErrorKind::WouldBlock, "{bytes} {why}");
    drop(answer);
}

#[test]
fn a_client_is_not_read_while_the_upstream_does_not_read() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let upstream = RawUpstream::start(move |raw| {
        raw.head();
        wait.lock().unwrap().recv().unwrap();
        raw.send(ok("hello"));
        raw.drain();
    });
    let process = Process::start(CHAIN, &upstream);
    let mut client = Raw::connect(process.address());
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {GIB}\r\n\r\n"));
    let (bytes, why) = client.flood(PATIENCE, &[b'x'; 65536]);
    println!("an upstream that does not read: {bytes} bytes were taken from the client");
    assert!(bytes < UNDERWAY && why == ErrorKind::WouldBlock, "{bytes} {why}");
    go.send(()).unwrap();
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn events_arrive_one_by_one_as_they_are_sent() {
    let (tell, told) = channel::<String>();
    let told = Mutex::new(told);
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
        for event in told.lock().unwrap().iter() {
            raw.send(format!("{:x}\r\n{event}\r\n", event.len()));
        }
        raw.send("0\r\n\r\n");
    });
    let gateway = Gateway::start(CHAIN, &upstream);
    let mut client = Raw::connect(gateway.address());
    // The head comes before there is a body.
    assert!(client.send(get("/", "")).head().unwrap().contains("text/event-stream"));
    for n in 0..20 {
        tell.send(format!("data: {n}\n\n")).unwrap();
        client.until(&format!("data: {n}\n\n"));
    }
    drop(tell);
    client.until("\r\n0\r\n\r\n");
}

#[test]
fn pieces_of_an_upload_arrive_one_by_one_as_they_are_sent() {
    let (send, arrived) = channel();
    let upstream = RawUpstream::start(move |raw| {
        raw.head();
        for n in 0..20 {
            raw.until(&format!("piece {n}."));
            send.send(n).unwrap();
        }
        raw.until("\r\n0\r\n\r\n");
        raw.send(ok("hello"));
    });
    let gateway = Gateway::start(CHAIN, &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    for n in 0..20 {
        let piece = format!("piece {n}.");
        client.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
        assert_eq!(arrived.recv_timeout(DEADLINE), Ok(n));
    }
    assert_eq!(client.send("0\r\n\r\n").response().text(), "hello");
}

#[test]
fn a_client_that_leaves_in_the_middle_takes_the_upstream_connection_with_it() {
    let (upstream, stalled) = endless();
    let process = Process::start(CHAIN, &upstream);
    let mut client = Raw::connect(process.address());
    client.send(get("/", "")).until("xxx");
    drop(client);
    ended(&stalled);
    let line = process.access_line("/");
    // The status is what the client was told.
    assert_eq!((line["failure"].as_str(), line["status"].as_u64()), (Some("client_left"), Some(200)));
    assert!(line["response_bytes"].as_u64() > Some(0));
}

#[test]
fn a_client_that_leaves_before_its_answer_is_logged_as_499() {
    let (send, asked) = channel();
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        send.send(()).unwrap();
        raw.rest();
        send.send(()).unwrap();
    });
    let process = Process::start(CHAIN, &upstream);
    let mut client = Raw::connect(process.address());
    client.send(get("/", ""));
    asked.recv_timeout(DEADLINE).unwrap();
    drop(client);
    asked.recv_timeout(DEADLINE).expect("the upstream connection ends");
    let line = process.access_line("/");
    assert_eq!((line["failure"].as_str(), line["status"].as_u64()), (Some("client_left"), Some(499)));
}

#[test]
fn a_client_that_leaves_in_the_middle_of_its_body_leaves_no_whole_request() {
    let (send, read) = channel();
    let upstream = RawUpstream::start(move |raw| {
        raw.head();
        raw.until("hello");
        send.send(0).unwrap();
        send.send(raw.rest().len()).unwrap();
    });
    let process = Process::start(CHAIN, &upstream);
    for framing in ["content-length: 10\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let mut client = Raw::connect(process.address());
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}"));
        read.recv_timeout(DEADLINE).unwrap();
        drop(client);
        // At most the end of a chunk comes, and never the last chunk.
        assert!(read.recv_timeout(DEADLINE).expect("the upstream connection ends") <= 2);
        let line = process.access_line("/");
        assert!(matches!(line["failure"].as_str(), Some("client_left" | "body_broken")), "{line}");
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_takes_only_its_own_upstream_connection_with_it() {
    let (upstream, stalled) = endless();
    let gateway = Gateway::start(CHAIN, &upstream);
    let client = Http2::connect(gateway.address()).await;
    let mut kept = client.send(client.request("GET", "/")).await.unwrap().into_body();
    let mut left = client.send(client.request("GET", "/")).await.unwrap().into_body();
    left.frame().await.unwrap().unwrap();
    drop(left);
    tokio::task::spawn_blocking(move || ended(&stalled)).await.unwrap();
    for _ in 0..1000 {
        kept.frame().await.unwrap().unwrap();
    }
    assert_eq!(upstream.connections(), 2);
}

/// Chunked, with a trailer that is harmless and one that never may be one.
const TRAILERS: &str = "5\r\nhello\r\n0\r\nx-end: 1\r\ncontent-length: 3\r\n\r\n";

#[tokio::test]
async fn trailers_of_an_answer_pass_to_clients_that_take_them_but_for_what_never_is_one() {
    let answer = "HTTP/1.1 200 OK\r\ntrailer: x-end\r\ntransfer-encoding: chunked\r\n\r\n";
    let upstream = RawUpstream::saying(format!("{answer}{TRAILERS}"));
    let gateway = Gateway::start(CHAIN, &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(get("/", "te: trailers\r\nconnection: te\r\n"));
    assert!(client.until("\r\n\r\n").contains("transfer-encoding: chunked"));
    assert_eq!(client.until("\r\n\r\n"), "5\r\nhello\r\n0\r\nx-end: 1\r\n\r\n");
    client.send(get("/", ""));
    client.until("\r\n\r\n");
    assert_eq!(client.until("0\r\n\r\n"), "5\r\nhello\r\n0\r\n\r\n");
    let client = Http2::connect(gateway.address()).await;
    let answer = client.send(client.request("GET", "/").header("te", "trailers")).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&crate::support::streams::fields(&[("x-end", "1")])));
    assert_eq!(body.to_bytes(), "hello");
}

#[tokio::test]
async fn trailers_of_a_request_do_not_reach_an_upstream_over_http1() {
    let upstream = RawUpstream::start(|raw| {
        while let Some(head) = raw.head() {
            let end = if head.contains("chunked") { "0\r\n\r\n" } else { "hello" };
            let body = raw.until(end);
            raw.send(ok(&body));
        }
    });
    let gateway = Gateway::start(CHAIN, &upstream);
    let mut client = Raw::connect(gateway.address());
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntrailer: x-end\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(client.send(format!("{head}{TRAILERS}")).response().text(), "5\r\nhello\r\n0\r\n\r\n");
    let client = Http2::connect(gateway.address()).await;
    let trailers = http::HeaderMap::from_iter([(http::HeaderName::from_static("x-end"), "1".parse().unwrap())]);
    let body = Full::from("hello").with_trailers(std::future::ready(Some(Ok(trailers)))).boxed();
    let answer = client.send_body(client.request("POST", "/").header("trailer", "x-end"), body).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
}
