//! wrk against a peer, and what the peer's process spent on it.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use super::{
    case::Case,
    peer::{self, RunningPeer},
};
use crate::process;

/// Connections, all kept alive.
const CONNECTIONS: &str = "32";

/// Beside `host`, which wrk sends itself: six in all.
const HEADERS: [&str; 5] = [
    "user-agent: bench/1",
    "accept: application/json",
    "accept-encoding: gzip, br",
    "authorization: Bearer c2VjcmV0LXRva2Vu",
    "x-request-source: bench",
];

/// What `utime` and `stime` of `/proc/PID/stat` count in: USER_HZ, which is 100 wherever Linux runs Rust's x86 and Arm
/// targets.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run of wrk gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sample {
    /// CPU time of the peer's process, user and system, per request, in microseconds.
    pub(super) cpu: f64,
    /// Requests per second.
    pub(super) rate: f64,
    /// Latency, in microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

/// wrk's program.
pub(super) fn wrk() -> Option<PathBuf> {
    ["/usr/bin/wrk", "/usr/local/bin/wrk"].into_iter().map(PathBuf::from).find(|path| path.exists())
}

/// Loads a peer for some seconds.
pub(super) fn sample(case: &Case, peer: &RunningPeer, seconds: u32) -> Result<Sample> {
    let mut command = base(seconds, &HEADERS)?;
    command.arg(format!("http://{}{}", peer.address, case.path));
    let before = cpu_ticks(peer.id())?;
    let output = process::output(&mut peer::on_load_core(&command))?;
    let ticks = cpu_ticks(peer.id())? - before;
    let run = parse(&output).with_context(|| format!("understanding wrk:\n{output}"))?;
    let cpu = ticks as f64 / TICKS_PER_SECOND * 1e6 / run.requests;
    Ok(Sample { cpu, rate: run.rate, p50: run.p50, p99: run.p99 })
}

/// wrk with one thread, without its URL.
pub(super) fn base(seconds: u32, headers: &[&str]) -> Result<Command> {
    let mut command = process::command(wrk().context("wrk is not installed")?);
    command.args(["--latency", "-t", "1", "-c", CONNECTIONS, "-d", &format!("{seconds}s")]);
    for header in headers {
        command.args(["-H", header]);
    }
    Ok(command)
}

/// CPU time of a process with all its threads, ended ones too.
fn cpu_ticks(id: u32) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The second field is the program's name in parentheses, which may hold spaces; utime is the 14th, stime the 15th.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).context("no name in stat")?;
    fields.skip(11).take(2).map(|field| Ok(field.parse::<u64>()?)).sum()
}

struct Run {
    requests: f64,
    rate: f64,
    p50: f64,
    p99: f64,
}

/// Reads what wrk prints. Errors and answers other than 2xx make the run worthless.
fn parse(output: &str) -> Result<Run> {
    if let Some(bad) = output.lines().find(|line| line.contains("Socket errors") || line.contains("Non-2xx")) {
        bail!("not every request was answered well: {}", bad.trim());
    }
    let words = |start: &str| {
        let line = output.lines().find(|line| line.trim_start().starts_with(start));
        line.and_then(|line| line.trim_start()[start.len()..].split_whitespace().next())
    };
    let requests = output.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok());
    Ok(Run {
        requests: requests.context("no number of requests")?,
        rate: words("Requests/sec:").and_then(|word| word.parse().ok()).context("no rate")?,
        p50: words("50%").and_then(microseconds).context("no median")?,
        p99: words("99%").and_then(microseconds).context("no 99th percentile")?,
    })
}

/// `512.00us`, `1.20ms`, `2.00s`.
fn microseconds(text: &str) -> Option<f64> {
    for (unit, factor) in [("us", 1.0), ("ms", 1e3), ("s", 1e6)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<f64>().ok().map(|number| number * factor);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 2s test @ http://127.0.0.1:19001/\n  1 threads and 32 connections\n  Latency Distribution\n     \
        50%  512.00us\n     75%  600.00us\n     90%  700.00us\n     99%    1.20ms\n  118034 requests in 2.00s, 24.3MB read\n\
        Requests/sec:  58971.12\nTransfer/sec:     12.1MB\n";

    #[test]
    fn what_wrk_prints_is_understood() {
        let run = parse(OUTPUT).expect("good output");
        assert_eq!((run.requests, run.rate, run.p50, run.p99), (118_034.0, 58_971.12, 512.0, 1_200.0));
    }

    #[test]
    fn a_run_with_errors_is_refused() {
        assert!(parse(&format!("{OUTPUT}  Non-2xx or 3xx responses: 3\n")).is_err());
    }

    #[test]
    fn the_own_cpu_time_can_be_read() {
        assert!(cpu_ticks(std::process::id()).is_ok());
    }
}
