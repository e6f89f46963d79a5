//! Load on a peer for a while, and what the peer's process spent on it.

mod h2load;
mod wrk;

use std::{path::Path, process::Command, thread, time::Duration};

use anyhow::{Context as _, Result};

use super::{
    case::{Case, Cores, Load},
    peer::{self, Peers},
};
use crate::{apt, process, usage};
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
    let missing: Vec<_> =
        missing.into_iter().filter(|(program, _)| !Path::new(program).exists()).map(|(_, name)| name).collect();
    if missing.is_empty() { Ok(()) } else { apt::install(&missing, "the bench's load") }
}

/// Loads a case's peer. An answer other than 2xx is an error.
pub(super) fn sample(case: &Case, cores: Cores, peers: &Peers, time: Duration) -> Result<Sample> {
    let authorization = format!("authorization: {}", case.authorization);
    let host = case.host.map(|host| format!("Host: {host}"));
    let headers: Vec<_> = HEADERS.into_iter().chain([authorization.as_str()]).chain(host.as_deref()).collect();
    let wrk = Wrk { cores, headers: &headers, ..Wrk::default() };
    let peer = &peers[case.peer];
    let url = peer.url(case);
    usage::reset_peak(peer.id());
    let before = usage::cpu_time(peer.id())?;
    let run = match case.load {
        Load::Same => wrk.run(&url, time)?,
        Load::Routes(routes) => Wrk { script: ("bench/load/routes.lua", Some(routes)), ..wrk }.run(&url, time)?,
        Load::Http2 => h2load::run(wrk.cores, &headers, &url, time)?,
        Load::Pair(other) => {
            let half = Wrk { connections: wrk.connections / 2, ..wrk };
            let (mine, others) = thread::scope(|scope| {
                let others = scope.spawn(|| half.run(&peers[other].url(case), time));
                (half.run(&url, time), others.join().expect("load does not panic"))
            });
            let (mine, others) = (mine?, others?);
            if other == case.peer { mine.and(&others) } else { mine }
        }
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

impl Run {
    /// With what another one had of the same peer at the same time. Of two latencies, the worse.
    fn and(self, other: &Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            bad: self.bad + other.bad,
            rate: self.rate + other.rate,
            p50: self.p50.max(other.p50),
            p99: self.p99.max(other.p99),
            p999: self.p999.max(other.p999),
        }
    }
}

/// Runs a program of the load where the load is; what it prints.
fn output(cores: Cores, command: &Command) -> Result<String> {
    process::output(&mut peer::of_load(cores, command)?).context("making load")
}
