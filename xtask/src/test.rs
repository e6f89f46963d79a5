//! `cargo xtask test`: everything that must hold, from the compiler's view to an example's answers.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt, demo, grpc,
    guests::{self, Way},
    parsers,
    process::{self, Running},
    slow, soak, tidy, tls, websocket,
};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Runs only the tests whose name contains this, and neither the tidy checks nor the examples
    filter: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    step("guests", || guests::build(Way::Auto))?;
    if process::output(process::command("redis-server").arg("--version")).is_err() {
        apt::install(&["redis-server"], "testing limits in Redis")?;
    }
    step("tests", || tests(options.filter.as_deref()))?;
    if options.filter.is_none() {
        step("SDKs", sdks)?;
        step("tidy", || tidy::check(tidy::Options::default()))?;
        for name in demo::names()? {
            step(&format!("example {name}"), || demo::check(&name))?;
        }
        step("TLS, by sslyze", tls::check)?;
        step("WebSocket, by Autobahn's cases", || websocket::check(false))?;
        step("slow clients, by slowhttptest", || slow::check(&slow::Options { connections: 100 }))?;
        step("gRPC, by its own client and server", grpc::check)?;
        step("parsers of other servers", parsers::check)?;
        step("soak reload", || soak::reload::run(&soak::reload::Options { swaps: 100, untimed: true }))?;
        step("soak random", || soak::random::run(&soak::random::Options { count: 60, seed: Some(1) }))?;
        step("soak stop", || soak::stop::run(&soak::stop::Options { times: 5, seed: None }))?;
        step("soak kill", || soak::kill::run(&soak::kill::Options { times: 10, seed: None }))?;
        step("soak corpus", || soak::corpus::run(&soak::corpus::Options { calls: 2_000, rate: 100, untimed: true }))?;
        step("soak upstreams", || soak::upstreams::run(&soak::upstreams::Options { exchanges: 4_000, seed: None }))?;
    }
    println!("\nall passed in {:.0} s", start.elapsed().as_secs_f32());
    Ok(())
}

/// The SDKs' own tests, each in its language's way. Npm is there: the guests were built with it.
fn sdks() -> Result<()> {
    process::run(process::command("npm").arg("test").current_dir("sdk/js"))?;
    if process::output(process::command("c++").arg("--version")).is_err() {
        apt::install(&["g++"], "testing the SDK for C")?;
    }
    process::run(&mut process::command("sdk/c/tests/run.sh"))?;
    // The example's are a plugin's own, in a folder where it was built. Go is there, as npm is.
    for folder in ["sdk/go", "examples/authorizer-go/plugin"] {
        process::run(process::command("go").args(["test", "./..."]).current_dir(folder))?;
        process::run(process::command("go").args(["vet", "./..."]).current_dir(folder))?;
    }
    let sdk = std::path::absolute("sdk/python")?;
    for folder in ["sdk/python", "examples/authorizer-python/plugin"] {
        let mut python = process::command("python3");
        python.env("PYTHONPATH", &sdk).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder);
        process::run(python.args([
            "-m",
            "unittest",
            "discover",
            "-t",
            ".",
            "-s",
            if folder == "sdk/python" { "tests" } else { "." },
        ]))?;
    }
    Ok(())
}

/// Runs one part and says how long it took.
fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n=== {name}");
    let start = Instant::now();
    work().with_context(|| format!("{name}: failed after {:.0} s", start.elapsed().as_secs_f32()))?;
    println!("=== {name}: passed in {:.1} s", start.elapsed().as_secs_f32());
    Ok(())
}

/// The packages that are tested together. The gateway is alone: cargo chooses the features of shared dependencies over
/// all packages of a call, so with the plugins beside it, a new dependency of a plugin would compile wasmtime anew.
const TOGETHER: [&[&str]; 2] = [&["-p", "gatehouse"], &["--workspace", "--exclude", "gatehouse"]];

/// Runs all tests with their output shown. A run without a single test is a failure.
fn tests(filter: Option<&str>) -> Result<()> {
    let mut passed = 0;
    for packages in TOGETHER {
        passed += tests_of(packages, filter)?;
    }
    if passed == 0 {
        bail!("no test ran{}", filter.map(|text| format!(": no name contains `{text}`")).unwrap_or_default());
    }
    println!("{passed} tests passed");
    Ok(())
}

/// Runs the tests of some packages and tells how many passed.
fn tests_of(packages: &[&str], filter: Option<&str>) -> Result<u32> {
    let mut cargo = process::cargo();
    cargo.args(["test", "--release"]).args(packages).args(filter);
    cargo.env("GATEHOUSE_GUESTS", env::current_dir()?.join(guests::FOLDER));
    println!("{} (the first time this takes some minutes)", process::line(&cargo));
    let mut child = Running::start(cargo.stdout(Stdio::piped()))?;
    let stdout = child.0.stdout.take().context("the standard output is not piped")?;
    let mut passed = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        passed += passed_in(&line);
        println!("{line}");
    }
    let status = child.0.wait()?;
    if !status.success() {
        bail!("cargo test failed ({status})");
    }
    Ok(passed)
}

/// The number in `test result: ok. 12 passed; 0 failed; ...`; 0 for other lines.
fn passed_in(line: &str) -> u32 {
    let count = line.strip_prefix("test result: ok. ").and_then(|rest| rest.split_once(" passed"));
    count.and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted() {
        assert_eq!(passed_in("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured"), 12);
        assert_eq!(passed_in("test a::b ... ok"), 0);
    }
}
