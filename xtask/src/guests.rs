//! `cargo xtask guests`: plugins to components in `target/guests/NAME.wasm`.
//!
//! A folder is a guest by its place: as a crate of the workspace, or with a `plugin.toml`. The crates are built by one cargo
//! call to core modules, and each module is made a component; folders in other languages are built by the kit, one by one,
//! when something in them has changed. A component is written whole and then renamed, and only when it changed: the gateway
//! watches these files.

mod corpus;
mod folders;

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use gatehouse_kit::{Missing, rust};
use serde_json::Value;
use wit_component::DecodedWasm;

use crate::{apt, process};
pub(crate) use gatehouse_kit::rust::Way;

/// Where the components are; configurations of examples name this folder.
pub(crate) const FOLDER: &str = "target/guests";

/// Core modules and their intermediate files. Not shared with the gateway's build, so that neither waits for the other.
const BUILD_FOLDER: &str = "target/guests-build";

/// Folders whose subfolders are guest crates, with what comes after the subfolder.
const PLACES: [(&str, &str); 4] = [("plugins", ""), ("tests/guests", ""), ("bench/guests", ""), ("examples", "plugin")];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which compiler builds them: rustup's, or Debian's where rustup can not fetch the target
    #[arg(long, value_enum, default_value_t = Way::Auto)]
    toolchain: Way,
}

/// A crate that becomes a component.
struct Guest {
    name: String,
    folder: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    build(options.toolchain)
}

/// Builds all guests.
pub(crate) fn build(way: Way) -> Result<()> {
    let start = Instant::now();
    let guests = find()?;
    if guests.is_empty() {
        println!("there are no guest crates");
        return Ok(());
    }
    let mut cargo = installed(|| rust::cargo(way))?;
    cargo.args(["build", "--profile", "guest", "--target", rust::TARGET, "--target-dir", BUILD_FOLDER]);
    for guest in &guests {
        cargo.args(["--package", &guest.name]);
    }
    println!("building {} guests with {}", guests.len(), cargo.get_program().to_string_lossy());
    process::run(&mut cargo).context("building the guests")?;
    fs::create_dir_all(FOLDER)?;
    let failed = guests.iter().filter(|guest| {
        let encoded = encode(guest).inspect_err(|error| println!("  {:<24}failed: {error:#}", guest.name));
        encoded.is_err()
    });
    let failed = failed.count() + folders::build()?;
    corpus::build()?;
    match failed {
        0 => println!("guests are in {FOLDER} ({:.1} s)", start.elapsed().as_secs_f32()),
        failed => bail!("{failed} guests can not be made components"),
    }
    Ok(())
}

/// Does something that may need packages of Debian, and installs them when it does.
fn installed<T>(act: impl Fn() -> Result<T>) -> Result<T> {
    let result = act();
    match result.as_ref().err().and_then(|error| error.downcast_ref::<Missing>()) {
        Some(missing) => {
            apt::install(missing.packages, missing.purpose)?;
            act()
        }
        None => result,
    }
}

/// Builds the core module of a crate that is a workspace of its own; where it is.
pub(crate) fn module(folder: &Path, name: &str, way: Way) -> Result<PathBuf> {
    let mut cargo = installed(|| rust::cargo(way))?;
    cargo.args(["build", "--release", "--quiet", "--target", rust::TARGET, "--target-dir", BUILD_FOLDER]);
    process::run(cargo.arg("--manifest-path").arg(folder.join("Cargo.toml")))?;
    Ok(Path::new(BUILD_FOLDER).join(rust::TARGET).join("release").join(format!("{name}.wasm")))
}

/// Where the core modules of the guests are.
pub(crate) fn modules() -> PathBuf {
    Path::new(BUILD_FOLDER).join(rust::TARGET).join("guest")
}

/// Folders that look like guest crates but are no members of the workspace, so that nobody would build them.
pub(crate) fn forgotten() -> Result<Vec<PathBuf>> {
    let known = find()?;
    let mut forgotten = Vec::new();
    for (place, rest) in PLACES {
        let Ok(entries) = fs::read_dir(place) else { continue };
        let folders = entries.filter_map(Result::ok).map(|entry| Path::new(place).join(entry.file_name()).join(rest));
        let folders = folders.map(|folder| folder.components().collect::<PathBuf>());
        let crates = folders.filter(|folder| folder.join("Cargo.toml").is_file());
        forgotten.extend(crates.filter(|folder| !known.iter().any(|guest| guest.folder == *folder)));
    }
    Ok(forgotten)
}

/// All guest crates of the workspace, by name.
fn find() -> Result<Vec<Guest>> {
    let metadata = process::output(process::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("reading what cargo says of the workspace")?;
    let root = env::current_dir()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut guests: Vec<_> = packages.filter_map(|package| guest(package, &root)).collect();
    guests.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(guests)
}

/// A package of the workspace, if it lies where guests do.
fn guest(package: &Value, root: &Path) -> Option<Guest> {
    let manifest = Path::new(package["manifest_path"].as_str()?);
    let folder = manifest.parent()?.strip_prefix(root).ok()?;
    let is_guest = PLACES.iter().any(|(place, rest)| {
        let inner = folder.strip_prefix(place).map(|inner| inner.components().count());
        inner == Ok(if rest.is_empty() { 1 } else { 2 }) && folder.ends_with(rest)
    });
    let name = package["name"].as_str()?.to_owned();
    is_guest.then(|| Guest { name, folder: folder.to_owned() })
}

/// Makes a component of a guest's core module, and says what it imports beside the gateway's own contract.
fn encode(guest: &Guest) -> Result<()> {
    put(&guest.name, &rust::component(&modules().join(rust::file(&guest.name)))?)
}

/// Puts a component where the gateway finds it, and says what it imports beside the gateway's own contract.
fn put(name: &str, component: &[u8]) -> Result<()> {
    write(&Path::new(FOLDER).join(format!("{name}.wasm")), component)?;
    let imports = foreign_imports(component)?;
    let imports = if imports.is_empty() { String::new() } else { format!("  imports {}", imports.join(", ")) };
    println!("  {name:<24}{:>6.1} KiB{imports}", component.len() as f64 / 1024.0);
    Ok(())
}

/// Replaces a file in one step, if its content is another.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&temporary, content)?;
    fs::rename(&temporary, path).with_context(|| format!("writing {}", path.display()))
}

/// What a component imports beyond `gatehouse:plugin`.
fn foreign_imports(component: &[u8]) -> Result<Vec<String>> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("it is a package of interfaces, not a component");
    };
    let names = resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key));
    Ok(names.filter(|name| !name.starts_with("gatehouse:plugin/")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_a_guest_by_its_folder() {
        let found = |folder: &str| {
            let manifest = format!("/repository/{folder}/Cargo.toml");
            let package = serde_json::json!({ "name": "a-b", "manifest_path": manifest });
            guest(&package, Path::new("/repository")).is_some()
        };
        for folder in ["plugins/jwt", "tests/guests/probe", "bench/guests/bench-filter", "examples/own/plugin"] {
            assert!(found(folder), "{folder}");
        }
        for folder in ["host", "sdk/rust", "bench/bare", "examples/own", "plugins/jwt/fuzz", "examples/own/other"] {
            assert!(!found(folder), "{folder}");
        }
    }
}
