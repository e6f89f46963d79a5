//! HTTP/2 to upstreams: what is sent, how connections are shared, what becomes of a request when one breaks; trailers; gRPC.

mod faults;
mod grpc;
mod long;
mod secured;
mod trailers;

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::server::Builder;
use http_body_util::BodyExt as _;

use crate::support::{
    Gateway, Http2, Raw, RawUpstream,
    raw::{get, ok},
    streams::{Exchange, Streams, piped},
};

/// An upstream `up` over HTTP/2, with what else is said of it and of the route.
fn text(upstream: &str, route: &str) -> String {
    format!(
        "[upstreams.up]\nurl = \"http://{{upstream}}\"\nprotocol = \"http2\"\n{upstream}\n\
         [routes.all]\nupstream = \"up\"\n{route}\n"
    )
}

/// One that answers each request with its body, or `hello`.
fn echo() -> Streams {
    Streams::start(answer)
}

async fn answer(mut exchange: Exchange) {
    let (body, _) = exchange.read().await;
    exchange.say(if body.is_empty() { Bytes::from_static(b"hello") } else { body });
}

/// One that tells what each request says.
fn telling() -> (Streams, Receiver<String>) {
    let (tell, told) = channel();
    let upstream = Streams::start(move |mut exchange| {
        let tell = tell.clone();
        async move {
            let (body, trailers) = exchange.read().await;
            let head = &exchange.head;
            let mut lines: Vec<String> = (head.headers.iter())
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .filter(|line| !line.starts_with("x-request-id"))
                .collect();
            lines.sort();
            let text = format!(
                "{:?} {} {}\n{}\n{}\n{:?}",
                head.version,
                head.method,
                head.uri,
                lines.join("\n"),
                body.len(),
                trailers.map(|trailers| trailers.keys().map(ToString::to_string).collect::<Vec<_>>())
            );
            tell.send(text).unwrap();
            exchange.say("hello");
        }
    });
    (upstream, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_either_protocol_leaves_over_http2_with_what_the_gateway_says() {
    let (upstream, told) = telling();
    let gateway = Gateway::start(&text("", "upstream_headers = { x-user = \"${request.route}\" }"), &upstream);
    let sent = "POST /a?b=c HTTP/1.1\r\nhost: a.example\r\ncontent-length: 5\r\nx-user: root\r\nconnection: x-gone\r\n\
        x-gone: 1\r\nte: trailers\r\n\r\nhello";
    assert_eq!(Raw::connect(gateway.address()).send(sent).response().text(), "hello");
    let expected = "HTTP/2.0 POST http://a.example/a?b=c\ncontent-length: 5\nte: trailers\nvia: 1.1 gatehouse\n\
        x-forwarded-for: 127.0.0.1\nx-forwarded-host: a.example\nx-forwarded-proto: http\nx-user: all\n5\nNone";
    assert_eq!(told.recv().unwrap(), expected);
    let reply = gateway.call("PUT", "/x").header("te", "gzip").body("12345678").http2().await;
    assert_eq!((reply.status, reply.text(), reply.header("via")), (200, "hello", Some("2.0 gatehouse")));
    let seen = told.recv().unwrap();
    assert!(seen.contains("via: 2.0 gatehouse") && !seen.contains("te: ") && seen.ends_with("\n8\nNone"), "{seen}");
    // Nobody names a host: the endpoint's stands in.
    Raw::connect(gateway.address()).send("GET / HTTP/1.0\r\n\r\n").head();
    assert!(told.recv().unwrap().contains(&format!(" http://{}/\n", upstream.address())));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_pass_both_ways_whole() {
    let upstream = echo();
    let gateway = Gateway::start(&text("", ""), &upstream);
    let large = Bytes::from((0..5_000_000_u32).map(|number| (number % 251) as u8).collect::<Vec<_>>());
    for call in [gateway.call("POST", "/"), gateway.call("POST", "/").http2()] {
        let reply = call.body(large.clone()).await;
        assert!(reply.status == 200 && reply.body == large);
    }
    let reply = gateway.call("POST", "/").header("expect", "100-continue").body("short").await;
    assert_eq!(reply.text(), "short");
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_and_answers_without_a_body_have_none() {
    let upstream = Streams::start(|mut exchange| async move {
        let response = http::Response::builder().header("content-length", "5").body(()).unwrap();
        exchange.respond.send_response(response, true).unwrap();
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    let mut client = Raw::connect(gateway.address());
    let head = client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").response_to_head();
    assert_eq!((head.status(), head.header("content-length")), (200, Some("5")));
}

/// Requests that arrive at an upstream and wait there until they are let go.
struct Waiting {
    upstream: Streams,
    arrived: Receiver<usize>,
    go: tokio::sync::broadcast::Sender<()>,
}

impl Waiting {
    fn start(builder: &Builder) -> Self {
        let (arrive, arrived) = channel();
        let go = tokio::sync::broadcast::channel(1).0;
        let waiting = go.clone();
        let upstream = Streams::with(builder, 0, move |mut exchange| {
            let (arrive, mut go) = (arrive.clone(), waiting.subscribe());
            async move {
                arrive.send(exchange.connection).unwrap();
                let _ = go.recv().await;
                exchange.say("hello");
            }
        });
        Self { upstream, arrived, go }
    }

    fn arrival(&self) -> usize {
        self.arrived.recv_timeout(Duration::from_secs(10)).expect("a request arrives")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_share_one_connection_from_the_first_on() {
    let waiting = Waiting::start(&Builder::new());
    let gateway = Gateway::start(&text("", ""), &waiting.upstream);
    let calls: Vec<_> = (0..50).map(|_| tokio::spawn(gateway.get("/").into_future())).collect();
    assert!((0..50).all(|_| waiting.arrival() == 1));
    waiting.go.send(()).unwrap();
    for call in calls {
        assert_eq!(call.await.unwrap().text(), "hello");
    }
    assert_eq!(waiting.upstream.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_has_more_streams_than_the_upstream_lets() {
    let waiting = Waiting::start(Builder::new().max_concurrent_streams(2));
    let gateway = Gateway::start(&text("", ""), &waiting.upstream);
    // The settings have come with the first answer.
    let first = tokio::spawn(gateway.get("/").into_future());
    waiting.arrival();
    waiting.go.send(()).unwrap();
    first.await.unwrap();
    let calls: Vec<_> = (0..2).map(|_| tokio::spawn(gateway.get("/").into_future())).collect();
    assert_eq!([waiting.arrival(), waiting.arrival()], [1, 1]);
    let third = tokio::spawn(gateway.get("/").into_future());
    assert_eq!(waiting.arrival(), 2);
    waiting.go.send(()).unwrap();
    for call in calls.into_iter().chain([third]) {
        assert_eq!(call.await.unwrap().status, 200);
    }
    assert_eq!(waiting.upstream.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_directions_stream_at_the_same_time() {
    let upstream = Streams::start(|mut exchange| async move {
        let mut answer = exchange.begin(&[]);
        while let Some(Ok(data)) = exchange.body.data().await {
            exchange.body.flow_control().release_capacity(data.len()).unwrap();
            answer.send_data(data, false).unwrap();
        }
        answer.send_data(Bytes::new(), true).unwrap();
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let (send, body) = piped();
    let answer = client.send_body(client.request("POST", "/"), body).await.unwrap();
    let mut body = answer.into_body();
    for n in 0..20 {
        let piece = Bytes::from(format!("piece {n}"));
        send.send(http_body::Frame::data(piece.clone())).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), piece);
    }
    drop(send);
    assert!(body.collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_balanced_retried_and_looked_at_over_http2() {
    let (well, gone) = (echo(), std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let checked = Arc::new(Mutex::new(Vec::new()));
    let seen = checked.clone();
    let looked = Streams::start(move |mut exchange| {
        seen.lock().unwrap().push(exchange.head.uri.path().to_owned());
        async move { exchange.say("other") }
    });
    let text = format!(
        "[upstreams.up]\nendpoints = [\"http://{}\", \"http://{}\", \"http://{gone}\"]\nprotocol = \"http2\"\n\
         health_check = {{ path = \"/healthz\", interval = \"100ms\" }}\n[routes.all]\nupstream = \"up\"\n",
        well.address(),
        looked.address()
    );
    let gateway = Gateway::start(&text, &well);
    let available = |address| {
        gateway.metric(&format!("gatehouse_upstream_endpoint_available{{upstream=\"up\",endpoint=\"{address}\"}}"))
    };
    crate::support::until(Duration::from_secs(10), || available(gone) == 0);
    let mut texts = Vec::new();
    for _ in 0..6 {
        texts.push(gateway.get("/").await.text().to_owned());
    }
    assert!(texts.iter().any(|text| text == "hello") && texts.iter().any(|text| text == "other"), "{texts:?}");
    assert_eq!(available(well.address()), 1);
    crate::support::until(Duration::from_secs(10), || checked.lock().unwrap().contains(&"/healthz".to_owned()));
}

#[test]
fn a_reload_changes_what_is_spoken_to_an_upstream() {
    let [old, new] = ["", "protocol = \"http2\"\n"].map(|protocol| {
        format!("[upstreams.up]\nurl = \"http://{{upstream}}\"\n{protocol}[routes.all]\nupstream = \"up\"\n")
    });
    let upstream = RawUpstream::start(|raw| {
        while let Some(request) = raw.head() {
            match request.starts_with("PRI * HTTP/2.0") {
                true => return,
                false => raw.send(ok("hello")),
            };
        }
    });
    let gateway = Gateway::start(&old, &upstream);
    let mut client = Raw::connect(gateway.address());
    assert_eq!(client.send(get("/", "")).response().text(), "hello");
    gateway.reload(&new, &upstream).unwrap();
    assert_eq!(client.send(get("/", "")).response().status(), 502);
    gateway.reload(&old, &upstream).unwrap();
    assert_eq!(client.send(get("/", "")).response().text(), "hello");
}
