//! The corpus of hostile components, over and over, beside good requests: the process lives, the good are served in time,
//! and what was taken comes back.

use std::{collections::BTreeMap, sync::Mutex, thread, time::Duration};

use anyhow::{Result, bail};
use gatehouse_corpus::{FREE_ROUTE, Guest, Outcome, SERVED};

use super::{
    connection::{Answer, Lost},
    gateway::{Folder, Gateway, Has},
    judge,
    load::{Load, Traffic, get},
    lock, upstream,
};
use crate::{
    figure::{Bound, Figure},
    guests::FOLDER,
};

/// Good requests a second. Hostile ones are a fifth of the traffic, if nothing else is said.
const GOOD: f64 = 400.0;

/// Connections of either. So many more to the upstream may be kept for a while after the hostile ones have ended.
const CONNECTIONS: usize = 8;

/// What may be resident at the end more than half way, in MB: the pool keeps up to 100 slots of ended instances warm, with
/// 2 MiB each, and it takes some ten thousand calls until they all are.
const GROWTH: f64 = 40.0;

/// Good requests alone, before the corpus.
const ALONE: Duration = Duration::from_secs(5);

/// From when the components are known, the corpus goes on and rests in turns of this length, and the good requests of either are
/// compared: a shared machine changes its speed by a quarter for minutes at a time.
const TURN: Duration = Duration::from_secs(1);

/// How many such pairs; then it goes on without a rest.
const PAIRS: usize = 60;

/// What the corpus has begun may take so long after it rests.
const SETTLED: Duration = Duration::from_millis(200);

/// Hostile calls until each component was called some ten times: by then the gateway knows what to think of most.
const UNKNOWN: u64 = 1000;

/// The phases of the good requests: alone, beside components that are not known yet, beside known ones, and what is none of these.
mod phase {
    pub(super) const ALONE: usize = 0;
    pub(super) const UNKNOWN: usize = 1;
    pub(super) const KNOWN: usize = 2;
    pub(super) const AFTER: usize = 3;
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often a hostile component is called
    #[arg(long, default_value_t = 20_000, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) calls: u64,
    /// How many such calls a second
    #[arg(long, default_value_t = 100, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// Print the times without a target, where other work disturbs them
    #[arg(long)]
    pub(crate) untimed: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = Folder::new("corpus")?;
    let upstream = upstream::start(|received| upstream::Reply {
        body: gatehouse_corpus::upstream_body(received.target),
        ..Default::default()
    })?;
    let guests: Vec<Guest> = Guest::ALL.iter().copied().filter(|guest| guest.is_loaded()).collect();
    let mut text = format!("[upstreams.up]\nurl = \"http://{upstream}\"\n{FREE_ROUTE}");
    for guest in &guests {
        let component = std::env::current_dir()?.join(FOLDER).join(format!("corpus/{}.wasm", guest.name()));
        text += &guest.configuration(&component.display().to_string());
    }
    folder.configure("workers = 2", &text)?;
    let mut gateway = folder.start(|_| {})?;
    gateway.serving()?;
    let hostile = Hostile { guests, seen: Mutex::default() };
    let good = Load::default();
    let Footprint { before, half, after } = thread::scope(|scope| {
        let (address, load) = (gateway.address, &good);
        scope.spawn(move || load.run(address, CONNECTIONS, Some(GOOD), &Good));
        let measured = measured(&gateway, &good, &hostile, options);
        good.stop();
        measured
    })?;
    let ended = gateway.has_ended()?;
    let panics = gateway.complaints().iter().filter(|line| line.text().contains("panicked")).count();
    if let Some(status) = ended {
        bail!("the gateway has ended: {status}");
    }
    let (status, _) = gateway.stop(Duration::from_secs(30))?;
    let unexpected = hostile.report();
    good.failures().iter().for_each(|failure| println!("  {failure}"));
    let [mut alone, mut beside, mut known] =
        [phase::ALONE, phase::UNKNOWN, phase::KNOWN].map(|phase| good.latencies(phase));
    println!("good requests alone: {}", alone.describe());
    println!("beside the corpus, its first {UNKNOWN} calls: {}", beside.describe());
    println!("beside the corpus, from then on: {}", known.describe());
    beside.join(known);
    let time = if options.untimed { Bound::None } else { Bound::AtMost(1.5) };
    println!("before: {before}\nhalf way: {half}\nafter: {after}");
    judge(&[
        Figure::none("answers to hostile requests that are not expected", unexpected as f64),
        Figure::none("good requests that failed", good.failed() as f64),
        Figure::new("p99 beside the corpus, to alone", beside.quantile(0.99) / alone.quantile(0.99), "x", time),
        Figure::none("panics", panics as f64),
        Figure::none("exit status", f64::from(status.code().unwrap_or(-1).abs())),
        Figure::new(
            "resident memory, from half way to the end",
            after.memory - half.memory,
            "MB",
            Bound::AtMost(GROWTH),
        ),
        Figure::new(
            "descriptors more than before",
            after.descriptors as f64 - before.descriptors as f64,
            "",
            Bound::AtMost(CONNECTIONS as f64),
        ),
        Figure::new("threads more than before", after.threads as f64 - before.threads as f64, "", Bound::AtMost(2.0)),
    ])?;
    folder.remove()
}

