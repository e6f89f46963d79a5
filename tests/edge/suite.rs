//! The edge, case by case: raw bytes of a client, and what must become of them. The cases are data in `cases/`; this runs
//! them through a gateway in a process of its own and reads at the upstream what it was sent, byte by byte.
//!
//! Behind each case a canary is sent at once: after what is forwarded it has to be served, which shows that both sides
//! agree on where the case ended; after what is refused it must not be.

mod case;
mod http1;
mod http2;
mod recorder;

use std::{collections::BTreeSet, fs, path::PathBuf};

use case::{Case, Sent, file};
use recorder::{Recorder, Seen};

use crate::support::Process;

/// What is said of a case that went otherwise.
type Told = Vec<String>;

/// What became of a case.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// The statuses of the answers, but for interim ones and that to the canary.
    answers: Vec<u16>,
    /// How it ended when no answer says so: `reset` or `goaway` over HTTP/2, `closed`.
    ended: Option<&'static str>,
    /// Whether the canary was served.
    kept: bool,
    /// What the upstream read, without the canary.
    forwards: Vec<String>,
}

macro_rules! suite {
    ($($file:ident),+ $(,)?) => {
        const FILES: &[&str] = &[$(stringify!($file)),+];

        $(
            #[test]
            fn $file() {
                check(stringify!($file));
            }
        )+
    };
}

suite! {
    chunks, coding, expect, fields, forged, hop, host, http2_fields, http2_framing, http2_pseudo, length, line, old,
    pipeline, target, trusted, upgrade,
}

#[test]
fn there_are_more_than_400_cases_and_no_name_is_there_twice() {
    let mut names = BTreeSet::new();
    for name in FILES {
        for case in file(name).cases {
            assert!(names.insert(case.name.clone()), "{} is there twice", case.name);
            assert!(case.why.len() > 10, "{} has no reason", case.name);
        }
    }
    assert!(names.len() >= 400, "{}", names.len());
    let folder = fs::read_dir(case::folder()).unwrap();
    let there: BTreeSet<_> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let known: BTreeSet<_> = FILES.iter().map(|name| format!("{name}.toml")).collect();
    assert_eq!(there, known, "a file of cases without a test");
}

/// Runs all cases of a file.
fn check(name: &str) {
    let file = file(name);
    let recorder = Recorder::start();
    let process = Process::start(&file.configuration, &recorder.upstream);
    let (mut wrong, mut record) = (Told::new(), Vec::new());
    for case in &file.cases {
        let (outcome, seen) = run(case, &process, &recorder);
        let forwards = case.forwards.iter().map(|text| recorder::sorted(text)).collect();
        let expected = Outcome { answers: case.answers.clone(), ended: case.ended, kept: case.kept, forwards };
        if outcome != expected {
            let sent = &case.sent;
            wrong.push(format!("{} ({}): {sent}\n  must be {expected:?}\n  but is  {outcome:?}", case.name, case.why));
        }
        record.push(serde_json::json!({ "name": case.name, "requests": seen }));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), file.cases.len(), wrong.join("\n"));
    assert_eq!(recorder.odd(), Vec::<String>::new(), "the upstream was sent what it could not read");
    if let Some(folder) = std::env::var_os("GATEHOUSE_EDGE_RECORD") {
        fs::write(PathBuf::from(folder).join(format!("{name}.json")), serde_json::to_vec(&record).unwrap()).unwrap();
    }
}

/// Runs a case; what became of it, and all that the upstream read.
fn run(case: &Case, process: &Process, recorder: &Recorder) -> (Outcome, Vec<Seen>) {
    let (mut outcome, mut served) = match &case.sent {
        Sent::Http1(bytes) => http1::run(process.address(), bytes, case.canary),
        Sent::Http2(frames) => http2::run(process.address(), frames),
    };
    let seen = recorder.take();
    let canaries = seen.iter().filter(|seen| seen.target == "/canary").count();
    if usize::from(served) != canaries {
        served = !served;
        outcome.forwards.push(format!("the canary {canaries} times"));
    }
    outcome.kept = served;
    outcome.forwards.extend(seen.iter().filter(|seen| seen.target != "/canary").map(Seen::text));
    (outcome, seen)
}
