//! SIGKILL at any moment: while it starts, serves, compiles, writes its code cache, loads a configuration. Each start after
//! that is clean, serves what the files say, and is quick when the code of its twenty plugins is kept; what a crash left in
//! the code cache, or a disk has spoiled there, is compiled anew and taken away.

mod cache;
mod plugins;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use super::{
    chance::Chance,
    connection::{Answer, Lost},
    gateway::{Folder, Gateway, Line},
    judge,
    latency::Latencies,
    load::{Load, Traffic, get},
    upstream,
};
use crate::{
    client::{self, Request},
    demo,
    figure::{Bound, Figure},
};
use plugins::Plugins;

/// From the start to the first answer, when nothing must be compiled.
const QUICK: f64 = 500.0;

/// The longest wait for a first answer: twenty plugins may have to be compiled.
const START: Duration = Duration::from_secs(120);

/// From SIGKILL to the end of the process.
const END: Duration = Duration::from_secs(10);

/// So long may a compiler outlive its gateway.
const COMPILER: Duration = Duration::from_secs(3);

/// What it says of code that was spoiled.
const MENDS: &str = "is not as it was kept";

/// In one start of so many the kill comes before it serves; in one of so many the cache was spoiled.
const EARLY: u64 = 5;
const SPOILED: u64 = 6;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often the gateway is killed
    #[arg(long, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) times: u64,
    /// Of the moments and of what is spoiled; default: others each time
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// What came of all starts.
#[derive(Default)]
struct Sum {
    /// To the first answer: with all code kept; with what was changed before the kill to compile; with spoiled code too.
    warm: Latencies,
    compiling: Latencies,
    mending: Latencies,
    early: u64,
    compiling_at_kill: u64,
    /// Code was spoiled that no start has looked at yet.
    spoiled: bool,
    served: usize,
    failures: Vec<String>,
    complaints: Vec<String>,
    most_halves: usize,
    compilers: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = Folder::new("kill")?;
    let upstream = upstream::start(|_| upstream::Reply { body: b"up".into(), ..Default::default() })?;
    let mut plugins = Plugins::new(&folder, upstream.to_string())?;
    let chance = Chance::new(options.seed);
    let mut sum = Sum::default();
    // Compiles all of them.
    let (gateway, cold) = first_answer(&folder, &plugins)?;
    println!("{} plugins compiled and served after {:.1} s", cache::kept(&folder.code_cache())?, cold.as_secs_f64());
    end(gateway, Signal::SIGTERM, &[], &mut sum)?;
    for time in 1..=options.times {
        once(&folder, &mut plugins, &chance, &mut sum).with_context(|| format!("kill {time}"))?;
    }
    let left = clean_up(&folder, &mut plugins, &mut sum)?;
    report(options, sum, left, &folder)?;
    folder.remove()
}

/// A life of the gateway, and its end.
fn once(folder: &Folder, plugins: &mut Plugins<'_>, chance: &Chance, sum: &mut Sum) -> Result<()> {
    if chance.once_in(SPOILED) {
        cache::spoil(&folder.code_cache(), chance)?;
        sum.spoiled = true;
    }
    let expected: &[&str] = if sum.spoiled { &[MENDS] } else { &[] };
    if chance.once_in(EARLY) {
        let gateway = folder.start(|_| {})?;
        thread::sleep(chance.time(0..150));
        sum.early += 1;
        return end(gateway, Signal::SIGKILL, expected, sum);
    }
    let (mut gateway, time) = first_answer(folder, plugins)?;
    let compiled = gateway.serving()?.iter().filter(|line| line.text().contains("\"compiled in ")).count();
    match (compiled, sum.spoiled) {
        (0, _) => sum.warm.add(time),
        (_, false) => sum.compiling.add(time),
        (_, true) => sum.mending.add(time),
    }
    // All that is used was looked at, and mended.
    sum.spoiled = false;
    let load = Load::default();
    let address = gateway.address;
    thread::scope(|scope| {
        scope.spawn(|| load.run(address, 2, Some(400.0), &UntilKilled));
        let changed = change(plugins, chance).and_then(|()| moment(folder, chance, sum));
        let ended = changed.and_then(|()| end(gateway, Signal::SIGKILL, expected, sum));
        load.stop();
        ended
    })?;
    sum.served += load.latencies(0).count();
    sum.failures.extend(load.failures());
    sum.most_halves = sum.most_halves.max(cache::halves(&folder.code_cache())?);
    sum.compilers += compilers_left()?;
    Ok(())
}

/// Waits for the moment of the kill: any; or while a compiler runs, or while its code is written, if that comes.
fn moment(folder: &Folder, chance: &Chance, sum: &mut Sum) -> Result<()> {
    let end = Instant::now() + chance.time(50..450);
    match chance.below(4) {
        0 => {
            while Instant::now() < end && compilers()? == 0 {}
            thread::sleep(chance.time(0..50));
        }
        1 | 2 => while Instant::now() < end && cache::halves(&folder.code_cache())? == 0 {},
        _ => thread::sleep(end.saturating_duration_since(Instant::now())),
    }
    sum.compiling_at_kill += u64::from(compilers()? > 0);
    Ok(())
}

