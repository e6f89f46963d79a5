//! A gateway in a process and a folder of its own. What it writes is read as it comes, so that it never waits for us: its
//! access lines go to whoever wants them, its other lines are kept to be waited for and looked at.

use std::{
    fmt, fs,
    io::{BufRead as _, BufReader, Read},
    mem,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
        mpsc::{Receiver, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    client::{self, Request},
    component, demo,
    process::{self, Running},
    usage,
};

/// How long a line that must come may take.
const LINE_LIMIT: Duration = Duration::from_secs(60);

/// A folder for a gateway: its configuration, its code cache, components. It is gone with this, unless something failed.
pub(crate) struct Folder {
    path: PathBuf,
    listener: u16,
    admin: u16,
}

impl Folder {
    /// Makes one, with two free ports.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let path = std::env::current_dir()?.join(format!("target/soak/{name}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path)?;
        Ok(Self { path, listener: free_port()?, admin: free_port()? })
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the gateway listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.listener).into()
    }

    /// The path of the compiled code.
    pub(crate) fn code_cache(&self) -> PathBuf {
        self.file("cache")
    }

    /// Moves a configuration into its place. A listener, the admin address, JSON logs and a code cache of its own come
    /// with it; `server` is what else `[server]` has.
    pub(crate) fn configure(&self, server: &str, text: &str) -> Result<()> {
        let Self { listener, admin, .. } = self;
        let text = format!(
            "[server]\ncode_cache = \"cache\"\n{server}\n[log]\nformat = \"json\"\n\
             level = \"info,gatehouse::plugin::code=debug\"\n\n\
             [admin]\naddress = \"127.0.0.1:{admin}\"\n\n[listeners.soak]\naddress = \"127.0.0.1:{listener}\"\n\n{text}"
        );
        component::replace(&self.file("gatehouse.toml"), text)
    }

    /// Starts the gateway.
    pub(crate) fn start(&self, access: impl FnMut(&Value) + Send + 'static) -> Result<Gateway> {
        // It ends with this process, however that ends.
        let mut command = process::command("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(demo::gateway().canonicalize()?).arg("run");
        command.arg(self.file("gatehouse.toml")).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut process = Running::start(&mut command)?;
        let (Some(stdout), Some(stderr)) = (process.0.stdout.take(), process.0.stderr.take()) else {
            bail!("its output is not piped")
        };
        let (sender, lines) = channel();
        let errors = sender.clone();
        let readers = vec![
            thread::spawn(move || read_lines(stdout, access, |line| drop(sender.send(line)))),
            thread::spawn(move || read_lines(stderr, |_| {}, |line| drop(errors.send(line)))),
        ];
        let address = self.address();
        Ok(Gateway {
            process,
            lines,
            complaints: Vec::new(),
            readers,
            address,
            admin: (Ipv4Addr::LOCALHOST, self.admin).into(),
            started,
        })
    }

    /// Takes it away. What failed is left to be looked at.
    pub(crate) fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.path).with_context(|| format!("removing {}", self.path.display()))
    }
}

/// A port that is free now and that the system gives to no connection by itself.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 1_000) as u16 * 10;
    for _ in 0..10_000 {
        let port = 20_000 + (first - 20_000 + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("there is no free port from 20000 to 29999")
}

/// A gateway. Killed when dropped.
pub(crate) struct Gateway {
    process: Running,
    lines: Receiver<Line>,
    /// Lines that complain.
    complaints: Vec<Line>,
    readers: Vec<JoinHandle<()>>,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    /// When it was started.
    pub(crate) started: Instant,
}

/// What a gateway's process has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Has {
    /// Resident, in MB.
    pub(crate) memory: f64,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

impl fmt::Display for Has {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, descriptors, threads } = self;
        write!(f, "{memory:.1} MB resident, {descriptors} descriptors, {threads} threads")
    }
}

/// A line that is no access line.
#[derive(Debug, Clone)]
pub(crate) struct Line(Arc<str>);

impl Line {
    /// What it says.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// A field of it.
    pub(crate) fn field(&self, name: &str) -> Option<Value> {
        serde_json::from_str::<Value>(&self.0).ok()?.get(name).cloned()
    }

