//! Hot load at length: the configuration and the component that its plugins run are replaced in turn under load. No request
//! fails; each is served by one generation, which its answer and its access line agree on; and what was replaced is gone.

mod mark;
mod swapping;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::Value;

use super::{
    gateway::{Folder, Gateway, Has},
    judge,
    ledger::{self, Ledger, Outcome},
    load::Load,
    lock, upstream,
};
use crate::figure::{Bound, Figure};
use mark::{Mark, Marked};
use swapping::{PHASES, Swapping};

/// Of the load.
const CONNECTIONS: usize = 8;

/// How much of the capacity is asked for.
const PART: f64 = 0.7;

/// How long the capacity is measured.
const MEASURE: Duration = Duration::from_secs(4);

/// What swaps may add to the p99, in milliseconds.
const ADDED: f64 = 5.0;

/// What may be resident at the end more than half way, in MB.
const GROWTH: f64 = 8.0;

/// Threads that begin when a plugin is first seen to run long, which a busy machine may make of any start.
const BESIDE: f64 = 1.0;

/// From the signal to the gateway's end.
const STOP: Duration = Duration::from_secs(11);

/// How long the last access lines may take.
const SETTLE: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often the configuration or the component is replaced
    #[arg(long, default_value_t = 200, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(2..))]
    pub(crate) swaps: u64,
    /// Whether latencies are only printed: where tests run, others may be at work too.
    #[arg(skip)]
    pub(crate) untimed: bool,
}

/// What the gateway's access line tells.
struct Written {
    generation: u64,
    version: Option<u8>,
    /// What this generation says of itself.
    mark: Option<Mark>,
}

/// What each generation says of itself.
type Marks = Arc<Mutex<HashMap<u64, Mark>>>;

fn agree(seen: &Mark, written: &Written) -> Result<(), String> {
    let Written { generation, version, mark } = written;
    match *mark == Some(*seen) && *version == Some(seen.component) {
        true => Ok(()),
        false => {
            Err(format!("answered by {seen:?}, logged for generation {generation}, version {version:?}: {mark:?}"))
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = Folder::new("reload")?;
    let upstream = upstream::start(mark::reply)?;
    let marks = Marks::default();
    let book = Arc::new(Ledger::new(agree));
    let mut swapping = Swapping::new(&folder, upstream, marks.clone())?;
    let mut gateway = start(&folder, marks, book.clone())?;
    let address = gateway.address;
    swapping.warm_up(&mut gateway)?;

    let traffic = Marked(|number, mark| book.client(number, mark));
    let (capacity, full) = Load::capacity(address, CONNECTIONS, MEASURE, &traffic);
    let (load, rate) = (Load::after(&full), capacity * PART);
    println!("capacity {capacity:.0} requests a second; asking for {rate:.0} over {CONNECTIONS} connections");

    let before = gateway.has()?;
    let started = Instant::now();
    let swapped = thread::scope(|scope| {
        scope.spawn(|| load.run(address, CONNECTIONS, Some(rate), &traffic));
        let swapped = swapping.swap(options.swaps, &mut gateway, &load);
        load.stop();
        swapped
    });
    let [half, end] = swapped?;
    settle(&book);
    let (swaps, took, made) = (options.swaps, started.elapsed(), load.made() - full.made());
    println!("{swaps} swaps in {:.1} s, {made} requests meanwhile", took.as_secs_f64());
    let after = gateway.has()?;
    let process =
        [("before", before), ("half way, under load", half), ("at the end, under load", end), ("after", after)];
    process.iter().for_each(|(when, has)| println!("{when}: {has}"));

    let failures = [full.failures(), load.failures(), book.outcome().told].concat();
    failures.iter().for_each(|failure| println!("  {failure}"));
    let figures = figures(options, &mut gateway, [&full, &load], &book.outcome(), process.map(|(_, has)| has))?;
    judge(&figures)?;
    let (status, _) = gateway.stop(STOP)?;
    if !status.success() {
        bail!("the gateway ended with {status}");
    }
    folder.remove()
}

fn start(folder: &Folder, marks: Marks, book: Arc<Ledger<Mark, Written>>) -> Result<Gateway> {
    let mut gateway = folder.start(move |access| {
        if let Some(number) = ledger::number(access) {
            book.gateway(number, written(access, &marks));
        }
    })?;
    gateway.serving()?;
    Ok(gateway)
}

fn figures(
    options: &Options,
    gateway: &mut Gateway,
    loads: [&Load; 2],
    outcome: &Outcome,
    [before, half, end, after]: [Has; 4],
) -> Result<Vec<Figure>> {
    let complaints = gateway.complaints();
    complaints.iter().for_each(|line| println!("  {}", line.text()));
    let complaints = complaints.len() as u64;
    let mut latencies = PHASES.map(|phase| loads[1].latencies(phase));
    for (name, latencies) in ["swapping", "quiet"].iter().zip(&mut latencies) {
        println!("{name}: {}", latencies.describe());
    }
    let [swapping, quiet] = latencies.map(|mut latencies| latencies.quantile(0.99));
    let added = if options.untimed { Bound::None } else { Bound::AtMost(ADDED) };
    let none = |name, count: u64| Figure::none(name, count as f64);
    let most = |name, value, most: usize| Figure::new(name, value, "", Bound::AtMost(most as f64));
    let alive = |name: &'static str, at_most| Ok::<_, anyhow::Error>(most(name, gateway.metric(name)?, at_most));
    Ok(vec![
        Figure::new("requests whose answer and access line agree", outcome.agreed as f64, "", Bound::AtLeast(1.0)),
        none("failed or mixed requests", loads.iter().map(|load| load.failed()).sum()),
        none("requests whose access line tells of another generation", outcome.disagreed),
        none("answers without an access line", outcome.unlogged),
        none("access lines without an answer", outcome.unanswered),
        none("complaints in the log", complaints),
        Figure::new("swaps add to the p99", swapping - quiet, "ms", added),
        Figure::new("resident memory, from half way to the end", end.memory - half.memory, "MB", Bound::AtMost(GROWTH)),
        most("descriptors more than before", after.descriptors as f64 - before.descriptors as f64, CONNECTIONS),
        Figure::new(
            "threads more than before",
            after.threads as f64 - before.threads as f64,
            "",
            Bound::AtMost(BESIDE),
        ),
        alive("gatehouse_snapshots_alive", 1)?,
        alive("gatehouse_plugins_alive", 2)?,
        alive("gatehouse_plugin_instances_alive", 2 * CONNECTIONS)?,
    ])
}

fn written(access: &Value, marks: &Mutex<HashMap<u64, Mark>>) -> Written {
    let generation = access["generation"].as_u64().unwrap_or_default();
    let mark = lock(marks).get(&generation).copied();
    Written { generation, version: mark::logged_version(access), mark }
}

/// Waits for the access lines of the last requests.
fn settle(book: &Ledger<Mark, Written>) {
    let end = Instant::now() + SETTLE;
    while Instant::now() < end && book.outcome().unlogged > 0 {
        thread::sleep(Duration::from_millis(10));
    }
}
