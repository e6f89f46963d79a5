//! Programs that are measured, each on its cores, and the upstream behind them.

mod debian;
mod envoy;
mod pingora;
mod table;

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};

use super::{
    FOLDER,
    case::{Case, Cores, Load, Proof},
    configuration::Configuration,
    token,
};
use crate::{
    client::{self, Request},
    demo, process,
    process::Running,
};
pub(super) use table::PEERS;

/// The core of the program that is measured.
const PROXY_CORE: &str = "0";

/// The core of everything else.
const LOAD_CORE: &str = "1";

/// For what may run where it likes.
const BOTH: &str = "0,1";

/// A program to measure.
pub(super) struct Peer {
    pub(super) name: &'static str,
    /// Where its configuration has it listen on the loopback address.
    port: u16,
    /// The same for HTTP/2 with prior knowledge.
    http2: u16,
    cores: &'static str,
    /// Whether it is the gateway.
    gateway: bool,
    /// Brings what it needs. An error says why it is left out.
    install: fn() -> Result<()>,
    /// How it is started, with one worker, in the foreground.
    command: fn() -> Result<Command>,
}

pub(super) fn local(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

/// Where the peers' configurations look for the upstream.
const UPSTREAM: u16 = 19000;

impl Peer {
    /// Brings what it takes to start it.
    pub(super) fn install(&self) -> Result<()> {
        (self.install)()
    }

    /// Starts it. It stays when it has no load: it takes nothing from others then.
    pub(super) fn start(&self) -> Result<RunningPeer> {
        let process = start(&(self.command)()?, self.cores, self.port)?;
        Ok(RunningPeer { port: self.port, http2: self.http2, process })
    }
}

/// The gateway's program, where it is not the usual one.
static GATEWAY: OnceLock<PathBuf> = OnceLock::new();

/// From now on the gateway is this program.
pub(super) fn measure_gateway(program: &Path) -> Result<()> {
    if !program.exists() {
        bail!("{} is not there: `cargo xtask release` builds it", program.display());
    }
    GATEWAY.set(program.to_owned()).map_err(|_| anyhow!("another gateway is measured already"))
}

/// How the gateway was built, for people.
pub(super) fn gateway_is_built() -> &'static str {
    if GATEWAY.get().is_some() { "profile-guided, by cargo xtask release" } else { "by cargo build --release" }
}

/// The gateway's program.
pub(super) fn gateway() -> PathBuf {
    GATEWAY.get().cloned().unwrap_or_else(demo::gateway)
}

/// Whether a peer is the gateway, and not what it is compared with.
pub(super) fn is_gateway(name: &str) -> bool {
    PEERS.iter().any(|peer| peer.name == name && peer.gateway)
}

/// Peers that serve, by name.
pub(super) type Peers = BTreeMap<&'static str, RunningPeer>;

/// A peer that serves.
pub(super) struct RunningPeer {
    port: u16,
    http2: u16,
    process: Running,
}

impl RunningPeer {
    /// Its process id: setpriv and taskset become the program that they start.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Has it end by itself. True when it did so in time.
    pub(super) fn stop(self, limit: Duration) -> bool {
        self.process.stop(limit)
    }

    /// What is asked of it in a case.
    pub(super) fn url(&self, case: &Case) -> String {
        let port = if case.load == Load::Http2 { self.http2 } else { self.port };
        format!("http://{}{}", local(port), case.path)
    }