    /// Whether it is a complaint: a warning, an error, or no line of the log at all, such as a panic.
    pub(crate) fn complains(&self) -> bool {
        !matches!(self.field("level").as_ref().and_then(Value::as_str), Some("INFO" | "DEBUG" | "TRACE"))
    }
}

impl Gateway {
    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for a line that says something, and tells what was said before it.
    pub(crate) fn wait_for(&mut self, is: impl Fn(&Line) -> bool) -> Result<(Line, Vec<Line>)> {
        let end = Instant::now() + LINE_LIMIT;
        let mut before = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                let said: Vec<_> = before.iter().map(Line::text).collect();
                bail!("a line of the log does not come; what came:\n{}", said.join("\n"));
            };
            self.note(&line);
            if is(&line) {
                return Ok((line, before));
            }
            before.push(line);
        }
    }

    /// Waits until it serves.
    pub(crate) fn serving(&mut self) -> Result<Vec<Line>> {
        self.wait_for(|line| line.text().contains("\"serving\"")).map(|(_, before)| before).context("starting it")
    }

    /// Waits until it has loaded a configuration; its generation. An error when it is refused.
    pub(crate) fn loaded(&mut self) -> Result<u64> {
        let about = |line: &Line| {
            line.text().contains("loaded the configuration") || line.text().contains("configuration is not loaded")
        };
        let (line, _) = self.wait_for(about)?;
        match (line.complains(), line.field("generation").as_ref().and_then(Value::as_u64)) {
            (false, Some(generation)) => Ok(generation),
            _ => bail!("a configuration is refused: {}", line.text()),
        }
    }

    /// What it has said since it was last asked.
    pub(crate) fn said(&mut self) -> Vec<Line> {
        let lines: Vec<_> = self.lines.try_iter().collect();
        lines.iter().for_each(|line| self.note(line));
        lines
    }

    /// All lines so far that complain.
    pub(crate) fn complaints(&mut self) -> &[Line] {
        self.said();
        &self.complaints
    }

    fn note(&mut self, line: &Line) {
        if line.complains() {
            self.complaints.push(line.clone());
        }
    }

    /// The sum of all metrics whose line begins so: `gatehouse_plugin_calls_total`.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        let text = client::send(&Request::get(self.admin, "/metrics"))?.body;
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let values: Vec<f64> =
            text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        if values.is_empty() {
            bail!("there is no metric {name}");
        }
        Ok(values.iter().sum())
    }

    /// What its process has now.
    pub(crate) fn has(&self) -> Result<Has> {
        let id = self.id();
        Ok(Has { memory: usage::memory(id)?, descriptors: usage::descriptors(id)?, threads: usage::threads(id)? })
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Whether it has ended, so far.
    pub(crate) fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.0.try_wait()?)
    }

    /// Asks it to end, and waits as [`Self::end`] does.
    pub(crate) fn stop(self, limit: Duration) -> Result<(ExitStatus, Vec<Line>)> {
        self.signal(Signal::SIGTERM)?;
        self.end(limit)
    }

    /// Waits for its end, so long at the most, and for everything it wrote; all lines of its life that complain.
    pub(crate) fn end(mut self, limit: Duration) -> Result<(ExitStatus, Vec<Line>)> {
        let Some(status) = self.process.ended_within(limit) else {
            bail!("it has not ended after {:.1} s", limit.as_secs_f64())
        };
        for reader in self.readers.drain(..) {
            // A reader that panicked has said so.
            let _ = reader.join();
        }
        self.said();
        Ok((status, mem::take(&mut self.complaints)))
    }
}

/// Reads lines to their end.
fn read_lines(output: impl Read, mut access: impl FnMut(&Value), mut other: impl FnMut(Line)) {
    for line in BufReader::with_capacity(256 << 10, output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        match line.contains("\"target\":\"access\"").then(|| serde_json::from_str(&line)) {
            Some(Ok(line)) => access(&line),
            _ => other(Line(line.into())),
        }
    }
}
