//! Random components as plugins of a real gateway, one after the other, by hot load. It refuses them or runs them within
//! their limits; it lives, says no panic, and serves another route after each.

mod made;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{
    chance::Chance,
    gateway::{Folder, Gateway, Line},
    judge,
    upstream::{self, Reply},
};
use crate::{
    client::{self, Request},
    component,
    figure::{Bound, Figure},
    guests,
};
use made::{Kind, Maker};

/// Where components are kept that did harm.
const KEPT: &str = "target/random";

/// Requests to each component that is loaded.
const CALLS: u64 = 3;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many components
    #[arg(long, default_value_t = 200, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: u64,
    /// Of what they are made of; default: another each time
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// What came of them.
#[derive(Default)]
struct Sum {
    made: BTreeMap<Kind, u64>,
    loaded: BTreeMap<Kind, u64>,
    /// By reason.
    refused: BTreeMap<String, u64>,
    /// By status and the failure's code.
    answers: BTreeMap<String, u64>,
    /// Those that were loaded and did not fail each time they were called.
    ran: u64,
    harm: u64,
    slowest: Duration,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let maker = Maker::new()?;
    let chance = Chance::new(options.seed);
    let folder = Folder::new("random")?;
    let upstream = upstream::start(|_| Reply { body: b"good".to_vec(), ..Reply::default() })?;
    let plugin = folder.file("random.wasm");
    fs::copy(Path::new(guests::FOLDER).join("probe.wasm"), &plugin)?;
    let text = format!(
        "[upstreams.up]\nurl = \"http://{upstream}\"\nfirst_byte_timeout = \"5s\"\n\n[plugins.random]\n\
         component = \"random.wasm\"\ngrants = {{ output = \"lines\", keyvalue = true }}\n\n[routes.good]\npath = \"/good\"\nupstream = \"up\"\n\n[routes.random]\n\
         path = \"/random\"\nplugins = [\"random\"]\nupstream = \"up\"\n"
    );
    folder.configure("workers = 1\ncompile_cpu = \"5s\"\ncompile_memory = \"512MiB\"\n", &text)?;
    let mut gateway = folder.start(|_| {})?;
    gateway.serving()?;
    let (started, mut sum) = (Instant::now(), Sum::default());
    for number in 1..=options.count {
        let (kind, component) = maker.make(&chance);
        // The same bytes twice would not be loaded again.
        let component = component::numbered(&component, number);
        *sum.made.entry(kind).or_default() += 1;
        component::replace(&plugin, &component)?;
        if let Err(harm) = one(&mut gateway, kind, &mut sum) {
            let file = keep(number, &component)?;
            println!("  component {number}, {kind:?}, kept as {}: {harm:#}", file.display());
            sum.harm += 1;
            if gateway.has_ended()?.is_some() {
                break;
            }
        }
    }
    let took = started.elapsed();
    let (status, complaints) = gateway.stop(Duration::from_secs(20))?;
    let panics = complaints.iter().filter(|line| is_panic(line)).count();
    folder.remove()?;
    sum.print(took);
    let loaded: u64 = sum.loaded.values().sum();
    let figure = |name, value, bound| Figure { name, value, unit: "", bound };
    judge(&[
        figure("components that did harm", sum.harm as f64, Bound::AtMost(0.0)),
        figure("panics", panics as f64, Bound::AtMost(0.0)),
        figure("exit code", status.code().map_or(-1.0, f64::from), Bound::AtMost(0.0)),
        figure("components that were loaded", loaded as f64, Bound::AtLeast((options.count / 10) as f64)),
    ])
}

/// Waits for what the gateway says of a component, calls it if it is loaded, and asks for what must always be served.
fn one(gateway: &mut Gateway, kind: Kind, sum: &mut Sum) -> Result<()> {
    let started = Instant::now();
    let (line, _) = gateway.wait_for(|line| {
        line.text().contains("loaded the configuration") || line.text().contains("configuration is not loaded")
    })?;
    sum.slowest = sum.slowest.max(started.elapsed());
    if line.complains() {
        *sum.refused.entry(reason(line.text())).or_default() += 1;
    } else {
        *sum.loaded.entry(kind).or_default() += 1;
        let answers: Vec<String> = (0..CALLS).map(|_| call(gateway)).collect();
        sum.ran += u64::from(answers.iter().any(|answer| !answer.contains(" plugin_")));
        answers.into_iter().for_each(|answer| *sum.answers.entry(answer).or_default() += 1);
    }
    let good = client::send(&Request::get(gateway.address, "/good")).context("another route")?;
    if let Some(status) = gateway.has_ended()? {
        bail!("the gateway has ended: {status}");
    }
    if let Some(line) = gateway.complaints().iter().find(|line| is_panic(line)) {
        bail!("{}", line.text());
    }
    if (good.status, good.body.as_str()) != (200, "good") {
        bail!("another route is answered with {}: {}", good.status, good.body);
    }
    Ok(())
}

/// Whether our own code panicked: that is no line of the log, and a plugin that panics is one.
fn is_panic(line: &Line) -> bool {
    line.field("level").is_none() && line.text().contains("panicked")
}

/// What the route of the plugin answers: a status and, of the gateway's own answers, the code.
fn call(gateway: &Gateway) -> String {
    let mut request = Request::get(gateway.address, "/random");
    request.method = "POST".to_owned();
    request.body = "some body".to_owned();
    match client::send(&request) {
        Ok(answer) => {
            let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
            format!("{} {}", answer.status, body["code"].as_str().unwrap_or_default()).trim_end().to_owned()
        }
        // A filter may break a body off when its header section has gone.
        Err(_) => "broken off".to_owned(),
    }
}

/// The first words of why the plugin is refused.
fn reason(line: &str) -> String {
    let (_, why) = line.split_once("plugin `random`: ").unwrap_or(("", line));
    let end = why.find(['\\', '"', '(', ';']).unwrap_or(why.len());
    let words = why[..end].split(' ').filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.take(16).collect::<Vec<_>>().join(" ").trim_end_matches([':', ' ', ',']).to_owned()
}

fn keep(number: u64, component: &[u8]) -> Result<PathBuf> {
    fs::create_dir_all(KEPT)?;
    let file = PathBuf::from(KEPT).join(format!("{}-{number}.wasm", std::process::id()));
    fs::write(&file, component)?;
    Ok(file)
}

impl Sum {
    fn print(&self, took: Duration) {
        let (made, seconds) = (self.made.values().sum::<u64>(), took.as_secs_f64());
        println!("{made} components in {seconds:.1} s; the slowest load {:.2} s", self.slowest.as_secs_f64());
        for (kind, made) in &self.made {
            println!("  {kind:?}: {made} made, {} loaded", self.loaded.get(kind).unwrap_or(&0));
        }
        println!("  {} loaded, {} of them ran without a fault", self.loaded.values().sum::<u64>(), self.ran);
        for (what, counts) in [("refused", &self.refused), ("answered", &self.answers)] {
            println!("  {what}:");
            counts.iter().for_each(|(why, count)| println!("    {count:>6}  {why}"));
        }
    }
}
