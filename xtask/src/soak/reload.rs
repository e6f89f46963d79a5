//! Hot load at length: the configuration and the component that its plugins run are replaced in turn under load. No request
//! fails; each is served by one generation, which its answer and its access line agree on; and what was replaced is gone.

mod mark;
mod swapping;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::Value;

use super::{
    gateway::{Folder, Gateway},
    judge,
    ledger::{self, Ledger},
    load::Load,
    upstream,
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

/// From the signal to the gateway's end.
const STOP: Duration = Duration::from_secs(11);

/// How long the last access lines may take.
const SETTLE: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often the configuration or the component is replaced
    #[arg(long, default_value_t = 200, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(2..))]
    pub(crate) swaps: u64,
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
        false => Err(format!("answered by {seen:?}, logged for generation {generation}, version {version:?}: {mark:?}")),
    }
}

/// What a gateway's process has.
#[derive(Debug, Clone, Copy)]
struct Has {
    memory: f64,
    descriptors: usize,
    threads: usize,
}

impl Has {
    fn now(gateway: &Gateway) -> Result<Self> {
        Ok(Self { memory: gateway.memory()?, descriptors: gateway.descriptors()?, threads: gateway.threads()? })
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = Folder::new("reload")?;
    let upstream =
        upstream::start(|received| upstream::Reply { body: mark::seen(received).into(), ..Default::default() })?;
    let marks = Marks::default();
    let book = Arc::new(Ledger::new(agree));
    let mut swapping = Swapping::new(&folder, upstream, marks.clone())?;
    let mut gateway = {
        let book = book.clone();
        folder.start(move |access| {
            if let Some(number) = ledger::number(access) {
                book.gateway(number, written(access, &marks));
            }
        })?
    };
    gateway.serving()?;
    swapping.warm_up(&mut gateway)?;
    let address = gateway.address;
    let traffic = Marked(|number, mark| book.client(number, mark));
    let (capacity, full) = Load::capacity(address, CONNECTIONS, MEASURE, &traffic);
    let load = Load::after(&full);
    let rate = capacity * PART;
    println!("capacity {capacity:.0} requests a second; asking for {rate:.0} over {CONNECTIONS} connections");

    let before = Has::now(&gateway)?;
    let started = Instant::now();
    let half = thread::scope(|scope| {
        scope.spawn(|| load.run(address, CONNECTIONS, Some(rate), &traffic));
        let swapped = swapping.swap(options.swaps, &mut gateway, &load);
        load.stop();
        swapped
    })?;
    let took = started.elapsed();
    settle(&book);
    let after = Has::now(&gateway)?;
    println!("{} swaps in {:.1} s, {} requests meanwhile", options.swaps, took.as_secs_f64(), load.made() - full.made());
    println!("before {before:?}\nhalf way {half:?}\nafter {after:?}");

    let outcome = book.outcome();
    let told = full.failures().into_iter().chain(load.failures()).chain(outcome.told.clone());
    told.for_each(|failure| println!("  {failure}"));
    let complaints = gateway.complaints();
    complaints.iter().for_each(|line| println!("  {}", line.text()));
    let complaints = complaints.len() as u64;
    let mut latencies = PHASES.map(|phase| load.latencies(phase));
    for (name, latencies) in ["swapping", "quiet"].iter().zip(&mut latencies) {
        println!("{name}: {}", latencies.describe());
    }
    let [swapping, quiet] = latencies.map(|mut latencies| latencies.quantile(0.99));
    let figure = |name, value: f64, unit, bound| Figure { name, value, unit, bound };
    let none = |name, count: u64| figure(name, count as f64, "", Bound::AtMost(0.0));
    let alive = |name: &'static str, most| Ok::<_, anyhow::Error>(figure(name, gateway.metric(name)?, "", Bound::AtMost(most)));
    let most_instances = 2.0 * CONNECTIONS as f64;
    let figures = [
        figure("requests whose answer and access line agree", outcome.agreed as f64, "", Bound::AtLeast(1.0)),
        none("failed or mixed requests", full.failed() + load.failed()),
        none("requests whose access line tells of another generation", outcome.disagreed),
        none("answers without an access line", outcome.unlogged),
        none("access lines without an answer", outcome.unanswered),
        none("complaints in the log", complaints),
        figure("swaps add to the p99", swapping - quiet, "ms", Bound::AtMost(ADDED)),
        figure("resident memory since half way", after.memory - half.memory, "MB", Bound::AtMost(GROWTH)),
        none("descriptors since half way", after.descriptors.saturating_sub(half.descriptors) as u64),
        none("threads since half way", after.threads.saturating_sub(half.threads) as u64),
        alive("gatehouse_snapshots_alive", 1.0)?,
        alive("gatehouse_plugins_alive", 2.0)?,
        alive("gatehouse_plugin_instances_alive", most_instances)?,
    ];
    judge(&figures)?;
    let (status, _) = gateway.stop(STOP)?;
    if !status.success() {
        bail!("the gateway ended with {status}");
    }
    folder.remove()
}

fn written(access: &Value, marks: &Mutex<HashMap<u64, Mark>>) -> Written {
    let generation = access["generation"].as_u64().unwrap_or_default();
    let mark = marks.lock().unwrap_or_else(PoisonError::into_inner).get(&generation).copied();
    Written { generation, version: mark::logged_version(access), mark }
}

/// Waits for the access lines of the last requests.
fn settle(book: &Ledger<Mark, Written>) {
    let end = Instant::now() + SETTLE;
    while Instant::now() < end && book.outcome().unlogged > 0 {
        thread::sleep(Duration::from_millis(10));
    }
}
