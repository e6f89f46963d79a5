//! Compression of answers: real decoders read what was sent, and nothing else is told than what is true of it.

use std::{
    convert::Infallible,
    io::Read as _,
    pin::Pin,
    process::Command,
    sync::Mutex,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderName, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};

use crate::support::{Call, Gateway, Raw, RawUpstream, Reply, Upstream, raw::ask};

const ON: &str =
    "[routes.r]\nupstream = \"up\"\ncompression = true\n[routes.plain]\npath = \"/plain\"\nupstream = \"up\"\n";

fn text(bytes: usize) -> String {
    (0..).flat_map(|number| format!("line {number} of text\n").into_bytes()).map(char::from).take(bytes).collect()
}

/// Answers with 20,000 bytes of text, or as many as the path says, and with the header fields that `x-answer` lists.
fn upstream() -> Upstream {
    Upstream::answering(|seen| {
        let bytes = seen.target.trim_start_matches('/').parse().unwrap_or(20_000);
        let mut response = Response::new(Full::new(Bytes::from(text(bytes))));
        response.headers_mut().insert("content-type", "text/plain".parse().unwrap());
        for field in seen.header("x-answer").unwrap_or_default().split('|').filter(|field| !field.is_empty()) {
            match field.split_once('=').unwrap() {
                (":status", status) => *response.status_mut() = status.parse().unwrap(),
                (name, value) => {
                    drop(response.headers_mut().insert(HeaderName::try_from(name).unwrap(), value.parse().unwrap()));
                }
            }
        }
        response
    })
}

fn get(gateway: &Gateway, path: &str, accept: &str) -> Call {
    gateway.get(path).header("accept-encoding", accept)
}

/// What a client reads of a body.
fn decoded(coding: &str, body: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_string(&mut text),
        "zstd" => zstd::Decoder::new(body)?.read_to_string(&mut text),
        "br" => brotli::Decompressor::new(body, 4096).read_to_string(&mut text),
        other => panic!("{other}"),
    }?;
    Ok(text)
}

fn coding(reply: &Reply) -> Option<&str> {
    reply.header("content-encoding")
}

#[tokio::test]
async fn an_answer_is_compressed_as_its_client_wants_and_says_what_is_true_of_that() {
    let upstream = upstream();
    let gateway = Gateway::start(ON, &upstream);
    for http2 in [false, true] {
        for (accept, expected) in [
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip, br", "br"),
            ("gzip", "gzip"),
            ("br;q=0.1, *;q=0.5, zstd;q=0", "gzip"),
        ] {
            for path in ["/20000", "/300000"] {
                let call =
                    get(&gateway, path, accept).header("x-answer", "etag=\"a\"|content-md5=x|accept-ranges=bytes");
                let reply = if http2 { call.http2().await } else { call.await };
                assert_eq!(
                    (coding(&reply), reply.header("vary")),
                    (Some(expected), Some("accept-encoding")),
                    "{accept}"
                );
                assert_eq!(decoded(expected, &reply.body).unwrap(), text(path[1..].parse().unwrap()));
                assert!(reply.body.len() < 80_000, "{}", reply.body.len());
                assert_eq!((reply.header("etag"), reply.header("content-length")), (Some("W/\"a\""), None));
                assert_eq!((reply.header("content-md5"), reply.header("accept-ranges")), (None, None));
            }
        }
        let reply = gateway.get("/").await;
        assert_eq!(
            (coding(&reply), reply.header("vary"), reply.header("content-length")),
            (None, Some("accept-encoding"), Some("20000"))
        );
    }
    let reply = get(&gateway, "/plain", "gzip").await;
    assert_eq!((coding(&reply), reply.header("vary"), reply.body.len()), (None, None, 20_000));
}

