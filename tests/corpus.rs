//! Each guest of the corpus does to its own exchange what it is expected to, and nothing to any other.

use std::{
    fs,
    time::{Duration, Instant},
};

use bytes::Bytes;
use gatehouse_corpus::{Guest, Outcome};
use http::Response;
use http_body_util::Full;

use crate::support::{
    self, Gateway, Process, Raw, Upstream, guest,
    raw::{ask, get},
};

/// A guest's component.
fn component(of: Guest) -> String {
    guest(&format!("corpus/{}", of.name())).display().to_string()
}

/// Configurations for guests on a route each, and a free route.
fn configuration(guests: impl Iterator<Item = Guest>) -> String {
    let tables: String = guests.map(|guest| guest.configuration(&component(guest))).collect();
    tables + "[routes.free]\npath = \"/free\"\nupstream = \"up\"\n"
}

/// What became of a request to a guest's route, if it is not what was expected.
async fn difference(gateway: &Gateway, guest: Guest) -> Option<String> {
    let name = guest.name();
    let skipped = format!("gatehouse_plugin_skipped_total{{plugin=\"{name}\"}}");
    let before = gateway.metric(&skipped);
    let reply = gateway.call("GET", &format!("/{name}")).outcome().await;
    let free = gateway.get("/free").await;
    let expected = guest.expectation().outcome;
    let mut counted = gateway.metric(&skipped) - before;
    let started = Instant::now();
    // A logger that ran long once is called beside other requests from then on.
    while expected == Outcome::Skipped && counted == 0 && started.elapsed() < Duration::from_secs(5) {
        gateway.get("/free").await;
        counted = gateway.metric(&skipped) - before;
    }
    let found = match &reply {
        Err(_) => "breaks off".to_owned(),
        Ok(reply) => format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)),
    };
    let met = free.status == 200
        && match (expected, reply) {
            (Outcome::Breaks, reply) => reply.is_err(),
            (_, Err(_)) | (Outcome::Refused(_), _) => false,
            (Outcome::Served, Ok(reply)) => (reply.status, reply.text(), counted) == (200, "hello", 0),
            (Outcome::Skipped, Ok(reply)) => (reply.status, reply.text(), counted) == (200, "hello", 1),
            (Outcome::Answers(status, body), Ok(reply)) => (reply.status, reply.text()) == (status, body),
            (Outcome::Fails(status, code), Ok(reply)) => reply.status == status && reply.json()["code"] == code,
        };
    (!met).then(|| {
        format!(
            "{name}: expected {expected:?}, but {found}; a logger's fault counted: {counted}; free: {}",
            free.status
        )
    })
}

#[tokio::test]
async fn each_guest_harms_its_own_exchange_only() {
    // What breaks off in the middle needs an answer of several pieces.
    let upstream = Upstream::answering(|seen| {
        let long = seen.target.ends_with("mid-stream");
        Response::new(Full::from(if long { vec![b'a'; 256 << 10].into() } else { Bytes::from("hello") }))
    });
    let loaded = || Guest::ALL.iter().copied().filter(|guest| guest.is_loaded());
    let gateway = Gateway::start(&configuration(loaded()), &upstream);
    let mut differences = Vec::new();
    // The second and the third time it meets what the first left.
    for _ in 0..3 {
        for guest in loaded() {
            differences.extend(difference(&gateway, guest).await);
        }
    }
    assert!(upstream.seen().iter().all(|seen| seen.header("x-principal").is_none_or(|value| value.is_empty())));
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), 3 * loaded().count(), differences.join("\n"));
}

#[test]
fn a_guest_that_cannot_be_had_safely_is_refused_at_load() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.toml");
    let server = format!("[server]\nworkers = 1\ncode_cache = {:?}\n", folder.path().join("code"));
    let mut differences = Vec::new();
    for guest in Guest::ALL.iter().copied() {
        let Outcome::Refused(why) = guest.expectation().outcome else { continue };
        // A process, since only that has a compiler with bounds.
        fs::write(&file, support::configuration(&(configuration([guest].into_iter()) + &server), None)).unwrap();
        let output = Process::command(&["check"]).arg(&file).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(1) || !message.contains(why) || !message.contains(guest.name()) {
            differences.push(format!("{}: expected {why:?}, but {}: {message}", guest.name(), output.status));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn a_guest_that_traps_each_time_rests() {
    let upstream = Upstream::start();
    for guest in [Guest::TrapUnreachable, Guest::RecursionDirect] {
        let gateway = Gateway::start(&configuration([guest].into_iter()), &upstream);
        let status = || ask(gateway.address(), get(&format!("/{}", guest.name()), "")).status();
        let statuses: Vec<u16> = (0..11).map(|_| status()).collect();
        assert_eq!((&statuses[..10], statuses[10]), (&[500; 10][..], 503), "{}", guest.name());
    }
}

#[test]
fn a_client_that_leaves_a_guest_in_the_middle_of_its_wait_holds_nobody_up() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&configuration([Guest::SleepOfAnHour].into_iter()), &upstream);
    for _ in 0..50 {
        let mut leaving = Raw::connect(gateway.address());
        leaving.send(get("/sleep-of-an-hour", ""));
    }
    let started = Instant::now();
    assert_eq!(ask(gateway.address(), get("/free", "")).status(), 200);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}
