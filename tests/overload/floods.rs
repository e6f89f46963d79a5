//! Floods of HTTP/2: each ends its own connection after so many frames, while another client is served.

use std::time::Duration;

use super::{all, ended, frame, preface, request};
use crate::support::{
    Gateway, Http2, Raw, RawUpstream, Upstream,
    raw::{ask, get},
};
use http_body_util::BodyExt;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Frames that any flood may send, and how many go out at once. What one is allowed grows with time, on a busy machine too.
const MOST: usize = 20_000;
const AT_ONCE: usize = 100;

/// Another client is served, in the middle of it.
fn is_served(gateway: &Gateway) -> bool {
    let answer = ask(gateway.address(), get("/", "connection: close\r\n"));
    answer.status() == 200 || panic!("{answer:?}")
}

/// Begins with some bytes, then sends frames, each by its number, until the connection is closed. Tells how many were sent.
fn flood(gateway: &Gateway, begin: &[u8], one: impl Fn(u32) -> Vec<u8>) -> usize {
    let mut client = Raw::connect(gateway.address());
    client.send(preface(&[])).send(begin);
    for round in 0..MOST / AT_ONCE {
        let numbers = round * AT_ONCE..(round + 1) * AT_ONCE;
        let frames: Vec<u8> = numbers.flat_map(|number| one(u32::try_from(number).unwrap())).collect();
        let sent = client.try_send(&frames);
        assert!(is_served(gateway));
        if sent.is_err() || client.try_send([]).is_err() {
            return round * AT_ONCE;
        }
    }
    panic!("the connection is still open after {MOST} frames");
}

/// A flood that ends by the bound on frames that do nothing.
fn ends_as_flood(begin: &[u8], one: impl Fn(u32) -> Vec<u8>) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all(""), &upstream);
    let sent = flood(&gateway, begin, one);
    println!("closed after about {sent} frames");
    assert_eq!(gateway.metric_at(&ended("http2_flood"), 1), 1);
    assert!(is_served(&gateway));
}

/// Streams that clients open have odd numbers.
fn stream(number: u32) -> u32 {
    number * 2 + 1
}

#[test]
fn pings_end() {
    ends_as_flood(&[], |_| frame(6, 0, 0, b"pingpong"));
}

#[test]
fn acknowledgements_of_nothing_end() {
    ends_as_flood(&[], |_| frame(6, 1, 0, b"pingpong"));
}

#[test]
fn settings_end() {
    ends_as_flood(&[], |_| frame(4, 0, 0, &[]));
}

#[test]
fn priorities_end() {
    ends_as_flood(&[], |number| frame(2, 0, stream(number), &[0, 0, 0, 0, 16]));
}

#[test]
fn window_updates_end() {
    ends_as_flood(&[], |_| frame(8, 0, 0, &[0, 0, 0, 1]));
}

#[test]
fn frames_of_no_known_type_end() {
    ends_as_flood(&[], |_| frame(0x42, 0, 0, b"?"));
}

#[test]
fn empty_pieces_of_a_body_end() {
    ends_as_flood(&frame(1, END_HEADERS, 1, b"\x83\x86\x84\x41\x01a"), |_| frame(0, 0, 1, &[]));
}

#[test]
fn a_header_section_without_an_end_ends() {
    ends_as_flood(&frame(1, END_STREAM, 1, b"\x82\x86\x84\x41\x01a"), |_| frame(9, 0, 1, &[]));
}

#[test]
fn rapid_resets_end() {
    ends_as_flood(&[], |number| [request(stream(number)), frame(3, 0, stream(number), &[0, 0, 0, 8])].concat());
}

#[test]
fn resets_that_we_are_made_to_send_end() {
    // MadeYouReset: a window beyond what there may be is an error of its stream. No answer may come before it.
    let upstream = holding();
    let gateway = Gateway::start(&all(OWN), &upstream);
    flood(&gateway, &[], |number| {
        [held(stream(number)), frame(8, 0, stream(number), &[0x7f, 0xff, 0xff, 0xff])].concat()
    });
    assert_eq!(gateway.metric_at(&ended("http2_flood"), 1), 1);
}

