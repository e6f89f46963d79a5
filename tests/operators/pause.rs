//! A process that does not run for a while, as on a machine that is suspended or out of CPU time.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::load::Stops;
use crate::support::{
    Process, Raw, RawUpstream, guest,
    raw::{DEADLINE, ask, get, ok},
    until,
};

/// `/slow` is never answered.
fn upstream() -> RawUpstream {
    RawUpstream::start(|raw| {
        while let Some(request) = raw.request() {
            match request.target() {
                "/slow" => drop(raw.rest()),
                _ => drop(raw.try_send(ok("hello"))),
            }
        }
    })
}

#[test]
fn a_process_that_was_stopped_for_two_seconds_answers_what_waited_and_recovers_at_once() {
    let upstream = upstream();
    let process = Process::start(
        &format!(
            "[server]\nworkers = 2\n[upstreams.up]\nurl = \"http://{}\"\nfirst_byte_timeout = \"1s\"\n\
             [plugins.p]\ncomponent = {:?}\n[routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n",
            upstream.address(),
            guest("probe")
        ),
        &upstream,
    );
    let address = process.address();
    let (stop, served, late) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _stops = Stops(&stop);
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Raw::connect(address);
                while !stop.load(Ordering::Relaxed) {
                    match client.send(get("/x", "")).response().status() {
                        200 => served.fetch_add(1, Ordering::Relaxed),
                        502..=504 => late.fetch_add(1, Ordering::Relaxed),
                        other => panic!("{other}"),
                    };
                }
            });
        }
        until(DEADLINE, || served.load(Ordering::Relaxed) > 200);
        let mut old: Vec<Raw> = (0..20).map(|_| Raw::connect(address)).collect();
        for client in &mut old {
            client.send(get("/slow", ""));
        }
        until(DEADLINE, || upstream.requests().iter().filter(|request| request.target() == "/slow").count() == 20);
        process.suspend();
        // The system takes connections whether or not the process runs.
        let mut new: Vec<Raw> = (0..20).map(|_| Raw::connect(address)).collect();
        for client in &mut new {
            client.send(get("/x", ""));
        }
        thread::sleep(Duration::from_secs(2));
        let before = served.load(Ordering::Relaxed);
        process.signal("CONT");
        let resumed = Instant::now();
        assert!(old.iter_mut().all(|client| client.response().status() == 504), "what waited for too long");
        assert!(new.iter_mut().all(|client| client.response().status() == 200), "what came meanwhile");
        until(DEADLINE, || served.load(Ordering::Relaxed) > before + 200);
        let took = resumed.elapsed();
        println!("{took:?} after two seconds of rest all is well; {} were late", late.load(Ordering::Relaxed));
        assert!(took < Duration::from_secs(2), "{took:?}");
    });
    assert!(late.load(Ordering::Relaxed) <= 8, "{} of those that were on their way", late.load(Ordering::Relaxed));
    assert_eq!(ask(address, get("/x", "")).status(), 200);
}
