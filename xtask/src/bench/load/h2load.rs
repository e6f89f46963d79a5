//! h2load: HTTP/2 with prior knowledge, one thread, 4 connections with 100 streams each.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};

use super::Run;
use crate::{
    bench::{FOLDER, case::Cores},
    process,
};

/// Debian's.
pub(super) const PROGRAM: &str = "/usr/bin/h2load";

/// Loads for a time. Errors and answers other than 2xx make the run worthless.
pub(super) fn run(cores: Cores, headers: &[&str], url: &str, time: Duration) -> Result<Run> {
    let log = Path::new(FOLDER).join("h2load.log");
    let _ = fs::remove_file(&log);
    let mut command = process::command(PROGRAM);
    command.args(["-t", "1", "-c", "4", "-m", "100", "-D", &format!("{}ms", time.as_millis())]);
    command.arg(format!("--log-file={}", log.display()));
    for header in headers {
        command.args(["-H", header]);
    }
    let output = super::output(cores, command.arg(url))?;
    let requests = parse(&output).with_context(|| format!("understanding h2load:\n{output}"))?;
    let mut times = fs::read_to_string(&log)?.lines().filter_map(answer_time).collect::<Vec<_>>();
    times.sort_by(f64::total_cmp);
    let rank = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    Ok(Run {
        requests,
        bad: 0.0,
        rate: requests / time.as_secs_f64(),
        p50: rank(0.5),
        p99: rank(0.99),
        p999: rank(0.999),
    })
}

/// The number of requests, out of `status codes: 118034 2xx, 0 3xx, 0 4xx, 0 5xx`.
fn parse(output: &str) -> Result<f64> {
    let codes = output.lines().find_map(|line| line.strip_prefix("status codes: ")).context("no status codes")?;
    let mut counts = codes.split(", ").filter_map(|count| count.split(' ').next()?.parse::<f64>().ok());
    let good = counts.next().context("no number")?;
    if good == 0.0 || counts.any(|count| count > 0.0) {
        bail!("not every request was answered well: {codes}");
    }
    Ok(good)
}

/// Microseconds of one request, out of `START<tab>STATUS<tab>MICROSECONDS`.
fn answer_time(line: &str) -> Option<f64> {
    line.rsplit('\t').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_h2load_prints_is_understood() {
        let output =
            |codes| format!("finished in 2.00s, 59017.00 req/s, 5MB/s\nstatus codes: {codes}\ntraffic: 10MB\n");
        assert_eq!(parse(&output("118034 2xx, 0 3xx, 0 4xx, 0 5xx")).expect("good output"), 118_034.0);
        assert!(parse(&output("118034 2xx, 0 3xx, 0 4xx, 1 5xx")).is_err());
        assert_eq!(answer_time("1700000000000000\t200\t512"), Some(512.0));
    }
}
