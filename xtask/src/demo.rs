//! `cargo xtask demo`: an example on its fixed ports, to be tried by hand or, with `--check`, by itself.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt,
    guests::{self, Way},
    process::{self, Running},
    requests::{self, Expected, Try},
    upstream,
};

/// Where the examples' configurations have the gateway listen.
pub(crate) const GATEWAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// Where they look for the upstream.
pub(crate) const UPSTREAM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9000);

/// From the gateway's start to its first connection. A debug machine with a cold code cache needs some seconds.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a line on the gateway's standard output may take.
const LINE_LIMIT: Duration = Duration::from_secs(5);

/// From the signal to the end of the process.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(15);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Makes the requests itself, compares the answers, and ends: exit 0, or what differed
    #[arg(long)]
    check: bool,
    /// A folder of examples/
    #[arg(default_value = "quickstart")]
    example: String,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let example = Path::new("examples").join(&options.example);
    if !example.join("gatehouse.toml").is_file() {
        bail!("there is no example `{}`; there are: {}", options.example, names()?.join(", "));
    }
    guests::build(Way::Auto)?;
    build(&["gatehouse"])?;
    if options.check { check(&options.example) } else { show(&example) }
}

/// The names of all examples.
pub(crate) fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir("examples")? {
        let path = entry?.path();
        if path.join("gatehouse.toml").is_file() {
            names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Builds programs, each of the package of its name.
///
/// One package a call, as in `cargo xtask test`: cargo chooses the features of shared dependencies over all packages that
/// it is asked for, and with another choice wasmtime would be compiled again.
pub(crate) fn build(programs: &[&str]) -> Result<()> {
    println!("building {} (the first time this takes some minutes)", programs.join(" and "));
    programs.iter().try_for_each(|program| process::run(process::cargo().args(["build", "--release", "-p", program])))
}

/// The gateway's program.
pub(crate) fn gateway() -> PathBuf {
    process::release_dir().join("gatehouse")
}

/// Runs an example until it is interrupted.
fn show(example: &Path) -> Result<()> {
    let tries = requests::load(&example.join("requests.txt"))?;
    let (end, ended) = mpsc::channel();
    ctrlc::set_handler(move || {
        let _ = end.send(());
    })?;
    prepare(example)?;
    let mut gateway = start(example, Stdio::inherit())?;
    println!("\nThe gateway runs on http://{GATEWAY}, the upstream on http://{UPSTREAM}. Try:\n");
    for one in &tries {
        println!("# {}\n{}", one.title, one.line);
        for expected in &one.expected {
            println!("  {}", expected.line());
        }
        println!();
    }
    println!("Ctrl-C ends both. Below is what the gateway writes.\n");
    while ended.recv_timeout(Duration::from_millis(200)).is_err() {
        if let Some(status) = gateway.0.try_wait()? {
            bail!("the gateway has ended ({status})");
        }
    }
    gateway.stop(STOP_LIMIT);
    Ok(())
}

/// Makes an example's requests and compares the answers. The guests and the gateway must have been built.
pub(crate) fn check(name: &str) -> Result<()> {
    let example = Path::new("examples").join(name);
    let tries = requests::load(&example.join("requests.txt"))?;
    println!("checking the example {name}: {} requests", tries.len());
    prepare(&example)?;
    process::output(process::command(gateway()).arg("check").arg(example.join("gatehouse.toml")))?;
    let mut gateway = start(&example, Stdio::piped())?;
    let lines = lines_of(&mut gateway)?;
    let mut differences = 0;
    for one in &tries {
        let found = attempt(one, &lines).with_context(|| one.line.clone())?;
        println!("  {} {}", if found.is_empty() { "ok  " } else { "FAIL" }, one.line);
        for difference in &found {
            println!("       {difference}");
        }
        differences += found.len();
    }
    if !gateway.stop(STOP_LIMIT) {
        bail!("the gateway did not end with exit 0 after SIGTERM");
    }
    if differences > 0 {
        bail!("{differences} answers of the example {name} are not as expected");
    }
    Ok(())
}

/// Starts the upstream (once in a process) and the gateway, and waits until it serves.
pub(crate) fn start(example: &Path, stdout: Stdio) -> Result<Running> {
    free(GATEWAY)?;
    start_upstream()?;
    let mut command = process::command(gateway());
    let mut gateway = Running::start(command.arg("run").arg(example.join("gatehouse.toml")).stdout(stdout))?;
    wait_for(&mut gateway, GATEWAY)?;
    Ok(gateway)
}

/// Runs the example's `prepare.sh`, if it has one: it makes certificates with openssl, and curl asks over TLS.
pub(crate) fn prepare(example: &Path) -> Result<()> {
    let script = example.join("prepare.sh");
    if !script.is_file() {
        return Ok(());
    }
    for (tool, version) in [("openssl", "version"), ("curl", "--version")] {
        if process::output(process::command(tool).arg(version)).is_err() {
            apt::install(&[tool, "ca-certificates"], "trying TLS")?;
        }
    }
    process::run(&mut process::command(script))
}

/// Starts the example upstream, once in a process.
pub(crate) fn start_upstream() -> Result<()> {
    static STARTED: std::sync::Once = std::sync::Once::new();
    let mut result = Ok(());
    STARTED.call_once(|| result = free(UPSTREAM).and_then(|()| upstream::start(UPSTREAM)));
    result
}

/// An error when another program has a port that an example needs.
fn free(address: SocketAddr) -> Result<()> {
    TcpListener::bind(address)
        .map(drop)
        .with_context(|| format!("{address} is needed here, and is taken by another program"))
}

/// Waits until a child accepts connections.
pub(crate) fn wait_for(child: &mut Running, address: SocketAddr) -> Result<()> {
    let end = Instant::now() + START_LIMIT;
    while Instant::now() < end {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        if let Some(status) = child.0.try_wait()? {
            bail!("it ended ({status}) before it listened on {address}");
        }
        thread::sleep(Duration::from_millis(10));
    }
    bail!("it does not listen on {address} after {} s", START_LIMIT.as_secs())
}

/// What a child writes to its standard output, line by line.
fn lines_of(child: &mut Running) -> Result<mpsc::Receiver<String>> {
    let stdout = child.0.stdout.take().context("the standard output is not piped")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    Ok(receiver)
}

/// Makes one request; what differs from what is expected.
fn attempt(one: &Try, lines: &mpsc::Receiver<String>) -> Result<Vec<String>> {
    let _older = lines.try_iter().count();
    let response = one.way.send()?;
    let mut found: Vec<_> = one.expected.iter().filter_map(|expected| expected.differs(&response)).collect();
    let mut wanted: Vec<_> = one.expected.iter().filter_map(stdout_text).collect();
    let end = Instant::now() + LINE_LIMIT;
    while !wanted.is_empty() {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => wanted.retain(|text| !line.contains(text)),
            Err(_) => break,
        }
    }
    found.extend(wanted.iter().map(|text| format!("`{text}` expected on the gateway's standard output")));
    Ok(found)
}

fn stdout_text(expected: &Expected) -> Option<&str> {
    match expected {
        Expected::Stdout(text) => Some(text),
        _ => None,
    }
}
