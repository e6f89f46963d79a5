//! HTTP/2 with prior knowledge.

use std::sync::{Arc, Barrier};

use http_body_util::{BodyExt, Full};

use super::ALL;
use crate::support::{
    Gateway, Http2, Raw, RawUpstream, Upstream,
    raw::{DEADLINE, ok},
};

#[tokio::test]
async fn streams_of_one_connection_are_served_at_once() {
    let together = Arc::new(Barrier::new(8));
    let upstream = RawUpstream::start(move |raw| {
        while let Some(request) = raw.request() {
            together.wait();
            raw.send(ok(request.target()));
        }
    });
    let gateway = Gateway::start(ALL, &upstream);
    let client = Arc::new(Http2::connect(gateway.address()).await);
    let streams = (0..8).map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            let answer = client.send(client.request("GET", &format!("/{n}"))).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), format!("/{n}"));
        })
    });
    for stream in streams.collect::<Vec<_>>() {
        tokio::time::timeout(DEADLINE, stream).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_request_and_its_answer_lose_nothing_on_the_way_through_http_1() {
    let upstream = RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            let body = request.body.len();
            raw.send(format!(
                "HTTP/1.1 201 Created\r\nx-a: 1\r\nconnection: x-b\r\nx-b: 2\r\n{}",
                &ok(&body.to_string())[17..]
            ));
        }
    });
    let gateway = Gateway::start(ALL, &upstream);
    let client = Http2::connect(gateway.address()).await;
    let request = client.request("PUT", "/a?b=c").header("x-c", "3").header("te", "trailers");
    let answer = client.send_body(request, Full::from(vec![b'x'; 200_000]).boxed()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["via"], answer.headers().get("x-b")),
        (201, &"1.1 gatehouse".parse().unwrap(), None)
    );
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "200000");
    let seen = upstream.last_request();
    assert!(seen.head.starts_with("PUT /a?b=c HTTP/1.1\r\n"));
    assert_eq!((seen.header("x-c"), seen.header("te"), seen.header("via")), (Some("3"), None, Some("2.0 gatehouse")));
    assert_eq!(seen.headers("content-length").len() + seen.headers("transfer-encoding").len(), 1);
}

#[tokio::test]
async fn cookies_that_came_in_pieces_go_on_as_one() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    let client = Http2::connect(gateway.address()).await;
    let request =
        client.request("GET", "/").header("cookie", "a=1").header("cookie", "b=2; c=3").header("cookie", "d=4");
    client.send(request).await.unwrap();
    let cookies: Vec<_> = upstream.last().headers.get_all("cookie").iter().cloned().collect();
    assert_eq!(cookies, ["a=1; b=2; c=3; d=4"]);
}

#[tokio::test]
async fn two_names_for_the_host_are_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    let client = Http2::connect(gateway.address()).await;
    let answer = client.send(client.request("GET", "/").header("host", "b.example")).await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(upstream.seen().is_empty());
    assert_eq!(client.send(client.request("GET", "/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_path_is_canonical_here_too() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    let client = Http2::connect(gateway.address()).await;
    assert_eq!(client.send(client.request("GET", "/a/%2e%2e//b")).await.unwrap().status(), 200);
    assert_eq!(upstream.last().target, "/b");
    for path in ["/..", "/a%2fb", "/%00"] {
        assert_eq!(client.send(client.request("GET", path)).await.unwrap().status(), 400, "{path}");
    }
}

#[test]
fn a_preface_in_pieces_is_understood() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    let mut client = Raw::connect(gateway.address());
    for piece in ["P", "RI * HT", "TP/2.0\r\n\r\nSM\r\n", "\r\n"] {
        client.send(piece);
    }
    // An empty SETTINGS frame; the gateway's own comes first.
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    assert_eq!(client.until("\u{4}\0\0\0\0\0").as_bytes()[3], 4);
    let mut other = Raw::connect(gateway.address());
    assert_eq!(other.send("PRI").send("NT / HTTP/1.1\r\nhost: a\r\n\r\n").response().status(), 200);
}