/// Memory, descriptors and threads in the course of a run.
struct Footprint {
    before: Has,
    half: Has,
    after: Has,
}

/// Loads alone and then beside the corpus.
fn measured(gateway: &Gateway, good: &Load, hostile: &Hostile, options: &Options) -> Result<Footprint> {
    thread::sleep(ALONE);
    let before = gateway.has()?;
    good.enter(phase::UNKNOWN);
    let load = Load::default();
    let half = thread::scope(|scope| {
        let (address, rate) = (gateway.address, f64::from(options.rate));
        let load = &load;
        scope.spawn(move || load.run(address, CONNECTIONS, Some(rate), hostile));
        load.wait_for(UNKNOWN.min(options.calls / 2));
        pairs(good, load, options.calls / 2);
        load.wait_for(options.calls / 2);
        let half = gateway.has();
        load.wait_for(options.calls);
        load.stop();
        half
    })?;
    good.enter(phase::AFTER);
    // Connections that were broken off are seen as such.
    thread::sleep(Duration::from_secs(2));
    Ok(Footprint { before, half, after: gateway.has()? })
}

/// Lets the corpus go on and rest in turns, until it has made so many calls.
fn pairs(good: &Load, corpus: &Load, calls: u64) {
    for _ in 0..PAIRS {
        if corpus.made() >= calls {
            break;
        }
        good.enter(phase::KNOWN);
        thread::sleep(TURN);
        corpus.pause(true);
        good.enter(phase::AFTER);
        thread::sleep(SETTLED);
        good.enter(phase::ALONE);
        thread::sleep(TURN);
        good.enter(phase::AFTER);
        corpus.pause(false);
    }
    good.enter(phase::KNOWN);
}

/// Requests to a route without a plugin.
struct Good;

impl Traffic for Good {
    fn request(&self, _: u64) -> Vec<Vec<u8>> {
        vec![get("/free")]
    }

    fn answered(&self, _: u64, answer: &Answer) -> Result<(), String> {
        match answer.status == 200 && answer.body == SERVED.as_bytes() {
            true => Ok(()),
            false => Err(format!("{answer:?}")),
        }
    }
}

/// How often a guest was answered in a way, and whether that was expected.
type Seen = BTreeMap<(&'static str, String), (u64, bool)>;

/// Requests to the guests, one after the other.
struct Hostile {
    guests: Vec<Guest>,
    seen: Mutex<Seen>,
}

impl Hostile {
    fn guest(&self, number: u64) -> Guest {
        self.guests[number as usize % self.guests.len()]
    }

    fn note(&self, guest: Guest, answer: String, expected: bool) {
        let mut seen = lock(&self.seen);
        seen.entry((guest.name(), answer)).or_insert((0, expected)).0 += 1;
    }

    /// Prints what was seen; how many answers were not expected.
    fn report(&self) -> u64 {
        let seen = lock(&self.seen);
        for ((guest, answer), (count, expected)) in seen.iter() {
            println!("  {guest:<32}{count:>8}  {answer}{}", if *expected { "" } else { "  UNEXPECTED" });
        }
        seen.values().filter(|(_, expected)| !expected).map(|(count, _)| count).sum()
    }
}

impl Traffic for Hostile {
    fn request(&self, number: u64) -> Vec<Vec<u8>> {
        vec![get(&format!("/{}", self.guest(number).name()))]
    }

    fn answered(&self, number: u64, answer: &Answer) -> Result<(), String> {
        let guest = self.guest(number);
        let code = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
        let code = code.as_ref().and_then(|body| body["code"].as_str()).unwrap_or_default();
        let expected = guest.expectation().outcome.is_met_by(answer.status, &answer.body, code);
        // After ten crashes in a row a plugin rests; with many at once, one may find no instance.
        let rests = answer.status == 503 && matches!(code, "plugin_resting" | "plugin_busy");
        self.note(guest, format!("{} {code}", answer.status), expected || rests);
        Ok(())
    }

    fn lost(&self, number: u64, _: bool, lost: &Lost) -> Option<String> {
        let guest = self.guest(number);
        // What was to go first may not have left yet when it breaks.
        let lost_by_it = matches!(lost, Lost::Broken(_) | Lost::Unanswered(_));
        let breaks = guest.expectation().outcome == Outcome::Breaks && lost_by_it;
        self.note(guest, lost.to_string(), breaks);
        None
    }
}
