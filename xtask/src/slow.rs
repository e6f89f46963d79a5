//! `cargo xtask slow`: slowhttptest against the gateway with short time-outs, in each of its modes. Its connections have to be ended, and
//! meanwhile another client has to be served; afterwards nothing may be left of it.

use std::{
    fs,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    apt,
    client::{self, Request},
    demo,
    guests::{self, Way},
    process::{self, Running},
};

/// Where the configuration is written.
const FOLDER: &str = "target/slow";

/// The body of `/large`: with as many answers in a row as are asked for, more than sockets keep.
const LARGE: usize = 1 << 20;

/// What another client may wait for its answer, on a machine that has more to do.
const PATIENCE: Duration = Duration::from_secs(2);

/// What may be left: another client's own connection, and a thread's memory.
const DESCRIPTORS: usize = 3;
const MEMORY: u64 = 48 << 20;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Connections of each mode
    #[arg(long, default_value_t = 200)]
    pub(crate) connections: u32,
}

/// A mode of slowhttptest.
struct Mode {
    name: &'static str,
    arguments: &'static [&'static str],
    path: &'static str,
    /// How the gateway counts those that it ends.
    metric: &'static str,
    /// For how many seconds at the most. The tool ends by itself when all its connections have; who reads five bytes a second does
    /// not come to the end of what it has received.
    seconds: &'static str,
    sees_the_end: bool,
}

const MODES: [Mode; 3] = [
    Mode {
        name: "slow headers",
        arguments: &["-H", "-i", "1", "-x", "8"],
        path: "/echo",
        metric: "gatehouse_clients_ended_total{reason=\"header_timeout\"}",
        seconds: "30",
        sees_the_end: true,
    },
    Mode {
        name: "slow bodies",
        arguments: &["-B", "-i", "1", "-x", "8", "-s", "8192"],
        path: "/echo",
        metric: "gatehouse_failures_total{code=\"body_timeout\"}",
        seconds: "30",
        sees_the_end: true,
    },
    Mode {
        name: "slow reading",
        arguments: &["-X", "-k", "8", "-n", "1", "-z", "5", "-w", "512", "-y", "1024"],
        path: "/large",
        metric: "gatehouse_clients_ended_total{reason=\"answer_timeout\"}",
        seconds: "10",
        sees_the_end: false,
    },
];

pub(crate) fn run(options: &Options) -> Result<()> {
    guests::build(Way::Auto)?;
    demo::build(&["gatehouse"])?;
    check(options)
}

/// Runs all modes against the gateway, which must have been built.
pub(crate) fn check(options: &Options) -> Result<()> {
    if process::command("slowhttptest").arg("-h").stdout(Stdio::null()).status().is_err() {
        apt::install(&["slowhttptest"], "being slow on purpose")?;
    }
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder)?;
    fs::write(folder.join("gatehouse.toml"), configuration())?;
    let gateway = demo::start(folder, Stdio::null())?;
    // Its threads and buffers are there then.
    (0..20).try_for_each(|_| well().map(drop))?;
    for mode in &MODES {
        attack(mode, options, &gateway).with_context(|| mode.name)?;
    }
    ensure!(gateway.stop(demo::STOP_LIMIT), "the gateway did not end with exit 0 after SIGTERM");
    Ok(())
}

fn configuration() -> String {
    let body = "x".repeat(LARGE);
    format!(
        "[server]\nworkers = 1\n[log]\naccess = false\n[admin]\naddress = \"{ADMIN}\"\n\
         [limits]\nheader_timeout = \"3s\"\nbody_idle_timeout = \"3s\"\nanswer_idle_timeout = \"3s\"\nidle_timeout = \"5s\"\n\
         connections_per_client = 20000\n\
         [listeners.main]\naddress = \"{}\"\n[upstreams.up]\nurl = \"http://{}\"\n\
         [routes.echo]\npath = \"/echo\"\nupstream = \"up\"\n\
         [routes.well]\npath = \"/well\"\nrespond = {{ body = \"well\" }}\n\
         [routes.large]\npath = \"/large\"\nrespond = {{ body = \"{body}\" }}\n",
        demo::GATEWAY,
        demo::UPSTREAM,
    )
}

