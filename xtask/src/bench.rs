//! `cargo xtask bench`: what the gateway costs per request, beside a bare proxy built from the same dependencies.
//!
//! The proxy alone is on core 0 with one worker; the load (wrk) and the upstream (nginx) are on core 1. Every round
//! measures each case once, in an order that rotates, and figures compare cases of the same round only: a shared machine
//! changes its speed by a quarter for minutes at a time. The steady number is the proxy process's CPU time per request.

mod case;
mod figure;
mod load;
mod machine;
mod peer;
mod report;
mod startup;

use std::{fs, thread};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt, demo,
    guests::{self, Way},
};
use case::{CASES, Case};
use figure::Figure;
use load::Sample;

/// What the bench leaves behind while it runs.
const FOLDER: &str = "target/bench";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fewer and shorter rounds: under three minutes
    #[arg(long)]
    quick: bool,
    /// Exits 1 when a figure misses its target
    #[arg(long)]
    assert: bool,
}

/// How long it takes.
struct Plan {
    rounds: usize,
    seconds: u32,
    starts: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let plan = match options.quick {
        true => Plan { rounds: 7, seconds: 2, starts: 5 },
        false => Plan { rounds: 15, seconds: 4, starts: 11 },
    };
    if thread::available_parallelism()?.get() < 2 {
        bail!("the bench needs two cores: one for the proxy, one for the load and the upstream");
    }
    prepare()?;
    let rounds = measure(&plan)?;
    let start = startup::measure(plan.starts)?;
    let figures = figure::figures(&rounds, &start);
    let text = report::write(&plan, &rounds, &start, &figures)?;
    println!("\n{text}");
    if options.assert { assert(&figures) } else { Ok(()) }
}

/// Builds what is measured and installs what measures.
fn prepare() -> Result<()> {
    guests::build(Way::Auto)?;
    demo::build(&["gatehouse", "bare-proxy"])?;
    if load::wrk().is_none() {
        apt::install(&["wrk"], "the bench's load")?;
    }
    peer::install();
    fs::create_dir_all(FOLDER)?;
    Ok(())
}

/// All samples: a vector per round, in the order of [`CASES`].
fn measure(plan: &Plan) -> Result<Vec<Vec<Sample>>> {
    let _upstream = peer::upstream()?;
    let peers = peer::start_all()?;
    println!("\n{} cases, {} rounds of {} s each", CASES.len(), plan.rounds, plan.seconds);
    let sample = |case: &Case, seconds| {
        let peer = peers.iter().find(|peer| peer.name == case.peer).context("a case names its peer")?;
        load::sample(case, peer, seconds).with_context(|| format!("measuring {}", case.name))
    };
    for case in &CASES {
        sample(case, 1)?;
    }
    let mut rounds = Vec::new();
    for round in 0..plan.rounds {
        let mut samples = vec![Sample::default(); CASES.len()];
        for position in 0..CASES.len() {
            let index = (position + round) % CASES.len();
            samples[index] = sample(&CASES[index], plan.seconds)?;
        }
        let line = CASES.iter().zip(&samples).map(|(case, sample)| format!("{} {:.1}", case.name, sample.cpu));
        println!("round {}: CPU us per request: {}", round + 1, line.collect::<Vec<_>>().join(", "));
        rounds.push(samples);
    }
    Ok(rounds)
}

/// Fails when a figure misses its target.
fn assert(figures: &[Figure]) -> Result<()> {
    for figure in figures {
        println!("{figure}");
    }
    match figures.iter().filter(|figure| !figure.met()).count() {
        0 => Ok(()),
        missed => bail!("{missed} of {} figures miss their target", figures.len()),
    }
}
