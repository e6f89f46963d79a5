//! wrk: one thread, HTTP/1.1 over kept connections.

use std::{process::Command, time::Duration};

use anyhow::{Context as _, Result, bail};

use super::Run;
use crate::{bench::case::Cores, process};

/// Debian's.
pub(super) const PROGRAM: &str = "/usr/bin/wrk";

/// A run to be.
#[derive(Clone, Copy)]
pub(in crate::bench) struct Wrk<'a> {
    pub(in crate::bench) cores: Cores,
    /// Connections, all kept.
    pub(in crate::bench) connections: u32,
    pub(in crate::bench) headers: &'a [&'a str],
    /// With its argument.
    pub(in crate::bench) script: (&'a str, Option<&'a str>),
}

impl Default for Wrk<'_> {
    fn default() -> Self {
        Self { cores: Cores::Apart, connections: 32, headers: &[], script: ("bench/load/done.lua", None) }
    }
}

impl Wrk<'_> {
    /// Loads for a time. Errors and answers other than 2xx make the run worthless.
    pub(in crate::bench) fn run(&self, url: &str, time: Duration) -> Result<Run> {
        let run = self.attempt(url, time)?;
        if run.bad > 0.0 {
            bail!("{} of {} requests were not answered well", run.bad, run.requests);
        }
        Ok(run)
    }

    /// The same, where errors are counted.
    pub(in crate::bench) fn attempt(&self, url: &str, time: Duration) -> Result<Run> {
        let output = super::output(self.cores, &self.command(url, time))?;
        parse(&output).with_context(|| format!("understanding wrk:\n{output}"))
    }

    /// The command, of which wrk itself only knows whole seconds: an interrupt ends it as its own clock would. One that
    /// it does not heed, since it came too early, is followed by a signal that makes the run fail.
    fn command(&self, url: &str, time: Duration) -> Command {
        let (script, argument) = self.script;
        let mut command = process::command("timeout");
        command.args(["--preserve-status", "-k", "20", "-s", "INT", &time.as_secs_f64().to_string(), PROGRAM]);
        command.args(["-t", "1", "-c", &self.connections.to_string(), "-d", "1h", "-s", script]);
        for header in self.headers {
            command.args(["-H", header]);
        }
        command.arg(url);
        if let Some(argument) = argument {
            command.args(["--", argument]);
        }
        command
    }
}

/// Reads the line of `bench/load/done.lua`.
fn parse(output: &str) -> Result<Run> {
    let line = output.lines().find_map(|line| line.strip_prefix("bench ")).context("no line of the script")?;
    let number = |name: &str| -> Result<f64> {
        let word = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        word.and_then(|word| word.parse().ok()).with_context(|| format!("no number `{name}`"))
    };
    let requests = number("requests")?;
    if requests == 0.0 {
        bail!("nothing was answered");
    }
    Ok(Run {
        requests,
        bad: number("bad")?,
        rate: requests / number("us")? * 1e6,
        p50: number("p50")?,
        p99: number("p99")?,
        p999: number("p999")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 60m test @ http://127.0.0.1:19001/\n  1 threads and 32 connections\nRequests/sec:  58971.12\n\
        bench requests=118034 us=2000000 bad=3 p50=512 p99=1200 p999=1900 max=4000\n";

    #[test]
    fn what_the_script_prints_is_understood() {
        let run = parse(OUTPUT).expect("good output");
        assert_eq!(run, Run { requests: 118_034.0, bad: 3.0, rate: 59_017.0, p50: 512.0, p99: 1_200.0, p999: 1_900.0 });
    }

    #[test]
    fn a_run_without_answers_is_refused() {
        assert!(parse(&OUTPUT.replace("=118034", "=0")).is_err());
        assert!(parse("unable to connect to 127.0.0.1:19001 Connection refused").is_err());
    }
}
