//! `cargo xtask websocket`: whether a WebSocket through the gateway is one without. The cases of Autobahn are run against a
//! server, and against the same server through the gateway; the reports have to be equal, case by case.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    demo,
    guests::{self, Way},
    pip,
    process::{self, Running},
};

/// What runs the cases, which are in it, with its version.
const PACKAGE: &str = "kosoku==0.1.0";

/// The server: one that passes all of them.
const SERVER: &str = "ws@8.23.0";
const ECHO: &str = include_str!("websocket/echo.mjs");

/// For all that this makes.
const FOLDER: &str = "target/websocket";

/// What takes minutes: large messages and many of them, and both of them compressed.
const LONG: [&str; 3] = ["9.*", "12.*", "13.*"];

/// The fewest cases: so many are there without the long ones.
const FEWEST: usize = 247;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Runs the cases of speed and compression too, which takes ten minutes or more
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    guests::build(Way::Auto)?;
    demo::build(&["gatehouse"])?;
    check(options.all)
}

/// Runs the cases, all or the quick ones. The gateway must have been built, and npm be there: the guests are built with it.
pub(crate) fn check(all: bool) -> Result<()> {
    let folder = std::path::absolute(FOLDER)?;
    let kosoku = install(&folder)?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut node = process::command("node");
    let mut echo = Running::start(node.arg("echo.mjs").arg(port.to_string()).current_dir(&folder))?;
    demo::wait_for(&mut echo, server)?;
    fs::write(folder.join("gatehouse.toml"), configuration(server))?;
    let gateway = demo::start(&folder, Stdio::null())?;
    let ran = rounds(|| {
        let direct = report(&kosoku, &folder.join("direct"), server, all)?;
        let through = report(&kosoku, &folder.join("through"), demo::GATEWAY, all)?;
        if direct.len() < FEWEST {
            bail!("only {} cases have run", direct.len());
        }
        Ok((direct, through))
    });
    if !gateway.stop(demo::STOP_LIMIT) {
        bail!("the gateway did not end with exit 0 after SIGTERM");
    }
    let through = ran?;
    println!("{} cases, equal with and without the gateway: {}", through.len(), counts(&through));
    Ok(())
}

/// Runs all cases until each was equal once. How some of them end depends on who is faster, the one that says why it closes
/// the connection or the one that still sends.
fn rounds(mut run: impl FnMut() -> Result<(Outcomes, Outcomes)>) -> Result<Outcomes> {
    let mut left: Option<Differences> = None;
    for _ in 0..ROUNDS {
        let (direct, through) = run()?;
        let mut differences = differences(&direct, &through);
        if let Some(left) = &left {
            differences.retain(|name, _| left.contains_key(name));
        }
        if differences.is_empty() {
            return Ok(through);
        }
        println!("not equal this time:\n{}", told(&differences));
        left = Some(differences);
    }
    bail!("not equal with and without the gateway:\n{}", told(&left.unwrap_or_default()))
}

fn configuration(server: SocketAddr) -> String {
    format!(
        "[listeners.public]\naddress = \"{}\"\n[log]\naccess = false\n[upstreams.echo]\nurl = \"http://{server}\"\n\
        [routes.echo]\nupstream = \"echo\"\nwebsocket = true\n",
        demo::GATEWAY
    )
}

/// How often the cases are run, if one differs each time.
const ROUNDS: usize = 3;

/// Cases that differ, and how.
type Differences = BTreeMap<String, String>;

fn told(differences: &Differences) -> String {
    differences.iter().map(|(name, how)| format!("  {name}: {how}")).collect::<Vec<_>>().join("\n")
}

/// What a case has come to: how it went, how it was closed, and with which code.
type Outcomes = BTreeMap<String, String>;

