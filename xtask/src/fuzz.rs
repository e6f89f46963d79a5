//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer, by cargo-fuzz. What a target finds lies in
//! `fuzz/artifacts` afterwards; once it is mended, it belongs into `fuzz/corpus`, which the tests replay.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{apt, process, tool::Tool};

const FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2" };

/// Where they are compiled: with other flags than all else.
const BUILT: &str = "target/fuzz";

/// Inputs that led somewhere new. Not kept with the sources: the corpus there is chosen by hand.
const GROWN: &str = "target/fuzz/corpus";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// One target of fuzz/fuzz_targets; default: all, one after the other
    target: Option<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let targets = chosen(options.target.as_deref())?;
    if !Path::new("/usr/bin/c++").exists() {
        apt::install(&["g++"], "compiling libFuzzer")?;
    }
    let program = FUZZ.bring()?;
    // The versions that the gateway is made of; cargo adds libFuzzer's.
    fs::copy("Cargo.lock", "fuzz/Cargo.lock").context("copying the versions of all dependencies")?;
    println!("building the targets (the first time all dependencies, which takes long)");
    cargo_fuzz(&program, "build", options.target.as_deref())?;
    let mut broken = Vec::new();
    for target in &targets {
        println!("\n=== {target}: {} s", options.seconds);
        if let Err(error) = one(&program, target, options.seconds) {
            println!("=== {target}: {error:#}");
            broken.push(target.as_str());
        }
    }
    match broken.is_empty() {
        true => Ok(()),
        false => bail!("something was found by {}; see fuzz/artifacts", broken.join(", ")),
    }
}

/// The names of the targets to run.
fn chosen(one: Option<&str>) -> Result<Vec<String>> {
    let files = fs::read_dir("fuzz/fuzz_targets")?.collect::<Result<Vec<_>, _>>()?;
    let names = files.iter().filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    match one {
        None => Ok(names),
        Some(one) if names.iter().any(|name| name == one) => Ok(vec![one.to_owned()]),
        Some(one) => bail!("there is no target `{one}`: {}", names.join(", ")),
    }
}

/// cargo-fuzz, without a sanitizer: the code has no `unsafe` to watch, and its assertions are what is looked for.
fn cargo_fuzz(program: &Path, command: &str, target: Option<&str>) -> Result<()> {
    let mut fuzz = process::command(program);
    fuzz.args(["fuzz", command, "--fuzz-dir", "fuzz", "--target-dir", BUILT, "--sanitizer", "none"]).args(target);
    // Its flags are those of a nightly compiler.
    fuzz.env("RUSTC_BOOTSTRAP", "1").env("CARGO_PROFILE_RELEASE_LTO", "false");
    process::run(&mut fuzz)
}

/// Runs the program of a target by itself: cargo-fuzz would ask cargo each time whether it is up to date.
fn one(program: &Path, target: &str, seconds: u64) -> Result<()> {
    let built = built(target).with_context(|| format!("{} has built no {target}", program.display()))?;
    let (grown, found) = (Path::new(GROWN).join(target), Path::new("fuzz/artifacts").join(target));
    for folder in [&grown, &found] {
        fs::create_dir_all(folder)?;
    }
    let mut fuzz = process::command(built);
    fuzz.arg(format!("-max_total_time={seconds}")).args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    fuzz.arg(format!("-artifact_prefix={}/", found.display()));
    fuzz.arg(&grown).arg(Path::new("fuzz/corpus").join(target));
    process::run(&mut fuzz)
}

/// The program of a target: cargo puts it below a folder with the machine's name.
fn built(target: &str) -> Option<PathBuf> {
    let machines = fs::read_dir(BUILT).ok()?.filter_map(Result::ok);
    machines.map(|machine| machine.path().join("release").join(target)).find(|program| program.is_file())
}
