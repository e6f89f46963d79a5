//! A gateway in this process, on a port of its own.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use gatehouse::{
    Server,
    clock::{Clock, ManualClock},
    config::{Config, Problems},
};
use tempfile::TempDir;

use super::{Call, Upstream, configuration};

/// A gateway in this process. Stopped when dropped.
pub(crate) struct Gateway {
    server: Option<Server>,
    folder: TempDir,
    /// Moves the time that verdicts age by; it stands still otherwise.
    pub(crate) clock: ManualClock,
}

impl Gateway {
    /// Starts one; see [`configuration`] for what is filled in.
    pub(crate) fn start(text: &str, upstream: &Upstream) -> Self {
        Self::try_start(text, upstream).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Starts one, or says what is wrong.
    pub(crate) fn try_start(text: &str, upstream: &Upstream) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gatehouse.toml");
        fs::write(&file, configuration(text, Some(upstream))).unwrap();
        let config = Config::load(&file).map_err(|problems| problems.to_string())?;
        let clock = ManualClock::default();
        let server = Server::start(config, Clock::Manual(clock.clone())).map_err(|error| error.to_string())?;
        Ok(Self { server: Some(server), folder, clock })
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    /// What its threads share.
    pub(crate) fn shared(&self) -> Arc<gatehouse::server::Gateway> {
        self.server().gateway().clone()
    }

    /// The address of the (first) listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server().addresses()[0].1
    }

    /// A file in the configuration's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces the configuration and loads it, as a change of the file would.
    pub(crate) fn reload(&self, text: &str, upstream: &Upstream) -> Result<u64, Problems> {
        // The listener has port 0 in the file as before, so it stays.
        fs::write(self.file("gatehouse.toml"), configuration(text, Some(upstream))).unwrap();
        self.server().gateway().reload()
    }

    /// Loads again what is in the files.
    pub(crate) fn reload_files(&self) -> Result<u64, Problems> {
        self.server().gateway().reload()
    }

    /// The value of a counter, by the start of its line: `gatehouse_plugin_calls_total{plugin="probe"}`.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let text = self.server().gateway().metrics.text();
        let found = text.lines().find_map(|l| l.strip_prefix(line));
        found.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// The value of a counter once it has reached one, or what it is after five seconds.
    pub(crate) fn metric_at(&self, line: &str, least: u64) -> u64 {
        let started = Instant::now();
        while self.metric(line) < least && started.elapsed() < Duration::from_secs(5) {
            std::thread::yield_now();
        }
        self.metric(line)
    }

    /// How often a plugin's hooks were called.
    pub(crate) fn calls(&self, plugin: &str) -> u64 {
        self.metric(&format!("gatehouse_plugin_calls_total{{plugin=\"{plugin}\"}}"))
    }

    /// A GET of a path.
    pub(crate) fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    /// A request.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.address(), method, path)
    }

    /// Lets verdicts age.
    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}
