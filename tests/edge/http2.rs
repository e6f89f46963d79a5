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

/// A field of a header section, neither compressed nor indexed.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// Sends a request with these fields as stream 1, without a body; tells the first frame that answers it.
fn first_frame(client: &mut Raw, fields: &[(&str, &str)]) -> Option<u8> {
    let section: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").send([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    client.send([&[0, 0, u8::try_from(section.len()).unwrap(), 1, 5, 0, 0, 0, 1], &section[..]].concat());
    loop {
        let head = client.exact(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        client.exact(length as usize)?;
        // HEADERS, RST_STREAM and GOAWAY answer; SETTINGS and WINDOW_UPDATE do not.
        if matches!(head[3], 1 | 3 | 7) {
            return Some(head[3]);
        }
    }
}

const START: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];

#[test]
fn a_field_that_would_be_something_else_in_http_1_never_gets_there() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ALL, &upstream);
    assert_eq!(first_frame(&mut Raw::connect(gateway.address()), &START), Some(1));
    for bad in [
        ("x", "a\r\nx-user: root"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("x", "a\r\n\r\nGET /smuggled HTTP/1.1"),
        ("x: y\r\nz", "1"),
        ("x a", "1"),
        ("X-A", "1"),
        ("", "1"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("keep-alive", "1"),
        ("te", "gzip"),
        ("content-length", "5"),
        ("content-length", "-1"),
        (":path", "/two"),
        (":late", "1"),
        ("host", "b"),
    ] {
        let fields = [&START[..], &[bad]].concat();
        let answer = first_frame(&mut Raw::connect(gateway.address()), &fields);
        assert!(bad.0 == "host" || answer != Some(1), "{bad:?}: {answer:?}");
    }
    assert_eq!(upstream.seen().len(), 1, "{:?}", upstream.last());
}
