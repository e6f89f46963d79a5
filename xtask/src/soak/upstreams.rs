//! Upstreams that break their answers in every way, at random, beside good ones: an answer is whole and right, or it can be
//! seen that it is not; good requests do not notice; and what was taken comes back.

mod case;
mod traffic;

use std::{net::SocketAddr, thread, time::Duration};

use anyhow::{Result, bail};
use gatehouse_faultproxy::{Act, Asked, Fault, FaultProxy, Script};

use super::{
    chance::Chance,
    gateway::{Folder, Gateway, Has},
    judge,
    load::Load,
    upstream::{self, Reply},
};
use crate::figure::{Bound, Figure};
use case::Case;
use traffic::{Broken, Good};

/// Connections of the exchanges with faults: some of them stand still.
const FAULTY_CONNECTIONS: usize = 16;

/// Good requests a second, and their connections. So many to the upstream may be kept or not at any time.
const GOOD: f64 = 200.0;
const GOOD_CONNECTIONS: usize = 4;

/// Good requests alone, to compare with.
const ALONE: Duration = Duration::from_secs(2);

/// Longer than broken connections are kept, and until that is seen.
const SETTLE: Duration = Duration::from_secs(3);

/// Nobody serves there.
const NOBODY: &str = "127.0.0.1:1";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many exchanges with an upstream that breaks them
    #[arg(long, default_value_t = 20_000, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) exchanges: u64,
    /// Of what goes wrong; default: another each time
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = Folder::new("upstreams")?;
    let seed = Chance::new(options.seed).below(u64::MAX);
    let upstream = upstream::start(move |received| match number(received.target) {
        Some(number) => Case::of(seed, number).reply(),
        None => Reply { body: traffic::SERVED.to_vec(), ..Reply::default() },
    })?;
    // Uploads have one of their own: one that meets a connection which is about to end is lost, as it is not repeated.
    let script = move |asked: Asked<'_>| number(asked.target).map_or_else(Fault::none, |n| Case::of(seed, n).fault);
    let proxies = [
        FaultProxy::start(upstream, script)?,
        FaultProxy::start(upstream, script)?,
        FaultProxy::start(upstream, HangsUp)?,
    ];
    folder.configure("workers = 2", &configuration(upstream, &proxies))?;
    let mut gateway = folder.start(|_| {})?;
    gateway.serving()?;
    let (good, broken) = (Load::default(), Broken::new(seed));
    let (before, after) = thread::scope(|scope| {
        let (address, load) = (gateway.address, &good);
        scope.spawn(move || load.run(address, GOOD_CONNECTIONS, Some(GOOD), &Good));
        let measured = measured(&gateway, &good, &broken, options.exchanges);
        good.stop();
        measured
    })?;
    let panics = gateway.complaints().iter().filter(|line| line.text().contains("panicked")).count();
    if let Some(status) = gateway.has_ended()? {
        bail!("the gateway has ended: {status}");
    }
    let open: usize = proxies.iter().map(FaultProxy::open).sum();
    let (status, _) = gateway.stop(Duration::from_secs(30))?;
    let seen = broken.report();
    good.failures().iter().for_each(|failure| println!("  {failure}"));
    let (mut alone, mut beside) = (good.latencies(0), good.latencies(1));
    println!("good requests alone: {}\nbeside the faults: {}", alone.describe(), beside.describe());
    println!("before: {before}\nafter: {after}");
    let more = |after: usize, before: usize| after as f64 - before as f64;
    let kept = Bound::AtMost(GOOD_CONNECTIONS as f64);
    judge(&[
        Figure::new("exchanges in which something went wrong", seen.faults as f64, "", Bound::AtLeast(1.0)),
        Figure::none("answers that look whole and are not", seen.wrong as f64),
        Figure::none("exchanges that ended otherwise than they must", seen.unexpected as f64),
        Figure::none("good requests that failed", good.failed() as f64),
        Figure::new("p99 beside the faults, to alone", beside.quantile(0.99) / alone.quantile(0.99), "x", Bound::None),
        Figure::none("panics", panics as f64),
        Figure::none("exit status", f64::from(status.code().unwrap_or(-1).abs())),
        Figure::none("connections to broken upstreams left open", open as f64),
        Figure::new("descriptors more than before", more(after.descriptors, before.descriptors), "", kept),
        Figure::new("threads more than before", more(after.threads, before.threads), "", Bound::AtMost(0.0)),
    ])?;
    folder.remove()
}

fn configuration(upstream: SocketAddr, [faulty, uploads, hangs_up]: &[FaultProxy; 3]) -> String {
    let times = "first_byte_timeout = \"1s\"\nidle_timeout = \"1s\"\nkeepalive_timeout = \"1s\"";
    let mut text = format!("[upstreams.good]\nurl = \"http://{upstream}\"\n[routes.good]\nupstream = \"good\"\n");
    for (name, address) in [
        ("faulty", faulty.address().to_string()),
        ("upload", uploads.address().to_string()),
        ("hung-up", hangs_up.address().to_string()),
        ("refused", NOBODY.to_owned()),
    ] {
        text += &format!(
            "[upstreams.{name}]\nurl = \"http://{address}\"\n{times}\n\
             [routes.{name}]\npath = \"/{name}/{{number}}\"\nupstream = \"{name}\"\n"
        );
    }
    text
}

/// The number of a request, which its path ends with.
fn number(target: &str) -> Option<u64> {
    target.rsplit('/').next()?.parse().ok()
}

/// Good requests alone and then beside broken exchanges; what the process has before and after.
fn measured(gateway: &Gateway, good: &Load, broken: &Broken, exchanges: u64) -> Result<(Has, Has)> {
    thread::sleep(ALONE);
    let before = gateway.has()?;
    good.enter(1);
    let load = Load::default();
    thread::scope(|scope| {
        let (address, load) = (gateway.address, &load);
        scope.spawn(move || load.run(address, FAULTY_CONNECTIONS, None, broken));
        load.wait_for(exchanges);
        load.stop();
    });
    good.enter(2);
    thread::sleep(SETTLE);
    Ok((before, gateway.has()?))
}

/// Takes connections and ends them.
struct HangsUp;

impl Script for HangsUp {
    fn accepted(&self, connection: usize) -> Option<Act> {
        Some(if connection.is_multiple_of(2) { Act::Reset } else { Act::Close })
    }

    fn asked(&self, _: Asked<'_>) -> Fault {
        Fault::none()
    }
}
