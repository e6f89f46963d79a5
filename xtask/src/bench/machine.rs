//! The machine that results are from, in words: a figure without it says little.

use std::{fs, thread};

use super::peer;
use crate::process;

/// What a reader of results wants to know, as name and value.
pub(super) fn describe() -> Vec<(&'static str, String)> {
    vec![
        ("processor", field("/proc/cpuinfo", "model name")),
        ("cores", thread::available_parallelism().map_or(0, usize::from).to_string()),
        ("system", field("/etc/os-release", "PRETTY_NAME")),
        ("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()),
        ("compiler", said("rustc", &["--version"])),
        ("commit", said("git", &["rev-parse", "--short", "HEAD"])),
        ("gateway", peer::gateway_is_built().to_owned()),
    ]
}

/// The day, as in 2026-01-31.
pub(super) fn today() -> String {
    said("date", &["-u", "+%Y-%m-%d"])
}

/// The value of `name : value` or `name="value"` in a file of lines.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap_or("unknown").trim_matches([' ', '\t', ':', '=', '"']).to_owned()
}

fn said(program: &str, args: &[&str]) -> String {
    let output = process::output(process::command(program).args(args));
    output.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}
