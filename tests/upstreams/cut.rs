//! Answers that are cut off at each place, in each way and framing.

use std::thread;

use gatehouse_faultproxy::{Act, Fault, Place};
use http_body_util::BodyExt;

use super::config;
use crate::support::{
    Faulty, Gateway, Http2, Process, Raw,
    faulty::{Framing, body_of},
    raw::{ask, get},
};

const FRAMINGS: [Framing; 3] = [Framing::Length, Framing::Chunked, Framing::UntilClose];

/// Where nothing of an answer has gone to the client.
const HEAD: [Place; 5] = [Place::Request(0), Place::Asked, Place::StatusLine, Place::HeaderLine, Place::HeaderEnd];

/// Where the body that an answer of some framing has is cut.
fn in_body(framing: Framing) -> Vec<Place> {
    let chunks = [Place::ChunkSize, Place::ChunkStart, Place::ChunkEnd, Place::LastChunk, Place::Trailers];
    let mut places = vec![Place::BodyStart, Place::Body, Place::LastByte];
    match framing {
        Framing::Length => {}
        Framing::Chunked => places.extend(chunks),
        // Where the end of the connection is the end of the body, what comes after all of it is not whole either.
        Framing::UntilClose => places.push(Place::End),
    }
    places
}

/// All cuts that can be told from a good end.
fn cuts(framing: Framing, act: &Act) -> Vec<(Place, bool)> {
    let head = HEAD.map(|place| (place, true));
    let body = in_body(framing).into_iter().map(|place| (place, false));
    // A body without a length that ends with a good close is a whole one for everybody.
    let body = body.filter(|_| framing != Framing::UntilClose || !matches!(act, Act::Close));
    head.into_iter().chain(body).collect()
}

/// Cuts answers at all places, in one way.
fn cut(framing: Framing, act: &Act) {
    let hangs = matches!(act, Act::Hang);
    let faulty = Faulty::start(framing);
    let gateway = Gateway::start(&config(hangs), &faulty);
    let mut other = Raw::connect(gateway.address());
    for (number, (place, in_head)) in cuts(framing, act).into_iter().enumerate() {
        faulty.set(Fault::new(place, [act.clone()]));
        let case = format!("{framing:?} {act:?} {place:?}");
        let (path, ok) = (format!("/fault/{number}"), format!("/ok/{number}"));
        let mut client = Raw::connect(gateway.address());
        let answer = client.send(get(&path, "")).response();
        if in_head {
            let expected = if hangs { (504, "upstream_timeout") } else { (502, "upstream_broken") };
            assert_eq!((answer.status(), answer.json()["code"].as_str().unwrap()), expected, "{case}");
            assert_eq!(client.send(get(&ok, "")).response().text(), body_of(&ok), "{case}");
        } else {
            assert_eq!((answer.status(), answer.whole), (200, false), "{case}");
            assert!(body_of(&path).starts_with(answer.text()), "{case}: {}", answer.text());
            assert_eq!(client.rest(), b"", "{case}");
        }
        assert_eq!(other.send(get(&ok, "")).response().text(), body_of(&ok), "{case}");
    }
    assert_eq!(faulty.reused(), 0);
}

#[test]
fn an_answer_that_is_cut_off_anywhere_never_looks_whole() {
    thread::scope(|scope| {
        for framing in FRAMINGS {
            for act in [Act::Reset, Act::Close, Act::Hang] {
                scope.spawn(move || cut(framing, &act));
            }
        }
    });
}

#[tokio::test]
async fn an_answer_that_is_cut_off_anywhere_is_an_error_of_its_stream() {
    for framing in FRAMINGS {
        let faulty = Faulty::start(framing);
        let gateway = Gateway::start(&config(false), &faulty);
        let client = Http2::connect(gateway.address()).await;
        for act in [Act::Reset, Act::Close] {
            for (number, (place, in_head)) in cuts(framing, &act).into_iter().enumerate() {
                faulty.set(Fault::new(place, [act.clone()]));
                let case = format!("{framing:?} {act:?} {place:?}");
                let (path, ok) = (format!("/fault/{number}"), format!("/ok/{number}"));
                let answer = client.send(client.request("GET", &path)).await.unwrap();
                assert_eq!(answer.status(), if in_head { 502 } else { 200 }, "{case}");
                let (mut body, mut read) = (answer.into_body(), Vec::new());
                let ended_well = loop {
                    match body.frame().await {
                        Some(Ok(frame)) => read.extend_from_slice(frame.data_ref().unwrap()),
                        Some(Err(_)) => break false,
                        None => break true,
                    }
                };
                assert_eq!(ended_well, in_head, "{case}");
                assert!(in_head || body_of(&path).as_bytes().starts_with(&read), "{case}");
                // Only the stream has ended.
                let answer = client.send(client.request("GET", &ok)).await.unwrap();
                assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), body_of(&ok), "{case}");
            }
        }
        assert_eq!(faulty.reused(), 0);
    }
}

#[test]
fn the_log_tells_what_the_client_was_told_and_why() {
    let faulty = Faulty::start(Framing::Chunked);
    let process = Process::start(&config(true), &faulty);
    for (number, (place, act, status, code)) in [
        (Place::Asked, Act::Reset, 502, "upstream_broken"),
        (Place::StatusLine, Act::Close, 502, "upstream_broken"),
        (Place::HeaderEnd, Act::Hang, 504, "upstream_timeout"),
        (Place::Body, Act::Reset, 200, "upstream_broken"),
        (Place::LastChunk, Act::Close, 200, "upstream_broken"),
        (Place::Trailers, Act::Hang, 200, "upstream_broken"),
    ]
    .into_iter()
    .enumerate()
    {
        faulty.set(Fault::new(place, [act]));
        let path = format!("/fault/{number}");
        assert_eq!(ask(process.address(), get(&path, "")).status(), status, "{place:?}");
        let line = process.access_line(&path);
        assert_eq!((line["status"].as_u64(), line["failure"].as_str()), (Some(status.into()), Some(code)), "{line}");
    }
}

#[test]
fn an_upstream_that_is_slow_but_whole_is_served() {
    let slow = std::time::Duration::from_millis(1);
    let faulty = Faulty::start(Framing::Chunked);
    let gateway = Gateway::start(&config(false), &faulty);
    let mut client = Raw::connect(gateway.address());
    for act in [Act::Wait(50 * slow), Act::Trickle(slow / 10)] {
        for place in [Place::Asked, Place::HeaderLine, Place::ChunkSize, Place::Trailers] {
            faulty.set(Fault::new(place, [act.clone()]));
            let answer = client.send(get("/fault/slow", "")).response();
            assert_eq!((answer.whole, answer.text()), (true, &*body_of("/fault/slow")), "{place:?} {act:?}");
        }
    }
    // Slow is not spoiled: the connection is kept.
    assert_eq!(faulty.proxy.connections(), 1);
}
