//! The programs that are measured, and the upstream behind them. Their configurations are in `bench/peers/`.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};

use super::FOLDER;
use crate::{apt, demo, process, process::Running};

/// The core of the program that is measured.
const PROXY_CORE: &str = "0";

/// The core of everything else.
const LOAD_CORE: &str = "1";

/// A program to measure.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// Where its configuration has it listen.
    pub(super) address: SocketAddr,
    /// Debian packages that bring it.
    packages: &'static [&'static str],
    /// Its program; absent: it is skipped.
    program: &'static str,
    /// How it is started, with one worker, in the foreground.
    command: fn() -> Command,
}

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Where the peers' configurations look for the upstream.
const UPSTREAM: SocketAddr = local(19000);

const PEERS: [Peer; 2] = [
    Peer { name: "bare", address: local(19001), packages: &[], program: "", command: bare },
    Peer { name: "gatehouse", address: local(19002), packages: &[], program: "", command: gatehouse },
];

fn bare() -> Command {
    let mut command = process::command(process::release_dir().join("bare-proxy"));
    command.args([local(19001).to_string(), UPSTREAM.to_string()]);
    command
}

fn gatehouse() -> Command {
    let mut command = process::command(demo::gateway());
    command.args(["run", "bench/peers/gatehouse.toml"]);
    command
}

/// Installs what Debian has of the peers and the upstream. What can not be installed is said and left out.
pub(super) fn install() {
    let upstream = (NGINX, &["nginx"][..]);
    let wanted = PEERS.iter().map(|peer| (peer.program, peer.packages)).chain([upstream]);
    for (_, packages) in wanted.filter(|(program, _)| !program.is_empty() && !Path::new(program).exists()) {
        if let Err(error) = apt::install(packages, "the bench") {
            println!("{error:#}; it goes on without");
        }
    }
}

/// Starts all peers that are there. All run at the same time on the same core; one without load takes nothing from it.
pub(super) fn start_all() -> Result<Vec<RunningPeer>> {
    let there = PEERS.iter().filter(|peer| peer.program.is_empty() || Path::new(peer.program).exists());
    there.map(|peer| RunningPeer::start(peer).with_context(|| format!("starting {}", peer.name))).collect()
}

/// A peer that serves.
pub(super) struct RunningPeer {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    process: Running,
}

impl RunningPeer {
    fn start(peer: &Peer) -> Result<Self> {
        let process = start(&(peer.command)(), PROXY_CORE, peer.address)?;
        Ok(Self { name: peer.name, address: peer.address, process })
    }

    /// Its process id: taskset becomes the program that it starts.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Debian's.
const NGINX: &str = "/usr/sbin/nginx";

/// Starts the upstream: nginx with one process, else the built-in one.
pub(super) fn upstream() -> Result<Running> {
    let command = match Path::new(NGINX).exists() {
        true => {
            let mut command = process::command(NGINX);
            command
                .arg("-p")
                .arg(fs::canonicalize(FOLDER)?)
                .arg("-c")
                .arg(fs::canonicalize("bench/peers/upstream.conf")?);
            command
        }
        false => {
            println!("there is no nginx: the example upstream takes its place, and throughput is lower");
            let mut command = process::command(std::env::current_exe()?);
            command.args(["upstream", &UPSTREAM.to_string()]);
            command
        }
    };
    start(&command, LOAD_CORE, UPSTREAM).context("starting the upstream")
}

/// Starts a command on one core, and waits until it listens.
fn start(command: &Command, core: &str, address: SocketAddr) -> Result<Running> {
    TcpListener::bind(address).map(drop).with_context(|| format!("{address} is taken by another program"))?;
    let log = fs::File::create(Path::new(FOLDER).join(format!("{}.log", address.port())))?;
    let mut pinned = on_core(core, command);
    let mut child = Running::start(pinned.stdout(Stdio::null()).stderr(log))?;
    demo::wait_for(&mut child, address).with_context(|| format!("see {FOLDER}/{}.log", address.port()))?;
    // A little after it listens, it is done with what it does at its start.
    thread::sleep(Duration::from_millis(300));
    Ok(child)
}

/// The command, kept on one core.
fn on_core(core: &str, command: &Command) -> Command {
    let mut pinned = process::command("taskset");
    pinned.args(["-c", core]).arg(command.get_program()).args(command.get_args());
    pinned
}

/// A command for the core of the load.
pub(super) fn on_load_core(command: &Command) -> Command {
    on_core(LOAD_CORE, command)
}
