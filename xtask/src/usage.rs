//! What the system knows of a process: its CPU time and its memory.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use nix::{
    sys::resource::{Resource, getrlimit, setrlimit},
    time::clock_getcpuclockid,
    unistd::Pid,
};

/// User and system time of a process with all its threads, ended ones too: the kernel's own sum of what its scheduler
/// gave, which `/proc/PID/stat` rounds to hundredths of a second.
pub(crate) fn cpu_time(id: u32) -> Result<Duration> {
    let id = Pid::from_raw(id.try_into()?);
    let clock = clock_getcpuclockid(id).with_context(|| format!("the clock of process {id}"))?;
    Ok(clock.now()?.into())
}

/// Lets this process and its children have as many connections as the system allows.
pub(crate) fn allow_many_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Lets the peak begin anew at what it has now. Where that is not allowed, the peak is that of its life.
pub(crate) fn reset_peak(id: u32) {
    let _ = fs::write(format!("/proc/{id}/clear_refs"), "5");
}

/// The peak of resident memory, in MB.
pub(crate) fn peak_memory(id: u32) -> Result<f64> {
    status(id, "VmHWM:")
}

/// Resident memory now, in MB.
pub(crate) fn memory(id: u32) -> Result<f64> {
    status(id, "VmRSS:")
}

/// Open descriptors.
pub(crate) fn descriptors(id: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{id}/fd"))?.count())
}

/// Threads.
pub(crate) fn threads(id: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{id}/task"))?.count())
}

fn status(id: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_process_is_seen() {
        let id = std::process::id();
        assert!(cpu_time(id).expect("a clock") > Duration::ZERO);
        assert!(descriptors(id).expect("descriptors") > 2 && threads(id).expect("threads") > 0);
        assert!(memory(id).expect("memory") > 0.0 && peak_memory(id).expect("a peak") > 0.0);
    }
}
