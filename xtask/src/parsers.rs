//! `cargo xtask parsers`: whether others read what the gateway forwards as it reads it itself. What the upstream of the edge
//! suite was sent, byte by byte, is given to the parsers of other servers; each must find the same requests in it.

mod compare;
mod reader;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    demo,
    guests::{self, Way},
    process,
};
use compare::Known;
use reader::{READERS, Reader};

/// For all that this makes.
const FOLDER: &str = "target/parsers";

/// What is known to be read otherwise, and why that is so.
const KNOWN: &str = "tests/edge/differences.json";

/// The fewest cases that are compared: fewer would mean that the suite did not run.
const FEWEST: usize = 250;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Takes what an earlier run of the suite has written to a folder (GATEHOUSE_EDGE_RECORD), and does not run it
    #[arg(long)]
    record: Option<PathBuf>,
    /// Only these parsers
    only: Vec<String>,
}

/// Requests of one case that followed each other on a connection to the upstream.
struct Case {
    name: String,
    /// Their bytes, each a character.
    raw: String,
    /// As the suite's upstream read them.
    requests: Vec<Value>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.record.is_none() {
        guests::build(Way::Auto)?;
        demo::build(&["gatehouse"])?;
    }
    compare_all(options.record.as_deref(), &options.only)
}

/// Compares all parsers. The guests and the gateway must have been built, and Node.js and Go be there.
pub(crate) fn check() -> Result<()> {
    compare_all(None, &[])
}

fn compare_all(record: Option<&Path>, only: &[String]) -> Result<()> {
    let folder = std::path::absolute(FOLDER)?;
    fs::create_dir_all(&folder)?;
    let cases = match record {
        Some(record) => load(record)?,
        None => load(&run_suite(&folder)?)?,
    };
    if cases.len() < FEWEST {
        bail!("only {} cases of the suite reached the upstream", cases.len());
    }
    let mut known = Known::load(Path::new(KNOWN))?;
    let readers: Vec<_> =
        READERS.iter().filter(|reader| only.is_empty() || only.iter().any(|name| name == reader.name)).collect();
    reader::install(&folder)?;
    let input = input(&cases);
    let mut unknown = Vec::new();
    println!("{} cases, each with the request that follows it\n", cases.len());
    println!("{:<12} {:<28} {:>6} {:>16}", "parser", "version", "equal", "known otherwise");
    for reader in &readers {
        let readings = reader.read(&folder, &input).with_context(|| format!("what {} reads", reader.name))?;
        if readings.len() != cases.len() {
            bail!("{} has read {} cases of {}", reader.name, readings.len(), cases.len());
        }
        let differences = differences(reader, &cases, &readings);
        let total = differences.len();
        let left = known.take_out(reader.name, differences);
        println!("{:<12} {:<28} {:>6} {:>16}", reader.name, reader.version()?, cases.len() - total, total - left.len());
        unknown.extend(left.into_iter().map(|(case, how)| format!("{} of {case}: {how}", reader.name)));
    }
    if !unknown.is_empty() {
        bail!("{} readings differ, and {KNOWN} does not know of them:\n{}", unknown.len(), unknown.join("\n"));
    }
    let names: BTreeSet<&str> = readers.iter().map(|reader| reader.name).collect();
    let unused = known.unused(&names);
    if !unused.is_empty() {
        bail!("{KNOWN} has what does not differ: {}", unused.join(", "));
    }
    Ok(())
}

/// Cases that a parser reads otherwise, and how.
fn differences(reader: &Reader, cases: &[Case], readings: &[Value]) -> BTreeMap<String, String> {
    let pairs = cases.iter().zip(readings);
    pairs
        .filter_map(|(case, reading)| {
            compare::difference(reader, &case.requests, reading).map(|how| (case.name.clone(), how))
        })
        .collect()
}

fn input(cases: &[Case]) -> String {
    let cases = cases.iter().map(|case| serde_json::json!({ "raw": case.raw, "count": case.requests.len() }));
    Value::Array(cases.collect()).to_string()
}

/// Runs the edge suite, which writes what the upstream was sent.
fn run_suite(folder: &Path) -> Result<PathBuf> {
    let record = folder.join("record");
    let _ = fs::remove_dir_all(&record);
    fs::create_dir_all(&record)?;
    let mut cargo = process::cargo();
    cargo.args(["test", "--release", "-p", "gatehouse", "--test", "tests", "edge::suite"]);
    cargo.env("GATEHOUSE_GUESTS", std::path::absolute(guests::FOLDER)?).env("GATEHOUSE_EDGE_RECORD", &record);
    process::output(&mut cargo)?;
    Ok(record)
}

/// Reads what the suite has written: cases of which the upstream was sent something.
fn load(record: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let entries = fs::read_dir(record).with_context(|| format!("reading {}", record.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    for file in files {
        let written: Vec<Value> = serde_json::from_slice(&fs::read(&file)?)?;
        for case in written {
            let requests = case["requests"].as_array().cloned().unwrap_or_default();
            if !requests.is_empty() {
                let name = case["name"].as_str().unwrap_or_default().to_owned();
                let raw = requests.iter().filter_map(|request| request["raw"].as_str()).collect();
                cases.push(Case { name, raw, requests });
            }
        }
    }
    Ok(cases)
}
