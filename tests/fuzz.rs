//! The properties of `host/src/fuzz.rs`: over the corpora of the fuzz targets, and over inputs made of them by chance.
//!
//! `GATEHOUSE_FUZZ_SECONDS=60` gives each target that long instead of a fixed number of inputs, from another seed each time.

mod mutation;

use std::{
    collections::BTreeMap,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use gatehouse::fuzz::{Seen, TARGETS, Target};
use mutation::Mutation;

/// Seeds that each target has, at the least.
const SEEDS: usize = 20;

/// Inputs a target without a time of its own.
const INPUTS: u32 = 4_000;

/// No input may take longer: nothing here is more than a message.
const SLOW: Duration = Duration::from_secs(10);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The corpus of a target by name.
fn corpus(target: &Target) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder().join("corpus").join(target.name)).expect("each target has a corpus");
    let files = files.map(|file| file.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

#[test]
fn every_target_holds_for_its_corpus_and_both_accepts_and_refuses() {
    for target in &TARGETS {
        let corpus = corpus(target);
        assert!(corpus.len() >= SEEDS, "{}: {} seeds", target.name, corpus.len());
        let mut seen: Vec<Seen> = corpus.values().map(|bytes| (target.run)(bytes)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [Seen::Accepted, Seen::Refused], "{}", target.name);
    }
}

#[test]
fn every_target_holds_for_inputs_made_by_chance() {
    let seconds = env::var("GATEHOUSE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    for target in &TARGETS {
        let seed = seconds.map_or(1, |_: u64| u64::from(std::process::id()));
        let corpus: Vec<Vec<u8>> = corpus(target).into_values().collect();
        let mut mutation = Mutation::new(&corpus, seed);
        let (started, mut inputs, mut accepted) = (Instant::now(), 0, 0);
        let end = seconds.map(|seconds| started + Duration::from_secs(seconds));
        while end.map_or(inputs < INPUTS, |end| Instant::now() < end) {
            accepted += u32::from(holds(target, &mutation.next()) == Seen::Accepted);
            inputs += 1;
        }
        println!("{}: {inputs} inputs, {accepted} accepted, {:?}", target.name, started.elapsed());
        assert!(accepted > inputs / 500 && accepted < inputs, "{}: {accepted} of {inputs} accepted", target.name);
    }
}

/// Runs a target; an input that breaks it is kept in `fuzz/artifacts`, as cargo-fuzz does.
fn holds(target: &Target, bytes: &[u8]) -> Seen {
    let started = Instant::now();
    let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes)));
    let time = started.elapsed();
    match ran {
        Ok(seen) if time < SLOW => seen,
        ran => {
            let folder = folder().join("artifacts").join(target.name);
            fs::create_dir_all(&folder).unwrap();
            let file = folder.join("found-by-chance");
            fs::write(&file, bytes).unwrap();
            let why = if ran.is_ok() { "takes long" } else { "does not hold" };
            panic!("{}: {why} ({time:?}) for {}: {}", target.name, file.display(), bytes.escape_ascii());
        }
    }
}

/// Cargo-fuzz builds a target for each file: each is one of ours, and each of ours has its file.
#[test]
fn every_target_has_its_file() {
    let files = fs::read_dir(folder().join("fuzz_targets")).unwrap().map(|file| file.unwrap().path());
    let mut names: Vec<String> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, TARGETS.map(|target| target.name));
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    for name in &names {
        let text = fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("run(\"{name}\"")), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
