//! SIGTERM under load, again and again. Each exchange that the gateway has begun is ended with a whole answer, its access
//! line is written, and the process is gone with exit code 0 within `drain_timeout`, whatever hangs.
//!
//! What has no answer is told apart. A request that reached the upstream, that was logged, or whose answer broke off is
//! lost. One that was on its way when the gateway closed an idle connection is not: RFC 9112 section 9.5 lets a server do
//! so, and has clients repeat it.

mod fate;

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;

use super::{
    chance::Chance,
    gateway::{Folder, Gateway},
    judge,
    latency::Latencies,
    ledger,
    load::Load,
    upstream,
};
use crate::{
    figure::{Bound, Figure},
    guests,
};
use fate::{Fates, Kinds};

/// Of the load.
const CONNECTIONS: usize = 24;

/// `server.drain_timeout`.
const DRAIN: Duration = Duration::from_secs(2);

/// What the process may take beyond it.
const BEYOND: Duration = Duration::from_secs(1);

/// From the load's beginning to the signal, in milliseconds.
const BEFORE: std::ops::Range<u64> = 50..600;

/// In one stop of so many an exchange hangs, which must be cut off.
const HANGS: u64 = 5;

/// In one stop of so many a configuration is loaded at about the same time.
const RELOADS: u64 = 3;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often a gateway is started and stopped
    #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) times: u64,
    /// Of the moments of the signal; default: another each time
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// What came of all stops.
#[derive(Default)]
struct Sum {
    answered: u64,
    lost: Vec<String>,
    /// Requests on a kept connection that was closed before the gateway read them.
    idle: u64,
    /// The same on a new connection.
    new: u64,
    unlogged: u64,
    complaints: Vec<String>,
    /// From the signal to the end of the process: where nothing hangs, and where something does.
    ends: [Latencies; 2],
    codes: u64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = Folder::new("stop")?;
    let fates = Arc::new(Fates::default());
    let told = fates.clone();
    let upstream = upstream::start(move |received| told.reached(received))?;
    let chance = Chance::new(options.seed);
    let mut stopping = Stopping { folder: &folder, upstream, fates, chance, sum: Sum::default() };
    let mut load = Load::default();
    for time in 1..=options.times {
        stopping.configure(0)?;
        load = stopping.once(&load, time % HANGS == 0).with_context(|| format!("stop {time}"))?;
    }
    report(options, stopping.sum)?;
    folder.remove()
}

/// What is started and stopped, and what came of it so far.
struct Stopping<'a> {
    folder: &'a Folder,
    upstream: SocketAddr,
    fates: Arc<Fates>,
    chance: Chance,
    sum: Sum,
}

impl Stopping<'_> {
    /// Writes a configuration that differs from others by a number.
    fn configure(&self, number: u64) -> Result<()> {
        let probe = Path::new(guests::FOLDER).join("probe.wasm").canonicalize()?;
        self.folder.configure(
            &format!("drain_timeout = \"{}s\"", DRAIN.as_secs()),
            &format!(
                "[upstreams.up]\nurl = \"http://{}\"\n\n\
                 [plugins.probe]\ncomponent = {probe:?}\ncache = {{ ttl = \"0s\" }}\n\
                 config.on_response.set_headers.x-probe = \"{number}\"\n\n\
                 [routes.all]\nplugins = [\"probe\"]\nupstream = \"up\"\n",
                self.upstream
            ),
        )
    }

    /// Starts a gateway, loads it, and stops it.
    fn once(&mut self, earlier: &Load, hangs: bool) -> Result<Load> {
        let gateway = self.start()?;
        let (address, load) = (gateway.address, Load::after(earlier));
        let kinds = Kinds::new(&self.fates);
        let (ended, took) = thread::scope(|scope| {
            scope.spawn(|| load.run(address, CONNECTIONS, None, &kinds));
            if hangs {
                scope.spawn(|| self.fates.hang(address));
                self.fates.wait_for_hanging();
            }
            let ready = self.until_the_moment();
            let signalled = Instant::now();
            let ended = ready.and_then(|()| gateway.signal(Signal::SIGTERM)).and_then(|()| gateway.end(DRAIN + BEYOND));
            let took = signalled.elapsed();
            load.stop();
            (ended, took)
        });
        let (status, mut complaints) = ended?;
        if hangs {
            complaints.retain(|line| !line.text().contains("are cut off after `drain_timeout`"));
            if took < DRAIN {
                bail!("it has cut off an exchange after {took:?}, before its time");
            }
        }
        let sum = &mut self.sum;
        sum.ends[usize::from(hangs)].add(took);
        sum.codes += u64::from(status.code() != Some(0));
        sum.complaints.extend(complaints.iter().map(|line| line.text().to_owned()));
        sum.lost.extend(load.failures());
        self.fates.judge(sum);
        Ok(load)
    }

    fn start(&self) -> Result<Gateway> {
        let logged = self.fates.clone();
        let mut gateway = self.folder.start(move |access| {
            if let Some(number) = ledger::number(access) {
                logged.logged(number);
            }
        })?;
        gateway.serving()?;
        Ok(gateway)
    }

    /// Waits for the moment of the signal. In some stops a new configuration is being loaded then, or just was.
    fn until_the_moment(&self) -> Result<()> {
        thread::sleep(self.chance.time(BEFORE));
        if self.chance.once_in(RELOADS) {
            self.configure(1)?;
            thread::sleep(self.chance.time(0..120));
        }
        Ok(())
    }
}

fn report(options: &Options, sum: Sum) -> Result<()> {
    let Sum { answered, lost, idle, new, unlogged, complaints, ends: [mut plain, mut hanging], codes } = sum;
    lost.iter().chain(&complaints).for_each(|line| println!("  {line}"));
    println!("{} stops; from the signal to the end: {}", options.times, plain.describe());
    if hanging.count() > 0 {
        println!("where an exchange hangs: {}", hanging.describe());
    }
    // It may be, for a client that is slow to speak or to connect; it is not the rule.
    let few = options.times as f64;
    let limit = (DRAIN + BEYOND).as_secs_f64() * 1e3;
    let mut figures = vec![
        Figure::new("requests answered whole", answered as f64, "", Bound::AtLeast(1.0)),
        Figure::none("exchanges lost", lost.len() as f64),
        Figure::none("answers without an access line", unlogged as f64),
        Figure::none("exit codes other than 0", codes as f64),
        Figure::none("complaints in the log", complaints.len() as f64),
        Figure::new("closed unread, of kept connections", idle as f64, "", Bound::AtMost(few)),
        Figure::new("closed unread, of new connections", new as f64, "", Bound::AtMost(few)),
        Figure::new("longest stop", plain.quantile(1.0), "ms", Bound::AtMost(limit)),
    ];
    if hanging.count() > 0 {
        figures.push(Figure::new(
            "longest stop where an exchange hangs",
            hanging.quantile(1.0),
            "ms",
            Bound::AtMost(limit),
        ));
    }
    judge(&figures)
}