/// Where its counters are.
const ADMIN: &str = "127.0.0.1:9091";

/// One mode, to the end of its last connection.
fn attack(mode: &Mode, options: &Options, gateway: &Running) -> Result<()> {
    let before = (descriptors(gateway)?, memory(gateway)?, ended(mode)?);
    let connections = options.connections.to_string();
    let url = format!("http://{}{}", demo::GATEWAY, mode.path);
    let mut tool = process::command("slowhttptest");
    tool.args(mode.arguments).args(["-c", &connections, "-r", "200", "-l", mode.seconds, "-p", "3", "-u", &url]);
    let over = AtomicBool::new(false);
    let (report, worst) = thread::scope(|scope| {
        let honest = scope.spawn(|| serve_others(&over));
        let report = process::output(&mut tool);
        over.store(true, Ordering::Relaxed);
        (report, honest.join())
    });
    let report = plain(&report?);
    let worst = worst.map_err(|_| anyhow::anyhow!("the other client panicked"))??;
    let ended_all = !mode.sees_the_end || report.contains("No open connections left");
    ensure!(ended_all, "connections stay open:\n{}", last(&report));
    ensure!(!report.lines().any(|line| line.contains("service available") && line.contains("NO")), "{}", last(&report));
    let count = ended(mode)? - before.2;
    ensure!(count >= options.connections.into(), "`{}` counts {count} of {connections}", mode.metric);
    let end = Instant::now() + Duration::from_secs(15);
    while descriptors(gateway)? > before.0 + DESCRIPTORS {
        ensure!(Instant::now() < end, "{} descriptors, {} before", descriptors(gateway)?, before.0);
        thread::sleep(Duration::from_millis(50));
    }
    let more = memory(gateway)?.saturating_sub(before.1);
    ensure!(more < MEMORY, "{more} bytes more than before");
    println!(
        "{}: {connections} connections, {count} of them ended; another client waited for {} ms at the most; {} KiB more memory",
        mode.name,
        worst.as_millis(),
        more >> 10
    );
    Ok(())
}

/// Asks until it is over; tells the longest that an answer took.
fn serve_others(over: &AtomicBool) -> Result<Duration> {
    let mut worst = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        worst = worst.max(well()?);
        ensure!(worst < PATIENCE, "another client waited for {worst:?}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(worst)
}

/// A request of another client, and how long it took.
fn well() -> Result<Duration> {
    let begun = Instant::now();
    let answer = client::send(&Request::get(demo::GATEWAY, "/well"))?;
    if answer.status != 200 {
        bail!("another client got {}", answer.status);
    }
    Ok(begun.elapsed())
}

/// How many the gateway has ended, by its own counting.
fn ended(mode: &Mode) -> Result<u64> {
    let answer = client::send(&Request::get(ADMIN.parse()?, "/metrics"))?;
    let found = answer.body.lines().find_map(|line| line.strip_prefix(mode.metric)?.trim().parse().ok());
    Ok(found.unwrap_or(0))
}

fn descriptors(gateway: &Running) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{}/fd", gateway.id()))?.count())
}

/// Bytes that are resident.
fn memory(gateway: &Running) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.id()))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS")).context("no VmRSS")?;
    let number = line.split_whitespace().nth(1).context("no number of KiB")?;
    Ok(number.parse::<u64>()? << 10)
}

/// Without the colours that the tool writes.
fn plain(report: &str) -> String {
    let mut text = String::new();
    let mut parts = report.split('\u{1b}');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        text.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    text
}

/// The end of a report.
fn last(report: &str) -> String {
    let lines: Vec<_> = report.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out() {
        assert_eq!(plain("\u{1b}[1;32mservice available:\u{1b}[0m   YES\n"), "service available:   YES\n");
        assert_eq!(plain("plain"), "plain");
    }
}
