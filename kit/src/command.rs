//! Child processes: toolchains, whose words are shown when they fail. A child never sees what an outer cargo put into the
//! environment for the program it runs, and reads no input.

use std::{
    env,
    ffi::OsStr,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// What a user may have set to say how cargo reaches its registry, or how and where it builds. Other `CARGO_*` variables
/// are an outer cargo's own words to the program it runs.
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

/// A command without an outer cargo's environment, which reads no input.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_cargos) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether an outer cargo set a variable for the program it runs. Its library path would make another toolchain's compiler
/// load the wrong libraries.
fn is_cargos(name: &str) -> bool {
    let kept = KEPT.iter().any(|kept| name.starts_with(kept));
    name == "CARGO" || name == "RUSTC" || name == "LD_LIBRARY_PATH" || (name.starts_with("CARGO_") && !kept)
}

/// Runs a command with its output shown; an error when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", line(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command with its output kept back; an error carries it.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("starting {}", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = if said.trim().is_empty() { String::from_utf8_lossy(&output.stdout) } else { said };
        bail!("{} failed ({}):\n{}", line(command), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command silently, and ends it when it takes too long. True when it succeeded in time.
pub fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let Ok(mut child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else { return false };
    let end = Instant::now() + limit;
    while Instant::now() < end {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(Duration::from_millis(20)),
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}

/// A command as a line for people.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
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