    /// Checks with single requests that it does what the case says. What is spoken over HTTP/2 is the same.
    pub(super) fn prove(&self, case: &Case) -> Result<()> {
        let ask = |authorization: &str| {
            let mut request = Request::get(local(self.port), case.path);
            let host = case.host.map(|host| ("host", host));
            let headers = [("authorization", authorization), ("x-bench-check", "1")].into_iter().chain(host);
            request.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            client::send(&request)
        };
        let (good, bad) = (ask(case.authorization)?, ask(token::WRONG)?);
        if good.status != 200 || good.body.is_empty() {
            bail!("it answers {} to a good request: {}", good.status, good.body);
        }
        let denied = if case.proof == Proof::Answers { 200 } else { 401 };
        if bad.status != denied {
            bail!("it answers {} to a request that gets {denied}", bad.status);
        }
        let user = good.headers.iter().any(|(name, _)| name == "x-seen-user");
        if user != (case.proof == Proof::DeniesAndAdds) {
            bail!("a header `x-user` arrives at the upstream: {user}");
        }
        Ok(())
    }
}

/// The upstream: nginx with one process.
pub(super) struct Upstream {
    /// Ends with this.
    _process: Running,
}

impl Upstream {
    /// Starts it where the load is.
    pub(super) fn start(cores: Cores) -> Result<Self> {
        debian::nginx()?;
        bodies()?;
        let command = of_load(cores, &nginx("upstream.conf")?)?;
        listening(command, UPSTREAM).map(|process| Self { _process: process }).context("starting the upstream")
    }
}

/// Writes the files that the upstream serves.
fn bodies() -> Result<()> {
    let folder = Path::new(FOLDER).join("bytes");
    fs::create_dir_all(&folder)?;
    for (name, length) in [("1KiB", 1 << 10), ("16KiB", 16 << 10), ("1MiB", 1 << 20)] {
        fs::write(folder.join(name), "0123456789abcdef".repeat(length / 16))?;
    }
    Ok(())
}

/// nginx with a configuration of `bench/peers/`.
fn nginx(configuration: &str) -> Result<Command> {
    let mut command = process::command(debian::NGINX);
    command.arg("-p").arg(fs::canonicalize(FOLDER)?).arg("-c").arg(fs::canonicalize(configured(configuration))?);
    Ok(command)
}

/// A peer's configuration.
fn configured(name: &str) -> PathBuf {
    Path::new("bench/peers").join(name)
}

/// Starts a gateway that is no peer, where peers are.
pub(super) fn start_gateway(configuration: &Configuration, port: u16) -> Result<Running> {
    let mut command = process::command(gateway());
    start(command.arg("run").arg(configuration.write()?), PROXY_CORE, port)
}

/// Starts a command on some cores, and waits until it listens.
fn start(command: &Command, cores: &str, port: u16) -> Result<Running> {
    listening(on_cores(cores, command), port)
}

/// Starts a command, and waits until it listens.
fn listening(mut command: Command, port: u16) -> Result<Running> {
    TcpListener::bind(local(port)).map(drop).with_context(|| format!("port {port} is taken by another program"))?;
    let log = fs::File::create(Path::new(FOLDER).join(format!("{port}.log")))?;
    let mut child = Running::start(command.stdout(Stdio::null()).stderr(log))?;
    demo::wait_for(&mut child, local(port)).with_context(|| format!("see {FOLDER}/{port}.log"))?;
    // A little after it listens, it is done with what it does at its start.
    thread::sleep(Duration::from_millis(300));
    Ok(child)
}

/// A command of the load or the upstream, where these are. With a core for themselves they never sleep, so that the
/// proxy has nothing to pay for waking them: see `bench/polling`.
pub(super) fn of_load(cores: Cores, command: &Command) -> Result<Command> {
    Ok(match cores {
        Cores::Apart => {
            let mut pinned = on_cores(LOAD_CORE, command);
            pinned.env("LD_PRELOAD", fs::canonicalize(process::release_dir().join("libpolling.so"))?);
            pinned
        }
        Cores::Shared => on_cores(BOTH, command),
    })
}

/// A command, kept on some cores; it ends with the bench, however that ends.
fn on_cores(cores: &str, command: &Command) -> Command {
    let mut pinned = process::command("setpriv");
    pinned.args(["--pdeathsig", "KILL", "taskset", "-c", cores]).arg(command.get_program()).args(command.get_args());
    pinned
}
