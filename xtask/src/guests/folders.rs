//! Guests in other languages than Rust: folders with a `plugin.toml`, built by the kit.
//!
//! Their toolchains take seconds each, so a folder is built again only when it, its SDK or this program has changed.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};
use gatehouse_kit::{Language, Project, Tools};

use super::{BUILD_FOLDER, FOLDER, PLACES, installed, put};

/// The tools of the languages, fetched once.
const TOOLS: &str = "target/tools";

/// What toolchains leave in a folder; it is no source.
const NOT_SOURCE: [&str; 3] = ["node_modules", "build", "__pycache__"];

/// Builds all of them; how many failed.
pub(super) fn build() -> Result<usize> {
    let tools = Tools::within(TOOLS);
    let mut failed = 0;
    for folder in find() {
        if let Err(error) = guest(&folder, &tools) {
            println!("  {:<24}failed: {error:#}", folder.display());
            failed += 1;
        }
    }
    Ok(failed)
}

/// The folders, by their paths.
fn find() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (place, rest) in PLACES {
        let entries = fs::read_dir(place).into_iter().flatten().filter_map(Result::ok);
        found.extend(entries.map(|entry| entry.path().join(rest)).filter(|folder| Project::is_in(folder)));
    }
    found.sort();
    found
}

fn guest(folder: &Path, tools: &Tools) -> Result<()> {
    let project = Project::read(folder)?;
    let stamp = Path::new(FOLDER).join(format!("{}.built-from", project.name));
    let sources = sources(folder, project.language)?;
    let component = Path::new(FOLDER).join(format!("{}.wasm", project.name));
    if component.exists() && fs::read_to_string(&stamp).is_ok_and(|old| old == sources) {
        return Ok(());
    }
    let start = Instant::now();
    let work = env::current_dir()?.join(BUILD_FOLDER).join(&project.name);
    let component = installed(|| gatehouse_kit::build(&project, &work, tools))?;
    put(&project.name, &component)?;
    println!("  {:<24}built from {} in {:.1} s", "", project.language, start.elapsed().as_secs_f32());
    fs::write(&stamp, sources).with_context(|| format!("writing {}", stamp.display()))
}

/// What a component is made from, as a number: the folder, its SDK, and what is built into this program.
fn sources(folder: &Path, language: Language) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for place in [folder, language.sdk(), Path::new("wit"), Path::new("kit")] {
        hash(place, &mut hasher).with_context(|| format!("reading {}", place.display()))?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let name = path.file_name().unwrap_or_default();
    if NOT_SOURCE.iter().any(|not| name == *not) {
        return Ok(());
    }
    name.hash(hasher);
    if !path.is_dir() {
        fs::read(path)?.hash(hasher);
        return Ok(());
    }
    let mut entries: Vec<_> = fs::read_dir(path)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    entries.iter().try_for_each(|entry| hash(entry, hasher))
}
