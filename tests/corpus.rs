//! Each guest of the corpus does to its own exchange what it is expected to, and nothing to any other.

use std::{
    fs,
    time::{Duration, Instant},
};

use gatehouse_corpus::{FREE_ROUTE, Guest, Outcome};
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
    tables + FREE_ROUTE
}

/// What became of a request to a guest's route, if it is not what was expected.
async fn difference(gateway: &Gateway, guest: Guest) -> Option<String> {
    let name = guest.name();
    let skipped = format!("gatehouse_plugin_skipped_total{{plugin=\"{name}\"}}");
    let before = gateway.metric(&skipped);
    let reply = gateway.call("GET", &format!("/{name}")).outcome().await;
    let free = gateway.get("/free").await;
    let expected = guest.expectation().outcome;
    // A logger that ran long once is called beside other requests from then on.
    let least = before + u64::from(expected == Outcome::Skipped);
    let counted = gateway.metric_at(&skipped, least) - before;
    let found = match &reply {
        Err(_) => "breaks off".to_owned(),
        Ok(reply) => format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)),
    };
    let met = free.status == 200
        && match (expected, reply) {
            (Outcome::Breaks, reply) => reply.is_err(),
            (_, Err(_)) => false,
            (_, Ok(reply)) => {
                let error: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                let faults = match expected {
                    Outcome::Served => Some(0),
                    Outcome::Skipped => Some(1),
                    _ => None,
                };
                let code = error["code"].as_str().unwrap_or_default();
                expected.is_met_by(reply.status, &reply.body, code) && faults.is_none_or(|faults| counted == faults)
            }
        };
    (!met).then(|| {
        format!(
            "{name}: expected {expected:?}, but {found}; a logger's fault counted: {counted}; free: {}",
            free.status
        )
    })
}

/// What differs from what is expected when each of these guests is called so often, one after the other.
async fn differences(guests: &[Guest], configuration: &str, times: usize) -> Vec<String> {
    let upstream = Upstream::answering(|seen| Response::new(Full::from(gatehouse_corpus::upstream_body(&seen.target))));
    let gateway = Gateway::start(configuration, &upstream);
    let mut differences = Vec::new();
    for _ in 0..times {
        for guest in guests {
            differences.extend(difference(&gateway, *guest).await);
        }
    }
    assert!(upstream.seen().iter().all(|seen| seen.header("x-principal").is_none_or(|value| value.is_empty())));
    differences
}

fn loaded() -> Vec<Guest> {
    Guest::ALL.iter().copied().filter(|guest| guest.is_loaded()).collect()
}

#[tokio::test]
async fn each_guest_harms_its_own_exchange_only() {
    let guests = loaded();
    // The second and the third time it meets what the first left.
    let differences = differences(&guests, &configuration(guests.iter().copied()), 3).await;
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), 3 * guests.len(), differences.join("\n"));
}

/// Nearly all are called directly by default. With more CPU time than a worker can spare they are called on fibers, as components.
#[tokio::test]
async fn so_does_each_where_it_is_called_as_a_component() {
    let limits = |guest: Guest| guest.configuration("").contains("limits");
    let guests: Vec<Guest> = loaded().into_iter().filter(|guest| !limits(*guest)).collect();
    let direct = configuration(guests.iter().copied());
    let on_fibers =
        direct.replace("cache = { ttl = \"0s\" }\n", "cache = { ttl = \"0s\" }\nlimits = { cpu = \"51ms\" }\n");
    assert_eq!(on_fibers.matches("51ms").count(), guests.len());
    let differences = differences(&guests, &on_fibers, 1).await;
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), guests.len(), differences.join("\n"));
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