#[tokio::test]
async fn what_gains_nothing_or_must_stay_is_left_as_it_is() {
    let upstream = upstream();
    let gateway = Gateway::start(ON, &upstream);
    for (path, answer) in [
        ("/1023", ""),
        ("/0", ""),
        ("/", "content-type=image/png"),
        ("/", "content-type=text/event-stream"),
        ("/", "content-encoding=br"),
        ("/", "cache-control=max-age=5, No-Transform"),
        ("/", ":status=206|content-range=bytes 0-19999/40000"),
        ("/", ":status=206"),
    ] {
        let reply = get(&gateway, path, "gzip").header("x-answer", answer).await;
        let given = answer.strip_prefix("content-encoding=");
        assert_eq!((coding(&reply), reply.header("vary")), (given, None), "{answer}");
        assert_eq!(reply.body, text(path[1..].parse().unwrap_or(20_000)), "{answer}");
    }
    for status in ["204", "304"] {
        let reply = get(&gateway, "/0", "gzip").header("x-answer", &format!(":status={status}")).await;
        assert_eq!((coding(&reply), reply.body.len()), (None, 0));
    }
    assert_eq!(coding(&get(&gateway, "/1024", "gzip").await), Some("gzip"));
    // An error's answer is one too, if it is long.
    let reply = get(&gateway, "/", "gzip").header("x-answer", ":status=500").await;
    assert_eq!((reply.status, coding(&reply)), (500, Some("gzip")));
}

#[tokio::test]
async fn a_head_says_what_a_get_would() {
    let upstream = upstream();
    let gateway = Gateway::start(ON, &upstream);
    for http2 in [false, true] {
        for (path, accept, coding) in [("/20000", "gzip", Some("gzip")), ("/20000", "x", None), ("/100", "gzip", None)]
        {
            let call = gateway.call("HEAD", path).header("accept-encoding", accept);
            let reply = if http2 { call.http2().await } else { call.await };
            let length = coding.is_none().then(|| &path[1..]);
            assert_eq!(
                (reply.status, reply.header("content-encoding"), reply.header("content-length")),
                (200, coding, length),
                "{path} {accept}"
            );
        }
    }
}

#[tokio::test]
async fn the_configuration_chooses_routes_types_sizes_and_codings() {
    let upstream = upstream();
    let text = "[compression]\nall_routes = true\nencodings = [\"gzip\"]\nmin_bytes = \"10B\"\ncontent_types = [\"image/*\"]\n\
        gzip_level = 1\n[routes.r]\nupstream = \"up\"\n[routes.off]\npath = \"/off\"\nupstream = \"up\"\ncompression = false\n";
    let gateway = Gateway::start(text, &upstream);
    let ask = |path: &'static str, kind: &'static str| {
        get(&gateway, path, "br, zstd, gzip").header("x-answer", kind).into_future()
    };
    assert_eq!(coding(&ask("/10", "content-type=image/svg").await), Some("gzip"));
    assert_eq!(coding(&ask("/9", "content-type=image/svg").await), None);
    assert_eq!(coding(&ask("/10", "").await), None);
    assert_eq!(coding(&ask("/off", "content-type=image/svg").await), None);
    assert_eq!(coding(&get(&gateway, "/10", "br").header("x-answer", "content-type=image/svg").await), None);
}

