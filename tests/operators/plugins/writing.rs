//! A component while it is written.

use std::{
    fs::{self, File},
    io::Write as _,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use super::{super::load::Stops, probing, replace, small};
use crate::support::{
    Gateway, Process, RawUpstream, Upstream, guest,
    raw::{ask, get, ok},
};

/// Where the watcher was told of what; an answer of 504 takes several times as long as it waits for quiet.
fn slow() -> (RawUpstream, String) {
    let upstream = RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            match request.target() {
                "/slow" => drop(raw.rest()),
                _ => drop(raw.try_send(ok("hello"))),
            }
        }
    });
    let lines = format!("[upstreams.up]\nurl = \"http://{}\"\nfirst_byte_timeout = \"150ms\"\n", upstream.address());
    (upstream, lines)
}

#[test]
fn a_component_that_is_written_in_steps_is_loaded_once_and_whole() {
    let (upstream, lines) = slow();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    let good = fs::read(guest("probe")).unwrap();
    fs::write(&component, &good).unwrap();
    let process = Process::start(&(probing(&component, "1") + &lines), &upstream);
    let mut whole = good.clone();
    whole.extend([0, 3, 1, b'v', 1]);
    // The file that is there is written over, from its beginning, as `cp` does.
    let mut file = File::create(&component).unwrap();
    for (step, piece) in whole.chunks(4 << 10).enumerate() {
        file.write_all(piece).unwrap();
        if step % 20 == 0 {
            assert_eq!(ask(process.address(), get("/slow", "")).status(), 504);
        }
        assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
    }
    drop(file);
    // Nothing was said of a half one before.
    let said = process.line(|line| line.contains("configuration") && line.contains("\"generation\""));
    assert!(said.contains("\"generation\":2") && said.contains("loaded the configuration"), "{said}");
    assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
}

/// A writer that closes what is half: that is what the watcher must not trust, and the loader refuses.
#[test]
fn a_component_that_is_closed_when_it_is_half_is_refused_until_it_is_whole() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    let good = fs::read(guest("probe")).unwrap();
    fs::write(&component, &good).unwrap();
    let process = Process::start(&probing(&component, "1"), &upstream);
    let outcome = || process.line(|line| line.contains("configuration") && line.contains("\"generation\""));
    for length in [good.len() / 3, good.len() / 2, 0, good.len() - 1] {
        fs::write(&component, &good[..length]).unwrap();
        let said = outcome();
        assert!(said.contains("generation 1 serves on") && said.contains("p.wasm"), "{length}: {said}");
        assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
    }
    fs::remove_file(&component).unwrap();
    assert!(outcome().contains("p.wasm does not exist"));
    fs::create_dir(&component).unwrap();
    fs::remove_dir(&component).unwrap();
    assert!(outcome().contains("p.wasm"));
    assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
    fs::write(&component, &good).unwrap();
    assert!(outcome().contains("loaded the configuration"));
    assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
}

#[test]
fn a_component_that_is_replaced_again_and_again_while_it_is_read_is_one_or_the_other() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    let variants: Vec<Vec<u8>> = (0..2)
        .map(|number| {
            let mut bytes = small(["gatehouse:plugin/logger@0.1.0", "a:b/c"]);
            bytes.extend([0, 3, 1, b'v', number]);
            bytes
        })
        .collect();
    fs::write(&component, &variants[0]).unwrap();
    let gateway = Gateway::start(&probing(&component, "").replace("config = {", "# config = {"), &upstream);
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _stops = Stops(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                replace(&component, &variants[swaps.fetch_add(1, Ordering::Relaxed) % 2]);
            }
        });
        for _ in 0..200 {
            gateway.reload_files().unwrap();
        }
    });
    println!("200 loads during {} swaps", swaps.load(Ordering::Relaxed));
    assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200);
}
