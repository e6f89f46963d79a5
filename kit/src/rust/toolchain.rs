//! Which compiler builds guests: rustup's with the target's own standard library; where rustup can not fetch that,
//! Debian's, which builds the standard library from its sources.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{apt, process};

/// No WASI: a guest imports nothing that it does not ask for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler with its sources, recent enough for this workspace; the plain `rustc` of Debian 12 is not.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// How long rustup may take to fetch the target's standard library (about 30 MB).
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// The ways to build guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Way {
    /// Rustup's compiler; where the target can not be had, Debian's
    Auto,
    /// The toolchain that rustup manages
    Rustup,
    /// Debian's rustc-web
    Debian,
}

/// The cargo that builds guests, with what it takes installed.
pub(super) fn cargo(way: Way) -> Result<Command> {
    match way {
        Way::Rustup if !rustup_has_target() => bail!("rustup can not add the target {TARGET}"),
        Way::Rustup => Ok(process::cargo()),
        Way::Auto if rustup_has_target() => Ok(process::cargo()),
        Way::Auto => {
            println!("rustup can not add the target {TARGET} here: building with Debian's compiler instead");
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
    let installed = process::output(process::command("rustup").args(["target", "list", "--installed"]));
    match installed {
        Ok(list) if list.lines().any(|line| line == TARGET) => true,
        Ok(_) => {
            println!("asking rustup for the target {TARGET} ...");
            process::succeeds_within(process::command("rustup").args(["target", "add", TARGET]), RUSTUP_LIMIT)
        }
        Err(_) => false,
    }
}

/// Debian's cargo, told to build the standard library too.
fn debian_cargo() -> Result<Command> {
    if !debian_is_complete() {
        apt::install(&PACKAGES, "building guests")?;
    }
    let mut cargo = process::command("/usr/bin/cargo");
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
    let sources = process::output(debian_rustc().args(["--print", "sysroot"]))
        .map(|sysroot| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.toml"));
    Path::new("/usr/bin/cargo").exists() && sources.is_ok_and(|file| file.exists())
}

fn debian_rustc() -> Command {
    let mut rustc = process::command("/usr/bin/rustc");
    rustc.env_remove("RUSTUP_TOOLCHAIN");
    rustc
}

/// The linker for Wasm. Debian's compiler brings none of its own; rustup's toolchains do.
fn linker() -> Result<PathBuf> {
    let sysroot = process::output(process::command("rustc").args(["--print", "sysroot"])).unwrap_or_default();
    let host = process::output(debian_rustc().args(["--print", "host-tuple"]))?;
    let bundled = Path::new(sysroot.trim()).join("lib/rustlib").join(host.trim()).join("bin/rust-lld");
    let mut known = [bundled, PathBuf::from("/usr/bin/rust-lld")].into_iter();
    known.find(|path| path.exists()).context(
        "linking guests needs rust-lld: install a toolchain with rustup, or Debian's rust-web-llvm and the lld it names",
    )
}
