//! Load on a peer for a while, and what the peer's process spent on it.

mod h2load;
mod wrk;

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result};

use super::{
    case::{Case, Cores, Load},
    peer::{self, RunningPeer},
    usage,
};
use crate::{apt, process};
pub(super) use wrk::Wrk;

/// Beside `host` and `authorization`: six in all.
const HEADERS: [&str; 4] =
    ["user-agent: bench/1", "accept: application/json", "accept-encoding: gzip, br", "x-request-source: bench"];

/// What a while of load gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sample {
    /// CPU time of the peer's process, user and system, per request, in microseconds.
    pub(super) cpu: f64,
    /// Requests per second.
    pub(super) rate: f64,
    /// Latency, in microseconds.
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    /// The peak of the process's resident memory, in MB.
    pub(super) memory: f64,
}

/// What the load's program says of a while.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) requests: f64,
    /// Of these, what was not answered with 2xx; and what was not answered.
    pub(super) bad: f64,
    pub(super) rate: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
}

/// Installs the programs that make load.
pub(super) fn install() -> Result<()> {
    let missing = [(wrk::PROGRAM, "wrk"), (h2load::PROGRAM, "nghttp2-client")];
    let missing: Vec<_> = missing
        .into_iter()
        .filter(|(program, _)| !std::path::Path::new(program).exists())
        .map(|(_, name)| name)
        .collect();
    if missing.is_empty() { Ok(()) } else { apt::install(&missing, "the bench's load") }
}

/// Loads a peer. An answer other than 2xx is an error.
pub(super) fn sample(case: &Case, cores: Cores, peer: &RunningPeer, time: Duration) -> Result<Sample> {
    let authorization = format!("authorization: {}", case.authorization);
    let headers: Vec<_> = HEADERS.into_iter().chain([authorization.as_str()]).collect();
    let cores = peer::load_cores(cores);
    usage::reset_peak(peer.id());
    let before = usage::cpu_time(peer.id())?;
    let run = match case.load {
        Load::Same => Wrk { cores, headers: &headers, ..Wrk::default() }.run(&peer.url(case), time)?,
        Load::Routes(routes) => {
            let script = ("bench/load/routes.lua", Some(routes));
            Wrk { cores, headers: &headers, script, ..Wrk::default() }.run(&peer.url(case), time)?
        }
        Load::Http2 => h2load::run(cores, &headers, &peer.url(case), time)?,
    };
    let spent = usage::cpu_time(peer.id())? - before;
    Ok(Sample {
        cpu: spent.as_secs_f64() * 1e6 / run.requests,
        rate: run.rate,
        p50: run.p50,
        p99: run.p99,
        p999: run.p999,
        memory: usage::peak_memory(peer.id())?,
    })
}

/// Runs a program of the load on its cores; what it prints.
fn output(cores: &str, command: &Command) -> Result<String> {
    process::output(&mut peer::on_cores(cores, command)).context("making load")
}
