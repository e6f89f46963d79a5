//! TLS to upstreams: whom it trusts, what it shows, and what breaks.

use std::{
    fs,
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::support::{
    Gateway, Upstream,
    tls::{Authority, Front, acceptor, serve},
};

/// A gateway with an upstream that is reached by `https` at this address.
fn gateway(address: std::net::SocketAddr, tls: &str) -> Gateway {
    Gateway::start(&configuration(address, tls), &Upstream::start())
}

fn configuration(address: std::net::SocketAddr, tls: &str) -> String {
    format!(
        "[upstreams.up]\nurl = \"https://localhost:{}\"\ntls = {{ {tls} }}\nfirst_byte_timeout = \"2s\"\n\
        [routes.all]\nupstream = \"up\"\n",
        address.port()
    )
}

fn trusting(authority: &Authority) -> String {
    format!("ca = {:?}", authority.file("ca.pem"))
}

fn authority() -> Authority {
    let authority = Authority::new("the authority");
    authority.issue("up", &["localhost"]);
    authority
}

#[tokio::test]
async fn requests_and_answers_pass_whole_over_kept_connections() {
    let (authority, upstream) = (authority(), Upstream::start());
    let front = Front::start(acceptor(&authority, "up", None), upstream.address()).await;
    let gateway = gateway(front.address, &trusting(&authority));
    let large = Bytes::from((0..3_000_000_u32).map(|number| number as u8).collect::<Vec<_>>());
    for body in [Bytes::new(), Bytes::from_static(b"short"), large.clone(), large.slice(..20_000)] {
        let expected = if body.is_empty() { Bytes::from_static(b"hello") } else { body.clone() };
        let reply = gateway.call("POST", "/x").body(body.clone()).await;
        assert_eq!((reply.status, reply.body.len()), (200, expected.len()));
        assert!(reply.body == expected && upstream.last().body == body);
        // Over HTTP/2 the body's length is not told ahead: it leaves in chunks.
        let reply = gateway.call("POST", "/x").body(body.clone()).http2().await;
        assert!(reply.body == expected && upstream.last().body == body);
    }
    assert_eq!(front.shaken.load(Relaxed), 1);
}

#[tokio::test]
async fn who_is_not_trusted_or_has_another_name_gets_no_request() {
    let (authority, upstream) = (authority(), Upstream::start());
    authority.issue("other", &["other.test"]);
    authority.issue_expired("old", "localhost");
    let stranger = Authority::new("another");
    for (file, tls, says) in [
        ("up", String::new(), "UnknownIssuer"),
        ("up", trusting(&stranger), "UnknownIssuer"),
        ("other", trusting(&authority), "not valid for name"),
        ("up", format!("{}, server_name = \"other.test\"", trusting(&authority)), "not valid for name"),
        ("old", trusting(&authority), "expired"),
    ] {
        let front = Front::start(acceptor(&authority, file, None), upstream.address()).await;
        let gateway = gateway(front.address, &tls);
        let reply = gateway.get("/x").await;
        assert_eq!(
            (reply.status, reply.json()["code"].as_str()),
            (502, Some("upstream_unreachable")),
            "{file}: {says}"
        );
        // The client is not told why.
        assert!(!reply.text().contains(says));
    }
    assert_eq!(upstream.seen().len(), 0);
    let front = Front::start(acceptor(&authority, "other", None), upstream.address()).await;
    let gateway = gateway(front.address, &format!("{}, server_name = \"other.test\"", trusting(&authority)));
    assert_eq!(gateway.get("/x").await.status, 200);
}

#[tokio::test]
async fn the_gateway_shows_its_certificate_to_an_upstream_that_asks() {
    let (authority, upstream) = (authority(), Upstream::start());
    let clients = Authority::new("the clients' authority");
    clients.issue("gateway", &["gateway"]);
    let front = Front::start(acceptor(&authority, "up", Some(&clients)), upstream.address()).await;
    let shows = format!(
        "{}, certificate = {:?}, key = {:?}",
        trusting(&authority),
        clients.file("gateway.pem"),
        clients.file("gateway.key")
    );
    assert_eq!(gateway(front.address, &shows).get("/x").await.status, 200);
    assert_eq!(gateway(front.address, &trusting(&authority)).get("/x").await.status, 502);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_never_a_whole_one() {
    let authority = authority();
    // Its body ends with the connection: only a close_notify says that it is whole (RFC 9112 section 9.8).
    for says_so in [true, false] {
        let address = serve(acceptor(&authority, "up", None), move |mut stream| async move {
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it").await.unwrap();
            stream.flush().await.unwrap();
            if says_so {
                stream.shutdown().await.unwrap();
            }
        });
        let gateway = gateway(address.await, &trusting(&authority));
        let outcome = gateway.get("/x").outcome().await;
        match says_so {
            true => assert_eq!(outcome.unwrap().text(), "all of it"),
            false => assert!(outcome.is_err()),
        }
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_over_after_the_time_to_connect() {
    let authority = authority();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = gateway(silent.local_addr().unwrap(), &trusting(&authority));
    let started = Instant::now();
    let reply = gateway.get("/x").await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (504, Some("upstream_connect_timeout")));
    assert!(started.elapsed() < Duration::from_secs(5));
    // And one that speaks no TLS at all.
    let plain = Upstream::start();
    let gateway = self::gateway(plain.address(), &trusting(&authority));
    assert_eq!(gateway.get("/x").await.status, 502);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_the_client_nothing() {
    let authority = authority();
    // Answers once a connection, and closes it with and without a word.
    let address = serve(acceptor(&authority, "up", None), move |mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
        stream.flush().await.unwrap();
    });
    let gateway = gateway(address.await, &trusting(&authority));
    for _ in 0..20 {
        assert_eq!(gateway.get("/x").await.text(), "hello");
    }
}

#[tokio::test]
async fn whom_it_trusts_can_change_while_it_runs() {
    let (authority, upstream) = (authority(), Upstream::start());
    let front = Front::start(acceptor(&authority, "up", None), upstream.address()).await;
    let gateway = gateway(front.address, &trusting(&authority));
    assert_eq!(gateway.get("/x").await.status, 200);
    let good = fs::read(authority.file("ca.pem")).unwrap();
    fs::write(authority.file("ca.pem"), b"-----BEGIN CERTIFICATE-----\n").unwrap();
    let problems = gateway.reload_files().unwrap_err().to_string();
    assert!(problems.contains("ca.pem") && problems.contains("gatehouse.toml:3:"), "{problems}");
    assert_eq!(gateway.get("/x").await.status, 200);
    // Connections that were made under the old trust serve nobody who asks under the new.
    let other = fs::read(Authority::new("another").file("ca.pem")).unwrap();
    fs::write(authority.file("ca.pem"), other).unwrap();
    gateway.reload_files().unwrap();
    assert_eq!(gateway.get("/x").await.status, 502);
    fs::write(authority.file("ca.pem"), good).unwrap();
    gateway.reload_files().unwrap();
    assert_eq!(gateway.get("/x").await.status, 200);
}
