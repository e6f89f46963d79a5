//! What becomes of the bytes, and how a WebSocket ends.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ROUTE, agreeing, echo, failures, handshake, open, open_now};
use crate::support::{
    Gateway, Process, Raw,
    raw::DEADLINE,
    tls::{Authority, Front, acceptor},
    until,
};

/// A close frame with 1001, going away.
const GOODBYE: &[u8] = b"\x88\x02\x03\xe9";

/// The route with times of its own.
fn with_times(times: &str) -> String {
    ROUTE.replace("true", &format!("{{ {times} }}"))
}

/// Bytes of which each has its place.
fn pattern(length: u32) -> Vec<u8> {
    (0..length).flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn any_number_of_bytes_passes_both_ways_at_once_and_an_end_of_one_way_leaves_the_other() {
    let upstream = echo();
    let gateway = Gateway::start(ROUTE, &upstream);
    let mut client = TcpStream::connect(gateway.address()).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.write_all(handshake("/ws", "").as_bytes()).unwrap();
    let (sent, mut sender) = (pattern(4 << 20), client.try_clone().unwrap());
    let sending = sent.clone();
    let sender = thread::spawn(move || {
        sender.write_all(&sending).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let mut came = Vec::new();
    client.read_to_end(&mut came).unwrap();
    sender.join().unwrap();
    let head = came.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert!(came[head..] == sent, "{} bytes of {}", came.len() - head, sent.len());
    assert_eq!((failures(&gateway, "client_left"), failures(&gateway, "upstream_broken")), (0, 0));
}

#[test]
fn who_does_not_read_holds_up_who_sends() {
    // Neither end reads; each sends as much as it is let.
    let upstream = agreeing(|mut raw| {
        let (sent, _) = raw.flood(Duration::from_millis(300), &[0; 64 << 10]);
        assert!(sent < 32 << 20, "{sent}");
    });
    let gateway = Gateway::start(ROUTE, &upstream);
    let (sent, _) = open(&gateway).flood(Duration::from_millis(300), &[0; 64 << 10]);
    assert!(sent < 32 << 20, "{sent}");
}

#[test]
fn without_a_byte_it_ends_with_its_idle_timeout() {
    let (told, tells) = channel();
    let upstream = agreeing(move |mut raw| told.send(raw.rest()).unwrap());
    let gateway = Gateway::start(&with_times("idle_timeout = \"300ms\""), &upstream);
    let started = Instant::now();
    assert_eq!(open(&gateway).rest(), GOODBYE);
    assert_eq!(tells.recv_timeout(DEADLINE).unwrap(), b"\x88\x82\0\0\0\0\x03\xe9");
    assert!(started.elapsed() >= Duration::from_millis(300) && started.elapsed() < Duration::from_secs(5));
    until(DEADLINE, || open_now(&gateway) == 0);
    assert_eq!(failures(&gateway, "client_left"), 0);
}

#[test]
fn bytes_in_either_direction_keep_it_open_up_to_its_max_time() {
    for talks in ["upstream", "client"] {
        let upstream = agreeing(move |mut raw| match talks {
            "client" => drop(raw.rest()),
            _ => {
                while raw.try_send("x").is_ok() {
                    thread::sleep(Duration::from_millis(20))
                }
            }
        });
        let gateway = Gateway::start(&with_times("idle_timeout = \"400ms\", max_time = \"1s\""), &upstream);
        let started = Instant::now();
        let mut client = open(&gateway);
        match talks {
            "client" => {
                while client.try_send("x").is_ok() {
                    thread::sleep(Duration::from_millis(20))
                }
            }
            _ => drop(client.rest()),
        }
        assert!(started.elapsed() >= Duration::from_secs(1), "{talks}: {:?}", started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(5), "{talks}: {:?}", started.elapsed());
        until(DEADLINE, || open_now(&gateway) == 0);
    }
}

#[test]
fn an_end_that_breaks_off_ends_the_other() {
    let upstream = agreeing(|mut raw| {
        raw.until("go");
        raw.reset();
    });
    let gateway = Gateway::start(ROUTE, &upstream);
    let mut client = open(&gateway);
    client.send("go");
    assert_eq!(client.rest(), b"");
    until(DEADLINE, || failures(&gateway, "upstream_broken") == 1);

    let (left, leaves) = channel();
    let upstream = agreeing(move |mut raw| left.send(raw.rest()).unwrap());
    let gateway = Gateway::start(ROUTE, &upstream);
    let mut client = open(&gateway);
    client.send("last words");
    client.reset();
    leaves.recv_timeout(DEADLINE).expect("the upstream hears of it");
    until(DEADLINE, || failures(&gateway, "client_left") == 1 && open_now(&gateway) == 0);
}

#[test]
fn an_upstream_that_closes_after_its_last_word_is_no_failure() {
    let upstream = agreeing(|mut raw| {
        raw.until("bye");
        raw.send("bye");
    });
    let gateway = Gateway::start(ROUTE, &upstream);
    let mut client = open(&gateway);
    client.send("bye").until("bye");
    // It has closed both ways by now: what comes after is for nobody.
    assert_eq!(client.rest(), b"");
    let _ = client.try_send("more");
    drop(client);
    until(DEADLINE, || open_now(&gateway) == 0);
    assert_eq!(gateway.metric_at("gatehouse_requests_total{route=\"ws\"}", 1), 1);
    assert_eq!((failures(&gateway, "upstream_broken"), failures(&gateway, "client_left")), (0, 0));
}

#[test]
fn a_reload_leaves_it_as_it_is() {
    let upstream = echo();
    let gateway = Gateway::start(ROUTE, &upstream);
    let mut client = open(&gateway);
    gateway.reload(&ROUTE.replace("true", "false"), &upstream).unwrap();
    client.send("hello").until("hello");
    // The new one lets none pass.
    let answer = Raw::connect(gateway.address()).send(handshake("/ws", "")).response();
    assert_eq!((answer.status(), open_now(&gateway)), (502, 1));
    assert_eq!(upstream.last_request().header("upgrade"), None);
    client.send("again").until("again");
}

#[test]
fn its_access_line_comes_at_its_end_with_all_its_bytes() {
    let upstream = agreeing(|mut raw| {
        raw.until("hello");
        raw.send("hello, world");
    });
    let process = Process::start(ROUTE, &upstream);
    let mut client = Raw::connect(process.address());
    let started = Instant::now();
    assert_eq!(client.send(handshake("/ws", "")).response().status(), 101);
    thread::sleep(Duration::from_millis(50));
    client.send("hello").until("hello, world");
    drop(client);
    let line = process.access_line("/ws");
    assert_eq!(
        (line["status"].as_u64(), line["failure"].as_str(), line["route"].as_str()),
        (Some(101), None, Some("ws"))
    );
    assert_eq!((line["request_bytes"].as_u64(), line["response_bytes"].as_u64()), (Some(5), Some(12)));
    let duration = Duration::from_micros(line["duration_us"].as_u64().unwrap());
    assert!(duration >= Duration::from_millis(50) && duration <= started.elapsed(), "{duration:?}");
}

#[test]
fn a_stop_leaves_it_the_time_of_the_drain_and_tells_it_between_two_frames() {
    [true, false].into_iter().for_each(stop);
}

fn stop(whole: bool) {
    let upstream = echo();
    let mut process = Process::start(&format!("[server]\nworkers = 2\ndrain_timeout = \"1s\"\n{ROUTE}"), &upstream);
    let mut client = Raw::connect(process.address());
    assert_eq!(client.send(handshake("/ws", "")).response().status(), 101);
    process.signal("TERM");
    process.line(|line| line.contains("stopping"));
    let stopped = Instant::now();
    // A message, and half of one in the second.
    client.send("\u{1}\u{2}hi").until("hi");
    if !whole {
        client.send("\u{1}\u{5}hel").until("hel");
    }
    assert_eq!(client.rest(), if whole { GOODBYE } else { b"" });
    assert!(stopped.elapsed() > Duration::from_millis(500), "{:?}", stopped.elapsed());
    let line = process.access_line("/ws");
    assert_eq!((line["failure"].as_str(), line["request_bytes"].as_u64()), (None, Some(if whole { 4 } else { 9 })));
    assert_eq!(process.wait().code(), Some(0));
    assert!(stopped.elapsed() < Duration::from_secs(3), "{:?}", stopped.elapsed());
}

#[test]
fn a_stop_waits_for_none_that_ends_before() {
    let upstream = echo();
    let mut process = Process::start(&format!("[server]\nworkers = 1\ndrain_timeout = \"30s\"\n{ROUTE}"), &upstream);
    let mut client = Raw::connect(process.address());
    assert_eq!(client.send(handshake("/ws", "")).response().status(), 101);
    process.signal("TERM");
    process.line(|line| line.contains("stopping"));
    drop(client);
    let left = Instant::now();
    assert_eq!(process.wait().code(), Some(0));
    assert!(left.elapsed() < Duration::from_secs(5), "{:?}", left.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_carries_it_on_both_sides() {
    let (authority, upstream) = (Authority::new("the authority"), echo());
    authority.issue("a", &["localhost"]);
    let front = Front::start(acceptor(&authority, "a", None), upstream.address()).await;
    let file = |name: &str| authority.file(name).display().to_string();
    let text = format!(
        "[listeners.main]\naddress = \"127.0.0.1:0\"\n[listeners.main.tls]\n\
        certificates = [{{ certificate = {:?}, key = {:?} }}]\n\
        [upstreams.up]\nurl = \"https://localhost:{}\"\ntls = {{ ca = {:?} }}\n{ROUTE}",
        file("a.pem"),
        file("a.key"),
        front.address.port(),
        file("ca.pem")
    );
    let gateway = Gateway::start(&text, &upstream);
    let stream = authority.client().alpn(&["http/1.1"]).connect(gateway.address(), "localhost").await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sent = pattern(1 << 18);
    let sending = sent.clone();
    tokio::spawn(async move {
        writer.write_all(handshake("/ws", "").as_bytes()).await.unwrap();
        writer.write_all(&sending).await.unwrap();
        writer.shutdown().await.unwrap();
    });
    let mut came = Vec::new();
    reader.read_to_end(&mut came).await.unwrap();
    assert!(came.starts_with(b"HTTP/1.1 101 ") && came.ends_with(&sent), "{} bytes", came.len());
    assert_eq!(upstream.last_request().header("x-forwarded-proto"), Some("https"));
}
