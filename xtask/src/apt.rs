//! Packages of Debian that a command needs: installed when xtask runs as root, named otherwise.

use std::{os::unix::fs::MetadataExt as _, path::Path, time::Instant};

use anyhow::{Result, bail};

use crate::process;

/// Installs packages, or says in one sentence what to install. `purpose` completes "for ...".
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let names = packages.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("{purpose} needs what Debian packages as {names}: install it and run this again");
    }
    if !is_root() {
        bail!(
            "{purpose} needs Debian packages: run `apt-get install --no-install-recommends {names}` as root, then this again"
        );
    }
    println!("{purpose} needs {names}: installing from Debian ...");
    let start = Instant::now();
    process::output(apt_get().args(["-q", "update"]))?;
    process::output(apt_get().args(["-q", "install", "-y", "--no-install-recommends"]).args(packages))?;
    println!("installed in {:.0} s", start.elapsed().as_secs_f32());
    Ok(())
}

/// Waits for another apt to end, and asks nothing.
fn apt_get() -> std::process::Command {
    let mut command = process::command("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}
