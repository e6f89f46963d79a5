//! Programs for cargo that are not Debian's: installed when they are first needed, each version in a folder of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process;

const FOLDER: &str = "target/tools";

/// A program of crates.io.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// A later one may find other things.
    pub(crate) version: &'static str,
}

impl Tool {
    /// Where it is, after installing it if it is not there.
    pub(crate) fn bring(&self) -> Result<PathBuf> {
        let root = Path::new(FOLDER).join(format!("{}-{}", self.name, self.version));
        let program = root.join("bin").join(self.name);
        if !program.exists() {
            println!("installing {} {} (once; this takes some minutes)", self.name, self.version);
            let mut cargo = process::cargo();
            cargo.args(["install", "--quiet", "--locked", self.name, "--version", self.version, "--root"]).arg(&root);
            // It is not its speed that counts.
            cargo.env("CARGO_PROFILE_RELEASE_LTO", "false").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
            process::run(&mut cargo)?;
        }
        program.canonicalize().with_context(|| format!("{} was installed, but is not there", program.display()))
    }
}
