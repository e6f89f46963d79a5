//! Child processes: run to their end, or for as long as a value lives.
//!
//! A child never sees what the outer cargo put into the environment for xtask itself, and reads no input.

use std::{
    env,
    ffi::OsStr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// What a user may have set to say how cargo reaches its registry, or how and where it builds. Other `CARGO_*` variables
/// are the outer cargo's own words to xtask.
const KEPT: [&str; 8] = [
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CARGO_PROFILE_",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRIES_",
    "CARGO_TERM_",
    "CARGO_BUILD_JOBS",
];

/// A command without the outer cargo's environment.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_cargos) {
            command.env_remove(name);
        }
    }
    command
}

/// Cargo, of the same toolchain that built xtask.
pub(crate) fn cargo() -> Command {
    command("cargo")
}

/// Whether the outer cargo set a variable for xtask. Its library path would make another toolchain's compiler load
/// the wrong libraries.
fn is_cargos(name: &str) -> bool {
    let kept = KEPT.iter().any(|kept| name.starts_with(kept));
    name == "CARGO" || name == "RUSTC" || name == "LD_LIBRARY_PATH" || (name.starts_with("CARGO_") && !kept)
}

/// Where cargo puts the programs of the release profile.
pub(crate) fn release_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from).join("release")
}

/// Runs a command with its output shown; an error when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", line(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command with its output kept back; an error carries it.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {}", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = if said.trim().is_empty() { String::from_utf8_lossy(&output.stdout) } else { said };
        bail!("{} failed ({}):\n{}", line(command), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command silently, and ends it when it takes too long. True when it succeeded in time.
pub(crate) fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else { return false };
    let mut child = Running(child);
    let end = Instant::now() + limit;
    while Instant::now() < end {
        match child.0.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(20)),
            Err(_) => return false,
        }
    }
    false
}

/// A command as a line for people.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_cargos_variables_are_known_and_the_users_are_kept() {
        for name in ["CARGO", "RUSTC", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "LD_LIBRARY_PATH"] {
            assert!(is_cargos(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_HTTP_CAINFO", "RUSTUP_TOOLCHAIN", "PATH"] {
            assert!(!is_cargos(name), "{name}");
        }
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let start = Instant::now();
        assert!(!succeeds_within(command("sleep").arg("30"), Duration::from_millis(50)));
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
