//! Child processes: run to their end (by the kit), or for as long as a value lives.

use std::{
    env,
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

pub(crate) use gatehouse_kit::command::{command, line, output, run};

/// Cargo, of the same toolchain that built xtask.
pub(crate) fn cargo() -> Command {
    command("cargo")
}

/// Where cargo puts the programs of the release profile.
pub(crate) fn release_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from).join("release")
}

/// A child that lives as long as this value.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts a command.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().with_context(|| format!("starting {}", line(command)))?))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.id().try_into()?), signal).with_context(|| format!("{signal} to process {}", self.id()))
    }

    /// Asks it to end (SIGTERM) and waits; after the limit it is killed. True when it ended by itself with success.
    pub(crate) fn stop(mut self, limit: Duration) -> bool {
        let asked = self.signal(Signal::SIGTERM);
        asked.is_ok() && self.ended_within(limit).is_some_and(|status| status.success())
    }

    /// Waits for its end, so long at the most.
    pub(crate) fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Ok(Some(status)) = self.0.try_wait() {
                return Some(status);
            }
            if Instant::now() >= end {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