/// Runs the cases against an address and reads what is said of them. That some fail is in it, too.
fn report(kosoku: &Path, folder: &Path, address: SocketAddr, all: bool) -> Result<Outcomes> {
    let _ = fs::remove_dir_all(folder);
    println!("kosoku {address}");
    let mut command = process::command(kosoku);
    command.args(["--parallelism", "4", "--outdir"]).arg(folder);
    for cases in LONG.iter().filter(|_| !all) {
        command.args(["--exclude", cases]);
    }
    let output = command.arg(address.to_string()).output()?;
    let index = folder.join("index.json");
    let text = fs::read_to_string(&index)
        .with_context(|| format!("no report: {}", String::from_utf8_lossy(&output.stderr).trim_end()))?;
    outcomes(&text).with_context(|| format!("in {}", index.display()))
}

fn outcomes(index: &str) -> Result<Outcomes> {
    let index: Value = serde_json::from_str(index)?;
    let cases =
        index.as_object().and_then(|agents| agents.values().next()?.as_object()).context("there are no cases")?;
    let outcome = |case: &Value| format!("{} {} {}", case["behavior"], case["behaviorClose"], case["remoteCloseCode"]);
    Ok(cases.iter().map(|(name, case)| (name.clone(), outcome(case))).collect())
}

fn differences(direct: &Outcomes, through: &Outcomes) -> Differences {
    let none = "did not run".to_owned();
    let names = direct.keys().chain(through.keys().filter(|name| !direct.contains_key(*name)));
    names
        .filter_map(|name| {
            let (direct, through) = (direct.get(name).unwrap_or(&none), through.get(name).unwrap_or(&none));
            (direct != through).then(|| (name.clone(), format!("{direct} without, {through} with it")))
        })
        .collect()
}

/// How many cases went how.
fn counts(outcomes: &Outcomes) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes.values() {
        *counts.entry(outcome.split(' ').next().unwrap_or_default().trim_matches('"')).or_default() += 1;
    }
    counts.iter().map(|(how, count)| format!("{count} {how}")).collect::<Vec<_>>().join(", ")
}

fn install(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("python");
    let done = folder.join(format!("{PACKAGE} {SERVER}"));
    if !done.exists() {
        pip::install(&python, PACKAGE, &["--prefer-binary"], "running the cases")?;
        println!("installing {SERVER} ...");
        fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
        let mut npm = process::command("npm");
        npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", SERVER]);
        process::output(npm.current_dir(folder))?;
        fs::write(&done, "")?;
    }
    fs::write(folder.join("echo.mjs"), ECHO)?;
    Ok(python.join("bin/kosoku"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(behavior: &str, code: &str) -> Outcomes {
        let case = format!("{{\"behavior\": \"{behavior}\", \"behaviorClose\": \"OK\", \"remoteCloseCode\": {code}}}");
        outcomes(&format!("{{\"127.0.0.1:1\": {{\"1.1.1\": {case}, \"1.1.2\": {case}}}}}")).expect("a good report")
    }

    #[test]
    fn every_case_that_differs_is_told() {
        let good = report("OK", "1000");
        assert_eq!(differences(&good, &report("OK", "1000")), Differences::new());
        assert_eq!(differences(&good, &report("FAILED", "1000")).len(), 2);
        assert_eq!(differences(&good, &report("OK", "null")).len(), 2);
        let mut fewer = good.clone();
        fewer.remove("1.1.1");
        assert_eq!(told(&differences(&fewer, &good)), "  1.1.1: did not run without, \"OK\" \"OK\" 1000 with it");
        assert_eq!(differences(&good, &fewer).len(), 1);
        assert_eq!(counts(&good), "2 OK");
        assert!(outcomes("{}").is_err());
    }

    #[test]
    fn a_case_that_differs_each_time_is_one_and_another_each_time_is_none() {
        let [good, bad] = [report("OK", "1000"), report("FAILED", "1000")];
        assert!(rounds(|| Ok((good.clone(), bad.clone()))).is_err());
        let mut name = ["1.1.1", "1.1.2"].iter().cycle();
        let other = || {
            let mut through = good.clone();
            through.extend(name.next().map(|name| ((*name).to_owned(), "\"FAILED\" 0 0".to_owned())));
            Ok((good.clone(), through))
        };
        assert!(rounds(other).is_ok());
    }
}
