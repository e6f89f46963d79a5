//! How long the gateway takes from its start to its first answer, and how much memory it has after load: both with the
//! quickstart example, as a newcomer has them.

use std::{
    fs,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{FOLDER, figure::median, load, peer::on_load_core};
use crate::{
    client::{self, Request},
    demo,
    process::{self, Running},
    requests::{self, Expected, Try},
};

/// The configuration of the example.
const EXAMPLE: &str = "examples/quickstart";

/// What was measured.
#[derive(Debug)]
pub(super) struct Startup {
    /// From start to first answer without a code cache, in milliseconds.
    pub(super) cold: f64,
    /// The same with one.
    pub(super) warm: f64,
    /// The peak of resident memory after load, in MB.
    pub(super) memory: f64,
}

pub(super) fn measure(times: usize) -> Result<Startup> {
    println!("\nstarting the quickstart example {times} times");
    demo::start_upstream()?;
    let cache = fs::canonicalize(FOLDER)?.join("cache");
    if cache.exists() {
        fs::remove_dir_all(&cache)?;
    }
    let (gateway, cold) = start(&cache)?;
    gateway.stop(demo::STOP_LIMIT);
    let mut warm = Vec::new();
    for _ in 0..times {
        let (gateway, time) = start(&cache)?;
        gateway.stop(demo::STOP_LIMIT);
        warm.push(time);
    }
    let (gateway, _) = start(&cache)?;
    load_all()?;
    let memory = peak_memory(gateway.id())?;
    Ok(Startup { cold, warm: median(warm.into_iter()), memory })
}

/// Starts the gateway; the time to its first answer in milliseconds.
fn start(cache: &Path) -> Result<(Running, f64)> {
    let mut command = process::command(demo::gateway());
    command.arg("run").arg(Path::new(EXAMPLE).join("gatehouse.toml")).env("XDG_CACHE_HOME", cache);
    let log = fs::File::create(Path::new(FOLDER).join("quickstart.log"))?;
    let begin = Instant::now();
    let mut gateway = Running::start(command.stdout(Stdio::null()).stderr(log))?;
    let request = Request::get(demo::GATEWAY, "/health");
    while begin.elapsed() < Duration::from_secs(60) {
        if client::send(&request).is_ok_and(|response| response.status == 200) {
            return Ok((gateway, begin.elapsed().as_secs_f64() * 1e3));
        }
        if let Some(status) = gateway.0.try_wait()? {
            bail!("the gateway ended ({status}); see {FOLDER}/quickstart.log");
        }
        thread::sleep(Duration::from_millis(1));
    }
    bail!("the gateway does not answer; see {FOLDER}/quickstart.log");
}

/// Loads the example with those of its own requests that are answered with 200.
fn load_all() -> Result<()> {
    let tries = requests::load(&Path::new(EXAMPLE).join("requests.txt"))?;
    let good = |one: &&Try| one.expected.contains(&Expected::Status(200)) && one.request.method == "GET";
    for one in tries.iter().filter(good) {
        let headers: Vec<_> = one.request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let mut wrk = load::base(2, &headers)?;
        wrk.arg(format!("http://{}{}", one.request.authority, one.request.target));
        process::output(&mut on_load_core(&wrk))?;
    }
    Ok(())
}

/// `VmHWM`, in MB.
fn peak_memory(id: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}