#[tokio::test]
async fn filters_and_the_cache_have_bodies_as_they_are() {
    let upstream = upstream();
    let more = "[caches.c]\nttl = \"60s\"\n[plugins.body]\ncomponent = \"{guests}/probe-body.wasm\"\nconfig = { response = { upper = true } }\n";
    let route = ON.replace("compression", "plugins = [\"body\"]\ncache = \"c\"\ncompression");
    let gateway = Gateway::start(&format!("{more}{route}"), &upstream);
    for (accept, expected) in [("gzip", Some("gzip")), ("br", Some("br")), ("zstd", Some("zstd")), ("x", None)] {
        let reply = get(&gateway, "/5000", accept).await;
        let body = expected.map_or_else(|| reply.text().to_owned(), |coding| decoded(coding, &reply.body).unwrap());
        assert_eq!((coding(&reply), body), (expected, text(5000).to_ascii_uppercase()));
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn what_has_come_is_let_out_at_once() {
    for (coding, codec) in [("gzip", 0), ("br", 1), ("zstd", 2)] {
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let gate = Mutex::new(gate);
        let upstream = RawUpstream::start(move |raw| {
            while raw.request().is_some() {
                raw.send(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n6\r\nevent \r\n",
                );
                gate.lock().unwrap().recv().unwrap();
                raw.send("3\r\nend\r\n0\r\n\r\n");
            }
        });
        let gateway = Gateway::start(ON, &upstream);
        let mut raw = Raw::connect(gateway.address());
        raw.send(format!("GET / HTTP/1.1\r\nhost: a\r\naccept-encoding: {coding}\r\n\r\n"));
        raw.until("\r\n\r\n");
        // A piece comes before the upstream has ended: it can be read to the end of what was sent.
        let first = raw.until("\r\n");
        let size = usize::from_str_radix(first.trim(), 16).unwrap();
        let piece = raw.exact(size).unwrap();
        assert_eq!(begun(codec, &piece), "event ", "{coding}");
        go.send(()).unwrap();
        raw.until("0\r\n\r\n");
    }
}

/// What can be read of the begin of a stream.
fn begun(codec: usize, piece: &[u8]) -> String {
    let mut text = [0; 6];
    match codec {
        0 => flate2::read::GzDecoder::new(piece).read_exact(&mut text),
        1 => brotli::Decompressor::new(piece, 4096).read_exact(&mut text),
        _ => zstd::Decoder::new(piece).unwrap().read_exact(&mut text),
    }
    .unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

#[test]
fn a_body_that_breaks_off_never_looks_whole() {
    let body = text(50_000);
    let upstream = RawUpstream::ending(move |mut raw| {
        raw.request();
        raw.send(format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 60000\r\n\r\n{body}"));
    });
    let gateway = Gateway::start(ON, &upstream);
    for coding in ["gzip", "br", "zstd"] {
        let answer = ask(gateway.address(), format!("GET / HTTP/1.1\r\nhost: a\r\naccept-encoding: {coding}\r\n\r\n"));
        assert_eq!((answer.whole, answer.header("content-encoding")), (false, Some(coding)));
        // Not even to a client that does not look at the framing.
        assert!(decoded(coding, &answer.body).is_err(), "{coding}");
    }
    assert_eq!(gateway.metric_at("gatehouse_failures_total{code=\"upstream_broken\"}", 3), 3);
}

#[tokio::test]
async fn a_large_body_passes_in_little_memory_and_leaves_others_their_worker() {
    const PIECES: usize = 400;
    let piece = Bytes::from(text(256 << 10));
    let upstream = Upstream::streaming(move |seen| match &*seen.target {
        "/large" => {
            let mut response = Response::new(Pieces(piece.clone(), PIECES).boxed());
            response.headers_mut().insert("content-type", "text/plain".parse().unwrap());
            response
        }
        _ => Response::new(Full::new(Bytes::from_static(b"hello")).boxed()),
    });
    let gateway = Gateway::start(ON, &upstream);
    let large = tokio::spawn(get(&gateway, "/large", "br").into_future());
    let mut others = 0;
    while !large.is_finished() {
        assert_eq!(gateway.get("/plain").await.text(), "hello");
        others += 1;
    }
    let reply = large.await.unwrap();
    assert_eq!(decoded("br", &reply.body).unwrap().len(), PIECES * (256 << 10));
    assert!(others > 10, "{others}");
}

/// The same piece so many times.
struct Pieces(Bytes, usize);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.1.checked_sub(1) else { return Poll::Ready(None) };
        self.1 = left;
        Poll::Ready(Some(Ok(Frame::data(self.0.clone()))))
    }
}

#[test]
fn curl_reads_it() {
    let upstream = upstream();
    let gateway = Gateway::start(ON, &upstream);
    let url = format!("http://{}/300000", gateway.address());
    let output = Command::new("curl").args(["-s", "--max-time", "20", "--compressed", &url]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), text(300_000));
    assert!(upstream.last().header("accept-encoding").is_some_and(|accept| accept.contains("gzip")));
}
