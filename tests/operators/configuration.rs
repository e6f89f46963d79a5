//! Broken configurations by the hundred: each is refused at the place where it was broken, while the old state serves.

mod broken;
mod files;

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use gatehouse::config::{Config, Source};

use super::load;
use crate::support::{
    Gateway, Raw, Upstream, configuration,
    raw::{DEADLINE, get},
    until,
};
use broken::{Broken, Place};

const RICH: &str = include_str!("configuration/rich.toml");

/// The one that is good, on an upstream.
fn rich(upstream: &Upstream) -> String {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    configuration(&RICH.replace("{examples}", examples), Some(upstream))
}

/// Whether a text about problems tells one at a place; nobody asks for the column where that is not clear.
fn points_at(problems: &str, place: &Place) -> bool {
    match place {
        Place::At { line, column: Some(column) } => problems.contains(&format!("gatehouse.toml:{line}:{column}: ")),
        Place::At { line, column: None } => problems.contains(&format!("gatehouse.toml:{line}:")),
        Place::Text(text) => problems.contains("gatehouse.toml: ") && problems.contains(text),
    }
}

#[test]
fn hundreds_of_broken_configurations_are_refused_with_their_places_and_no_request_fails() {
    let upstream = Upstream::start();
    let good = rich(&upstream);
    let gateway = Gateway::start(&good, &upstream);
    let file = gateway.file("gatehouse.toml");
    let all = broken::all(&good);
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let wrong: Vec<String> = thread::scope(|scope| {
        let stops = load::Stops(&stop);
        let clients: Vec<_> =
            (0..2).map(|_| scope.spawn(|| load::keep_asking(gateway.address(), "/x", &stop, &served))).collect();
        let refuse = |Broken { what, text, place }: &Broken| {
            fs::write(&file, text).unwrap();
            match gateway.reload_files() {
                Ok(_) => Some(format!("{what}: loaded")),
                Err(problems) if points_at(&problems.to_string(), place) => None,
                Err(problems) => Some(format!("{what}: not {place:?} but\n{problems:.600}")),
            }
        };
        let wrong = all.iter().filter_map(refuse).collect();
        load::meets_more_requests(&served);
        drop(stops);
        clients.into_iter().for_each(|client| client.join().unwrap());
        wrong
    });
    println!("{} broken configurations, {} requests meanwhile", all.len(), served.load(Ordering::Relaxed));
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    assert!(all.len() >= 400, "{}", all.len());
    assert_eq!(gateway.metric("gatehouse_reloads_total{result=\"refused\"}"), all.len() as u64);
    assert_eq!(gateway.metric("gatehouse_generation"), 1);
    until(DEADLINE, || gateway.metric("gatehouse_snapshots_alive") == 1);
    fs::write(&file, good.replace("x-a = \"1\"", "x-a = \"2\"")).unwrap();
    assert_eq!(gateway.reload_files().unwrap(), 2);
    assert_eq!(Raw::connect(gateway.address()).send(get("/x", "")).response().header("x-a"), Some("2"));
}

#[test]
fn a_configuration_that_is_cut_anywhere_is_refused_or_whole_as_far_as_it_goes() {
    let upstream = Upstream::start();
    let good = rich(&upstream);
    let mut loads = Vec::new();
    for length in 0..=good.len() {
        match Config::parse(Source::new("gatehouse.toml", &good[..length])) {
            Ok(_) => loads.push(length),
            Err(problems) => assert!(problems.to_string().contains("gatehouse.toml"), "{length}: {problems}"),
        }
    }
    // Its last route is what it cannot be without; what is cut off after that is white space.
    assert!(loads.contains(&good.len()), "{loads:?}");
    println!("{} cuts, of which {loads:?} load", good.len());
}

/// Bytes of no text at all, and every one of them at some places of a good text.
#[test]
fn any_byte_anywhere_is_read_or_refused() {
    let upstream = Upstream::start();
    let good = rich(&upstream);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.toml");
    let mut refused = 0;
    for at in (0..good.len()).step_by(good.len() / 20) {
        for byte in 0..=255 {
            let mut bytes = good.clone().into_bytes();
            bytes[at] = byte;
            fs::write(&file, &bytes).unwrap();
            refused += usize::from(Config::load(&file).is_err());
        }
    }
    assert!(refused > 1000, "{refused}");
}