/// Gives the gateway something to do that a kill may come into.
fn change(plugins: &mut Plugins<'_>, chance: &Chance) -> Result<()> {
    match chance.below(4) {
        0 => Ok(()),
        1 => plugins.change_configuration(),
        2 => plugins.change_component(chance.below(2)),
        _ => plugins.change_component(0).and_then(|()| plugins.change_configuration()),
    }
}

/// Starts the gateway and waits for an answer, which must be of the configuration that is there.
fn first_answer(folder: &Folder, plugins: &Plugins<'_>) -> Result<(Gateway, Duration)> {
    let mut gateway = folder.start(|_| {})?;
    let request = Request::get(gateway.address, "/first");
    while gateway.started.elapsed() < START {
        if let Ok(answer) = client::send(&request) {
            let time = gateway.started.elapsed();
            let configuration =
                answer.headers.iter().find(|(name, _)| name == "x-configuration").map(|(_, value)| value);
            if answer.status != 200 || configuration != Some(&plugins.configuration.to_string()) {
                bail!("configuration {} is there, answered is {answer:?}", plugins.configuration);
            }
            return Ok((gateway, time));
        }
        if let Some(status) = gateway.has_ended()? {
            let said: Vec<_> = gateway.said().iter().map(|line| line.text().to_owned()).collect();
            bail!("it does not start ({status}):\n{}", said.join("\n"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    bail!("no answer in {} s", START.as_secs())
}

/// Ends a gateway. Complaints other than the expected ones are noted.
fn end(gateway: Gateway, signal: Signal, expected: &[&str], sum: &mut Sum) -> Result<()> {
    gateway.signal(signal)?;
    let (_, complaints) = gateway.end(END)?;
    let unexpected = |line: &&Line| !expected.iter().any(|text| line.text().contains(text));
    sum.complaints.extend(complaints.iter().filter(unexpected).map(|line| line.text().to_owned()));
    Ok(())
}

/// One more life, to its proper end, in which something is compiled; how many half files it leaves.
fn clean_up(folder: &Folder, plugins: &mut Plugins<'_>, sum: &mut Sum) -> Result<usize> {
    let (mut gateway, _) = first_answer(folder, plugins)?;
    gateway.serving()?;
    plugins.change_component(0)?;
    gateway.loaded()?;
    end(gateway, Signal::SIGTERM, &[MENDS], sum)?;
    cache::halves(&folder.code_cache())
}

/// Compilers that run: processes of this very program.
fn compilers() -> Result<usize> {
    let program = demo::gateway().canonicalize()?;
    let is_one = |process: &fs::DirEntry| {
        let file = |name| process.path().join(name);
        fs::read_link(file("exe")).is_ok_and(|exe| exe == program)
            && fs::read(file("cmdline")).is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == b"compile"))
    };
    Ok(fs::read_dir("/proc")?.filter_map(Result::ok).filter(is_one).count())
}

/// Compilers that are left without a gateway, which must not last.
fn compilers_left() -> Result<u64> {
    let end = Instant::now() + COMPILER;
    loop {
        let left = compilers()?;
        if left == 0 || Instant::now() > end {
            return Ok(left as u64);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn report(options: &Options, sum: Sum, left: usize, folder: &Folder) -> Result<()> {
    let Sum { mut warm, mut compiling, mut mending, failures, complaints, compilers, .. } = sum;
    failures.iter().chain(&complaints).for_each(|line| println!("  {line}"));
    println!(
        "{} kills, {} of them before it served, {} while a component was compiled; {} requests answered meanwhile",
        options.times, sum.early, sum.compiling_at_kill, sum.served
    );
    println!("start to first answer, all code kept: {}", warm.describe());
    println!("start to first answer, one or two of twenty compiled: {}", compiling.describe());
    println!("start to first answer, spoiled code compiled anew: {}", mending.describe());
    println!(
        "half files in the code cache at the most: {}; code files: {}",
        sum.most_halves,
        cache::kept(&folder.code_cache())?
    );
    let mut figures = vec![
        Figure::none("answers that are not good", failures.len() as f64),
        Figure::none("complaints in the log", complaints.len() as f64),
        Figure::none("half files left in the code cache", left as f64),
        Figure::none("compilers that outlive their gateway", compilers as f64),
    ];
    if warm.count() > 0 {
        figures.push(Figure::new("median start, all code kept", warm.quantile(0.5), "ms", Bound::AtMost(QUICK)));
        figures.push(Figure::new("longest start, all code kept", warm.quantile(1.0), "ms", Bound::AtMost(QUICK)));
    }
    judge(&figures)
}

/// Requests whose answers must be good for as long as there are answers.
struct UntilKilled;

impl Traffic for UntilKilled {
    fn request(&self, number: u64) -> Vec<Vec<u8>> {
        vec![get(&format!("/kill/{number}"))]
    }

    fn answered(&self, _: u64, answer: &Answer) -> Result<(), String> {
        match answer.status == 200 && answer.body == b"up" && answer.header("x-configuration").is_some() {
            true => Ok(()),
            false => Err(format!("{answer:?}")),
        }
    }

    /// A kill breaks off what it comes into; more than that must not be, which the next start's answers show.
    fn lost(&self, _: u64, _: bool, lost: &Lost) -> Option<String> {
        match lost {
            Lost::Malformed(_) | Lost::Late => Some(lost.to_string()),
            Lost::Unconnected(_) | Lost::Unanswered(_) | Lost::Broken(_) => None,
        }
    }
}
