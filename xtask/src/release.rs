//! `cargo xtask release`: the gateway by profile-guided optimization. It is built to count what runs, serves the bench's
//! requests for a while, and is built again for what was counted: what a request runs through then lies together, and the
//! kernel's code between any two of its steps drives less of it out of the instruction cache.
//!
//! Only the crates that a request runs through are counted, so the others, the compiler of plugins among them, are built
//! once. Cargo has no flags by crate: it is told to start `rustc` through this program, which adds them.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use gatehouse_kit::command::succeeds_within;

use crate::{
    apt, bench,
    guests::{self, Way},
    process,
};

/// What a request runs through, by the names of the crates; a package is named as its crate, or with hyphens.
const COUNTED: [&str; 15] = [
    "gatehouse",
    "bytes",
    "futures_channel",
    "futures_util",
    "h2",
    "http",
    "http_body",
    "http_body_util",
    "httparse",
    "hyper",
    "hyper_util",
    "mio",
    "moka",
    "tokio",
    "wasmtime",
];

/// The flag for those crates, for this program when it stands in for `rustc`.
const FLAG: &str = "GATEHOUSE_PROFILE_FLAG";

/// How long rustup may take to fetch its tools.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// Where the program is once it has been built.
pub(crate) fn gateway() -> PathBuf {
    folder().join("gatehouse")
}

/// Beside what cargo makes otherwise: it would take what was built with one flag for what was built with another.
fn folder() -> PathBuf {
    process::release_dir().with_file_name("guided")
}

pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    let profdata = profdata()?;
    guests::build(Way::Auto)?;
    // Before anything is built: it may be missing.
    bench::prepare_training()?;
    let profile = folder().join("profile");
    let _ = fs::remove_dir_all(&profile);
    fs::create_dir_all(&profile)?;
    let profile = profile.canonicalize()?;

    println!("building a gateway that counts what runs (without another to build on this takes a quarter of an hour)");
    let counting = build(&format!("-Cprofile-generate={}", profile.display()))?;
    println!("counting, under the bench's requests");
    bench::train(&counting)?;
    let merged = profile.join("gatehouse.profdata");
    process::output(process::command(profdata).args(["merge", "--output"]).arg(&merged).args(counted(&profile)?))?;
    println!("building the gateway for what was counted");
    let built = build(&format!("-Cprofile-use={}", merged.display()))?;
    fs::copy(&built, gateway()).with_context(|| format!("copying {}", built.display()))?;
    println!("{} is built, in {:.0} s", gateway().display(), start.elapsed().as_secs_f32());
    Ok(())
}

/// Builds the gateway with a flag for the crates that are counted, and all of it with link-time optimization.
fn build(flag: &str) -> Result<PathBuf> {
    let cargo = |command: &str| {
        let mut cargo = process::cargo();
        cargo.args([command, "--release", "--target-dir"]).arg(folder()).env_remove("CARGO_PROFILE_RELEASE_LTO");
        cargo
    };
    // Cargo does not see the flag, so it would not build them again.
    let mut clean = cargo("clean");
    for name in COUNTED {
        clean.args(["-p", &name.replace('_', "-")]);
    }
    process::output(&mut clean)?;
    let mut build = cargo("build");
    process::run(build.args(["-p", "gatehouse"]).env("RUSTC_WRAPPER", env::current_exe()?).env(FLAG, flag))?;
    Ok(folder().join("release/gatehouse"))
}

/// The counts that programs have left at their end.
fn counted(profile: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(profile)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let counts: Vec<_> =
        files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "profraw")).collect();
    if counts.is_empty() {
        bail!("no counts are in {}: the gateway did not end by itself", profile.display());
    }
    Ok(counts)
}

/// Where cargo starts this program in place of `rustc`, it becomes that, with a flag more for the crates that are counted.
/// It returns only when it is not so, or fails.
pub(crate) fn stand_in() -> Option<std::io::Error> {
    let flag = env::var_os(FLAG)?;
    let mut words = env::args_os().skip(1);
    let mut rustc = Command::new(words.next()?);
    let words: Vec<OsString> = words.collect();
    let counted = is_counted(&words);
    Some(rustc.args(words).args(counted.then_some(flag)).exec())
}

/// Whether a call of `rustc` compiles one of the crates.
fn is_counted(words: &[OsString]) -> bool {
    let name = words.iter().skip_while(|word| *word != "--crate-name").nth(1);
    name.is_some_and(|name| COUNTED.iter().any(|counted| name == counted))
}

/// LLVM's tool for counts, of the version that rustc has: rustup's, or where rustup can not fetch it, Debian's.
fn profdata() -> Result<PathBuf> {
    let rustc = process::output(process::command("rustc").arg("-vV"))?;
    let said = |name| rustc.lines().find_map(|line: &str| line.strip_prefix(name));
    let sysroot = process::output(process::command("rustc").args(["--print", "sysroot"]))?;
    let host = said("host: ").context("rustc does not say for what it compiles")?;
    let own = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/llvm-profdata");
    if own.exists() {
        return Ok(own);
    }
    let version = said("LLVM version: ").and_then(|version| version.split('.').next());
    let version = version.context("rustc does not say which LLVM it has")?;
    let debians = PathBuf::from(format!("/usr/lib/llvm-{version}/bin/llvm-profdata"));
    if debians.exists() {
        return Ok(debians);
    }
    println!("asking rustup for llvm-tools ...");
    let mut rustup = process::command("rustup");
    if succeeds_within(rustup.args(["component", "add", "llvm-tools"]), RUSTUP_LIMIT) && own.exists() {
        return Ok(own);
    }
    apt::install(&[&format!("llvm-{version}")], "profile-guided optimization")?;
    Ok(debians)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_of_a_request_are_counted_and_no_others() {
        let call = |name: &str| ["--edition=2024", "--crate-name", name, "src/lib.rs"].map(OsString::from);
        assert!(is_counted(&call("gatehouse")));
        assert!(is_counted(&call("hyper_util")));
        assert!(!is_counted(&call("build_script_build")));
        assert!(!is_counted(&call("gatehouse_kit")));
        assert!(!is_counted(&[OsString::from("-vV")]));
        assert!(!is_counted(&[OsString::from("--crate-name")]));
    }
}
