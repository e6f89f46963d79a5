//! A plugin's component is replaced again and again under load: what that adds to the latency of requests through it, and
//! how many fail. Windows with and without swaps alternate.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};

use super::super::{
    FOLDER, Plan,
    configuration::Configuration,
    figure::{Bound, Figure, median},
    load::{Run, Wrk},
    peer::{self, local},
    token,
};
use crate::{
    client::{self, Request},
    component, guests,
};

const PORT: u16 = 19019;
const ADMIN: u16 = 19020;

/// From a swap to the next, which waits until the one before has been loaded: that takes a tenth of a second on a fast
/// machine, and half of one where the worker's core is slow.
const PAUSE: Duration = Duration::from_millis(300);

/// No swap takes so long.
const LOADED: Duration = Duration::from_secs(10);

pub(super) fn measure(plan: &Plan) -> Result<Vec<Figure>> {
    let plugin = Path::new(FOLDER).join("swapped.wasm");
    let versions = Versions::new(&plugin)?;
    versions.put(0)?;
    let configuration = Configuration::new("swap", PORT, 1).with(&format!(
        "\n[admin]\naddress = \"127.0.0.1:{ADMIN}\"\n\n\
         [plugins.swapped]\ncomponent = \"swapped.wasm\"\ncache = {{ ttl = \"0s\" }}\n\n\
         [routes.swapped]\npath = \"/swapped\"\nplugins = [\"swapped\"]\nupstream = \"json\"\n"
    ));
    let _gateway = peer::start_gateway(&configuration, PORT)?;
    window(Duration::from_secs(1))?;
    let mut windows = Vec::new();
    let mut swaps = 0;
    for _ in 0..plan.windows {
        let quiet = window(plan.window)?;
        let (known, known_count) = versions.swap_during(plan.window, |n| n % 2)?;
        let (new, new_count) = versions.swap_during(plan.window, |_| unique())?;
        swaps += known_count + new_count;
        windows.push([quiet, known, new]);
    }
    println!("  {swaps} swaps");
    let added = |index: usize| median(windows.iter().map(|w| (w[index].p99 - w[0].p99) / 1e3));
    let failed = windows.iter().flatten().map(|run| run.bad).sum();
    Ok(vec![
        Figure { name: "a plugin's swap adds to p99", value: added(2), unit: "ms", bound: Bound::AtMost(5.0) },
        Figure { name: "the same, compiled before", value: added(1), unit: "ms", bound: Bound::AtMost(5.0) },
        Figure {
            name: "requests that failed during swaps",
            value: failed,
            unit: "requests",
            bound: Bound::AtMost(0.0),
        },
    ])
}

/// Load for a while.
fn window(time: Duration) -> Result<Run> {
    let authorization = format!("authorization: {}", token::BEARER);
    Wrk { headers: &[&authorization], ..Wrk::default() }.attempt(&format!("http://{}/swapped", local(PORT)), time)
}

/// A component of which there are as many versions as one likes, which do the same.
struct Versions {
    component: Vec<u8>,
    place: PathBuf,
}

impl Versions {
    fn new(place: &Path) -> Result<Self> {
        let component = fs::read(Path::new(guests::FOLDER).join("bench-authorizer.wasm"))?;
        Ok(Self { component, place: place.to_owned() })
    }

    /// Puts a version in the plugin's place, in one step.
    fn put(&self, version: u64) -> Result<()> {
        component::replace(&self.place, component::numbered(&self.component, version))
    }

    /// Load for a while, with swaps; how many there were.
    fn swap_during(&self, time: Duration, version: impl Fn(u64) -> u64 + Sync) -> Result<(Run, u64)> {
        let loading = AtomicBool::new(true);
        thread::scope(|scope| {
            let swapping = scope.spawn(|| {
                let mut count = 0;
                while loading.load(Ordering::Relaxed) {
                    thread::sleep(PAUSE);
                    count += 1;
                    let before = instances_made()?;
                    self.put(version(count))?;
                    loaded_after(before)?;
                }
                Ok(count)
            });
            let run = window(time);
            loading.store(false, Ordering::Relaxed);
            let count: Result<_> = swapping.join().expect("swapping does not panic");
            Ok((run?, count?))
        })
    }
}

/// A number that no cache knows.
fn unique() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(u64::MAX, |since| since.as_nanos() as u64)
}

/// Waits until the gateway has loaded a component more.
fn loaded_after(before: u64) -> Result<()> {
    let start = Instant::now();
    while instances_made()? == before {
        if start.elapsed() > LOADED {
            bail!("a component was not loaded within {LOADED:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// How many instances of the plugin the gateway has made: at least one for each that it has loaded.
fn instances_made() -> Result<u64> {
    let metrics = client::send(&Request::get(local(ADMIN), "/metrics"))?.body;
    let name = "gatehouse_plugin_instances_total{plugin=\"swapped\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(name)).context("no count of instances")?;
    Ok(count.trim().parse()?)
}
