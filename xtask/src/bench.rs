//! `cargo xtask bench`: what the gateway costs per request, beside its peers.
//!
//! The proxy alone is on core 0 with one worker; the load and the upstream are on core 1. Every round measures each case
//! of a group once, in an order that rotates, and figures compare cases of the same round only: a shared machine changes
//! its speed by a quarter for minutes at a time. The steady number is the proxy process's CPU time per request.

mod case;
mod configuration;
mod figure;
mod further;
mod load;
mod machine;
mod peer;
mod report;
mod round;
mod token;
mod training;

use std::{fs, thread, time::Duration};

use anyhow::{Result, bail};

use crate::{
    demo,
    guests::{self, Way},
    release, usage,
};
use case::{Case, Cores, GROUPS, Group};
use figure::Figure;
use further::{MEASURES, Measure};
use peer::Upstream;
pub(crate) use training::{prepare as prepare_training, train};

/// What the bench leaves behind while it runs.
const FOLDER: &str = "target/bench";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fewer and shorter rounds: under five minutes
    #[arg(long)]
    quick: bool,
    /// Exits 1 when a figure misses its target
    #[arg(long)]
    assert: bool,
    /// Measures the gateway that `cargo xtask release` has built, by profile-guided optimization
    #[arg(long)]
    guided: bool,
    /// Measures only this case or group; can be repeated. Then no results are written
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Measures only this peer, and what its cases are compared with; can be repeated. Then no results are written
    #[arg(long = "peer", value_name = "NAME")]
    peers: Vec<String>,
}

impl Options {
    /// Whether a measure that is not of cases is wanted.
    fn measures(&self, measure: &Measure) -> bool {
        !self.partial() || self.cases.iter().any(|name| name == measure.name)
    }

    /// Whether only a part is wanted.
    fn partial(&self) -> bool {
        !self.cases.is_empty() || !self.peers.is_empty()
    }

    /// The cases that are wanted of a group, with the one that the others are compared with.
    fn wanted(&self, group: &'static Group) -> Vec<&'static Case> {
        let chosen = |list: &[String], names: [&str; 2]| {
            list.is_empty() || list.iter().any(|wanted| names.contains(&wanted.as_str()))
        };
        let wanted =
            |case: &Case| chosen(&self.cases, [case.name, group.name]) && chosen(&self.peers, [case.peer, case.peer]);
        match group.cases.iter().any(wanted) {
            true => group
                .cases
                .iter()
                .enumerate()
                .filter(|(index, case)| *index == 0 || wanted(case))
                .map(|(_, c)| c)
                .collect(),
            false => Vec::new(),
        }
    }
}

/// How long it takes.
struct Plan {
    /// Of a group that a target depends on.
    rounds: usize,
    /// Of load, for one case in one round.
    time: Duration,
    /// Whether each round has the proxies started anew.
    restart: bool,
    /// Of a gateway.
    starts: usize,
    /// With and without swaps of a plugin, and how long each is.
    windows: usize,
    window: Duration,
}

impl Plan {
    const FULL: Self = Self {
        rounds: 13,
        time: Duration::from_secs(2),
        restart: true,
        starts: 11,
        windows: 7,
        window: Duration::from_secs(4),
    };

    const QUICK: Self = Self {
        rounds: 5,
        time: Duration::from_secs(1),
        restart: false,
        starts: 5,
        windows: 3,
        window: Duration::from_secs(2),
    };
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let plan = if options.quick { Plan::QUICK } else { Plan::FULL };
    if thread::available_parallelism()?.get() < 2 {
        bail!("the bench needs two cores: one for the proxy, one for the load and the upstream");
    }
    let groups: Vec<_> =
        GROUPS.iter().map(|group| (group, options.wanted(group))).filter(|(_, c)| !c.is_empty()).collect();
    usage::allow_many_files();
    prepare(options.guided)?;
    let mut peers = round::start(&groups);
    let measured = groups.into_iter().map(|(group, cases)| round::measure(&plan, group, cases, &mut peers));
    let measured = measured.collect::<Result<Vec<_>>>()?;
    drop(peers);
    let _upstream = Upstream::start(Cores::Apart)?;
    let mut figures = figure::figures(&measured, !options.partial());
    for measure in MEASURES.iter().filter(|measure| options.measures(measure)) {
        figures.extend(measure.run(&plan)?);
    }
    println!("\n{}", report::finish(&plan, &measured, &figures, !options.partial())?);
    for figure in &figures {
        println!("{figure}");
    }
    if options.assert { assert(&figures) } else { Ok(()) }
}

/// Builds what is measured and installs what measures.
fn prepare(guided: bool) -> Result<()> {
    guests::build(Way::Auto)?;
    demo::build(&["bare-proxy"])?;
    match guided {
        true => peer::measure_gateway(&release::gateway())?,
        false => demo::build(&["gatehouse"])?,
    }
    prepare_load()
}

/// Builds and installs what makes load.
fn prepare_load() -> Result<()> {
    demo::build(&["polling"])?;
    load::install()?;
    fs::create_dir_all(FOLDER)?;
    Ok(())
}

/// Fails when a figure misses its target.
fn assert(figures: &[Figure]) -> Result<()> {
    match figures.iter().filter(|figure| !figure.met()).count() {
        0 => Ok(()),
        missed => bail!("{missed} of {} figures miss their target", figures.len()),
    }
}
