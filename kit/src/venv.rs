//! Environments of Python: what comes from its package index, in versions and with hashes that a requirements file pins.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{
    Missing, Tools,
    command::{command, output},
    embedded::put,
    tools::program,
};

/// The folder of the tools for a language, with the environment `venv` in it, made once.
pub(crate) fn fetched(tools: &Tools, name: &str, purpose: &'static str, requirements: &str) -> Result<PathBuf> {
    let missing = || Missing {
        purpose,
        what: "Python 3 with its module venv".to_owned(),
        packages: &["python3", "python3-venv"],
        elsewhere: "from python.org",
    };
    tools.fetched(name, requirements, |folder| {
        let python = program("python3", missing)?;
        let venv = folder.join("venv");
        if output(command(python).args(["-m", "venv", "--clear"]).arg(&venv)).is_err() {
            bail!(missing());
        }
        put(&folder.join("requirements.txt"), requirements)?;
        let mut pip = command(venv.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", "--requirement"]);
        output(pip.arg(folder.join("requirements.txt"))).map(drop)
    })
}
