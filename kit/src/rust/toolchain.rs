//! Which compiler builds plugins: rustup's with the target's own standard library; where rustup can not fetch that,
//! Debian's, which builds the standard library from its sources.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    Missing,
    command::{command, output, succeeds_within},
};

/// No WASI: a plugin imports nothing that it does not ask for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler with its sources, recent enough for this workspace; the plain `rustc` of Debian 12 is not.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// How long rustup may take to fetch the target's standard library (about 30 MB).
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// The ways to build plugins in Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Rustup's compiler; where the target can not be had, Debian's
    Auto,
    /// The toolchain that rustup manages
    Rustup,
    /// Debian's rustc-web
    Debian,
}

/// The cargo that builds them. [`Missing`] when neither way is there.
pub fn cargo(way: Way) -> Result<Command> {
    match way {
        Way::Rustup if !rustup_has_target() => bail!("rustup can not add the target {TARGET}"),
        Way::Rustup => Ok(command("cargo")),
        Way::Auto if rustup_has_target() => Ok(command("cargo")),
        Way::Auto => {
            eprintln!("rustup can not add the target {TARGET} here: building with Debian's compiler instead");
            debian_cargo()
        }
        Way::Debian => debian_cargo(),
    }
}

/// Whether rustup's toolchain can build for the target, after trying to fetch it, once.
fn rustup_has_target() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(fetch_target)
}

fn fetch_target() -> bool {
    let installed = output(command("rustup").args(["target", "list", "--installed"]));
    match installed {
        Ok(list) if list.lines().any(|line| line == TARGET) => true,
        Ok(_) => {
            eprintln!("asking rustup for the target {TARGET} ...");
            succeeds_within(command("rustup").args(["target", "add", TARGET]), RUSTUP_LIMIT)
        }
        Err(_) => false,
    }
}

/// Debian's cargo, told to build the standard library too.
fn debian_cargo() -> Result<Command> {
    if !debian_is_complete() {
        return Err(Missing {
            purpose: "building Rust for Wasm",
            what: format!("the target {TARGET}"),
            packages: &PACKAGES,
            elsewhere: "by `rustup target add`",
        }
        .into());
    }
    let mut cargo = command("/usr/bin/cargo");
    // The names that would bring another toolchain back in.
    for name in ["RUSTUP_TOOLCHAIN", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"]
    {
        cargo.env_remove(name);
    }
    // Cargo starts `rustc` by its name for some questions; rustup's stand-in must not answer.
    cargo.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker()?);
    cargo.arg("-Zbuild-std=std,panic_abort");
    Ok(cargo)
}

fn debian_is_complete() -> bool {
    let sources = output(debian_rustc().args(["--print", "sysroot"]))
        .map(|sysroot| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.toml"));
    Path::new("/usr/bin/cargo").exists() && sources.is_ok_and(|file| file.exists())
}

fn debian_rustc() -> Command {
    let mut rustc = command("/usr/bin/rustc");
    rustc.env_remove("RUSTUP_TOOLCHAIN");
    rustc
}

/// The linker for Wasm. Debian's compiler brings none of its own; rustup's toolchains do.
fn linker() -> Result<PathBuf> {
    let sysroot = output(command("rustc").args(["--print", "sysroot"])).unwrap_or_default();
    let host = output(debian_rustc().args(["--print", "host-tuple"]))?;
    let bundled = Path::new(sysroot.trim()).join("lib/rustlib").join(host.trim()).join("bin/rust-lld");
    let mut known = [bundled, PathBuf::from("/usr/bin/rust-lld")].into_iter();
    known.find(|path| path.exists()).context(
        "linking plugins needs rust-lld: install a toolchain with rustup, or Debian's rust-web-llvm and the lld it names",
    )
}
