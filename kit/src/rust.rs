//! Plugins in Rust: a core module by cargo, made a component.

mod toolchain;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use wit_component::ComponentEncoder;

pub use toolchain::{TARGET, Way, cargo};

use crate::{Project, command::run};

/// Makes the component.
pub(crate) fn build(project: &Project, work: &Path) -> Result<Vec<u8>> {
    let mut cargo = cargo(Way::Auto)?;
    cargo.current_dir(&project.folder).args(["build", "--release", "--target", TARGET, "--target-dir"]).arg(work);
    if project.debug_info {
        cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only").env("CARGO_PROFILE_RELEASE_STRIP", "none");
    }
    run(cargo.args(["--package", &project.name]))?;
    component(&work.join(TARGET).join("release").join(file(&project.name)))
}

/// The file of a package's core module.
pub fn file(package: &str) -> String {
    format!("{}.wasm", package.replace('-', "_"))
}

/// Makes a component of a core module.
pub fn component(module: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(module)
        .with_context(|| format!("reading {} (is `crate-type = [\"cdylib\"]` in the manifest?)", module.display()))?;
    ComponentEncoder::default().validate(true).module(&bytes)?.encode()
}