#[test]
fn a_header_section_that_grows_when_it_is_read_ends() {
    // One field of 3.9 KB is put into the table, and named sixteen thousand times.
    let field = [b"\x82\x86\x84\x41\x01a\x40\x01x\x7f\xbd\x1d".to_vec(), vec![b'v'; 3900]].concat();
    let begin = frame(1, 5, 1, &field);
    let bomb = [b"\x82\x86\x84\x41\x01a".to_vec(), vec![0xbf; 16_000]].concat();
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(preface(&[])).send(begin).send(frame(1, 5, 3, &bomb));
    client.rest();
    assert_eq!(gateway.metric_at(&ended("http2_flood"), 1), 1);
    assert!(is_served(&gateway));
}

/// Answers nothing.
fn holding() -> RawUpstream {
    RawUpstream::start(|raw| {
        raw.request();
        drop(raw.rest());
    })
}

/// Beside it others are served without an upstream: its system lets 128 connections wait to be accepted, and these may be more.
const OWN: &str = "[routes.own]\npath = \"/\"\nrespond = { status = 200, body = \"hello\" }\n";

/// A GET of `/hold`.
fn held(stream: u32) -> Vec<u8> {
    frame(1, 5, stream, b"\x82\x86\x04\x05/hold\x41\x01a")
}

#[test]
fn requests_that_are_given_up_once_the_upstream_has_them_end() {
    let upstream = holding();
    let gateway = Gateway::start(&all(OWN), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(preface(&[]));
    for round in 0..100 {
        let streams = || (round * 50..(round + 1) * 50).map(stream);
        let asked = client.try_send(streams().flat_map(held).collect::<Vec<_>>());
        assert!(is_served(&gateway));
        let reset = client.try_send(streams().flat_map(|s| frame(3, 0, s, &[0, 0, 0, 8])).collect::<Vec<_>>());
        assert!(is_served(&gateway));
        if asked.and(reset).is_err() {
            assert_eq!(gateway.metric_at(&ended("http2_flood"), 1), 1);
            return;
        }
    }
    panic!("5,000 requests were begun and given up");
}

#[test]
fn streams_beyond_those_there_may_be_are_refused_and_then_the_connection_ends() {
    let upstream = holding();
    let gateway = Gateway::start(&all(OWN), &upstream);
    let sent = flood(&gateway, &[], |number| held(stream(number)));
    println!("closed after about {sent} streams");
    assert!(upstream.requests().iter().filter(|seen| seen.head.starts_with("GET /hold")).count() <= 200);
}

#[test]
fn a_flood_is_told_why_between_two_frames() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    // Just so many that the last are read in one piece: nothing is left unread, and the end is a clean one.
    client.send(preface(&[])).send(frame(6, 0, 0, b"pingpong").repeat(1_900));
    let said = client.rest();
    let goaway = said.windows(17).rev().find(|window| window[..4] == [0, 0, 8, 7]);
    // ENHANCE_YOUR_CALM, and no stream is said to be unprocessed.
    assert_eq!(goaway.map(|frame| &frame[9..]), Some(&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 11][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_client_is_no_flood() {
    let upstream = Upstream::answering(|_| http::Response::new(vec![b'x'; 100 << 10].into()));
    let gateway = Gateway::start(&all(""), &upstream);
    let client = Http2::connect(gateway.address()).await;
    for round in 0..20 {
        let answers = (0..100).map(|number| {
            let client = &client;
            async move {
                let answer = client.send(client.request("GET", "/")).await.unwrap();
                // One in four is given up half-way.
                if number % 4 == 0 {
                    return 0;
                }
                answer.into_body().collect().await.unwrap().to_bytes().len()
            }
        });
        let bytes: usize = futures_join(answers).await.into_iter().sum();
        assert_eq!(bytes, 75 * (100 << 10), "round {round}");
    }
    assert!(!client.connection.is_finished());
    assert_eq!(gateway.metric(&ended("http2_flood")), 0);
}

/// Polls all of them at once.
async fn futures_join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in &mut waiting {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        match waiting.iter().all(|(_, done)| done.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

#[test]
fn a_client_that_pings_and_asks_now_and_then_is_no_flood() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&all(""), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(preface(&[]));
    for number in 0..1_000 {
        // Its settings, a priority, two updates, and pings, with each request.
        client.send(frame(2, 0, stream(number), &[0, 0, 0, 0, 16])).send(request(stream(number)));
        client.send(frame(8, 0, 0, &[0, 0, 1, 0])).send(frame(6, 0, 0, b"pingpong").repeat(4));
        client.until("hello");
    }
    assert!(client.quiet(Duration::from_millis(1)) || gateway.metric(&ended("http2_flood")) == 0);
    assert_eq!(gateway.metric(&ended("http2_flood")), 0);
}
