//! `cargo xtask tidy`: the rules of the code that the compiler does not know.
//!
//! A rule looks at text and reports a [`Finding`]; all findings are printed, not the first only. The rules themselves are
//! in `code` (Rust sources) and `docs` (what the documentation promises).

mod code;
mod contract;
mod docs;

use std::{
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};

use crate::process;

#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Runs clippy too; the first time it checks all dependencies, which takes some minutes
    #[arg(long)]
    lint: bool,
}

/// Where our own Rust code is.
const SOURCES: [&str; 9] = ["encoders", "host", "sdk/rust", "plugins", "tests", "examples", "bench", "xtask", "fuzz"];

/// A place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    path: PathBuf,
    /// From 1; 0: the file as a whole.
    line: usize,
    rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.rule),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.rule),
        }
    }
}

/// A file with its text.
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn finding(&self, line: usize, rule: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, rule: rule.into() }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    check(Options { lint: options.lint })
}

/// Runs all checks.
pub(crate) fn check(options: Options) -> Result<()> {
    let sources = sources()?;
    let mut findings: Vec<_> = sources.iter().flat_map(code::check).collect();
    findings.extend(docs::check(&sources)?);
    findings.extend(contract::check()?);
    for finding in &findings {
        println!("{finding}");
    }
    println!("{} Rust files looked at, {} findings", sources.len(), findings.len());
    println!("cargo fmt --all --check (it lists the files to format)");
    let formatted = process::run(process::cargo().args(["fmt", "--all", "--check", "--", "-l"]));
    if options.lint {
        let clippy = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
        println!("cargo {}", clippy.join(" "));
        process::run(process::cargo().args(clippy))?;
    }
    if !findings.is_empty() {
        bail!("{} rules are broken", findings.len());
    }
    formatted
}

/// All Rust files of ours, by path.
fn sources() -> Result<Vec<File>> {
    let mut paths = Vec::new();
    for place in SOURCES {
        walk(Path::new(place), &mut paths)?;
    }
    paths.retain(|path| path.extension() == Some(OsStr::new("rs")));
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> Result<File> {
    let text = fs::read_to_string(&path)?;
    Ok(File { path, text })
}

/// All files below a folder but for what tools put there. A folder that does not exist has none.
fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            walk(&path, paths)?;
        } else if path.is_file() {
            paths.push(path);
        }
    }
    Ok(())
}

/// The subfolders of a folder, by name. None when it does not exist.
fn folders(place: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}
