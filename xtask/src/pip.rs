//! Packages of Python's registry, each in an environment of its own.

use std::path::Path;

use anyhow::Result;

use crate::{apt, process};

/// Makes an environment in a folder and installs a package into it. `purpose` completes "... needs".
pub(crate) fn install(folder: &Path, package: &str, options: &[&str], purpose: &str) -> Result<()> {
    println!("installing {package} ...");
    let environment = || process::output(process::command("python3").args(["-m", "venv", "--clear"]).arg(folder));
    if environment().is_err() {
        apt::install(&["python3-venv"], purpose)?;
        environment()?;
    }
    let mut pip = process::command(folder.join("bin/pip"));
    process::output(pip.args(["install", "--quiet"]).args(options).arg(package)).map(drop)
}
