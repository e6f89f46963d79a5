//! Pingora: a library, so the peer is a program of ours over it (`bench/pingora`), built on its own.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::{configured, debian};
use crate::{bench::FOLDER, process};

/// Builds it. One of its dependencies is written in C and built by cmake.
pub(super) fn install() -> Result<()> {
    debian::bring("/usr/bin/cmake", &["cmake", "make", "gcc", "g++", "libc6-dev"])?;
    println!("building a proxy over Pingora (the first time this takes some minutes)");
    let mut cargo = process::cargo();
    cargo.args(["build", "--release", "--quiet", "--manifest-path", "bench/pingora/Cargo.toml"]);
    process::run(cargo.arg("--target-dir").arg(Path::new(FOLDER).join("pingora")))
}

pub(super) fn command() -> Result<Command> {
    let mut command = process::command(Path::new(FOLDER).join("pingora/release/pingora-peer"));
    command.arg("-c").arg(configured("pingora.yaml"));
    Ok(command)
}
