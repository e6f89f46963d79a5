//! Rules for what the documentation promises: its commands are known, its links lead somewhere, its curl lines are those
//! that an example's check makes, and nothing that ships is without a page or a test.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::Parser as _;

use super::{File, Finding, folders, read};
use crate::{Cli, demo, guests, process};

/// A newcomer reads this much.
const README_LINES: usize = 150;

/// All findings.
pub(super) fn check(sources: &[File]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut pages = vec![PathBuf::from("README.md"), PathBuf::from("bench/README.md")];
    let parts: Vec<_> = [folders("plugins"), folders("examples")].concat();
    pages.extend(parts.iter().map(|folder| folder.join("README.md")));
    for page in pages {
        match read(page.clone()) {
            Ok(page) => findings.extend(page_findings(&page)?),
            Err(_) => findings.push(Finding { path: page, line: 0, rule: "is missing".to_owned() }),
        }
    }
    findings.extend(smallest_plugin());
    findings.extend(examples_without_requests());
    findings.extend(guests_without_a_test(sources));
    let rule = "is no member of the workspace, so nobody builds it";
    findings.extend(guests::forgotten()?.into_iter().map(|path| Finding { path, line: 0, rule: rule.to_owned() }));
    Ok(findings)
}

fn page_findings(page: &File) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let lines = page.text.lines().count();
    if page.path == Path::new("README.md") && lines >= README_LINES {
        findings.push(page.finding(0, format!("{lines} lines, under {README_LINES} wanted")));
    }
    let tried = tried_lines(&page.path)?;
    let mut in_code = false;
    for (index, line) in page.text.lines().enumerate() {
        in_code ^= line.trim_start().starts_with("```");
        let rule = if in_code { unknown_command(line, &tried) } else { dead_link(page, line) };
        findings.extend(rule.map(|rule| page.finding(index + 1, rule)));
    }
    Ok(findings)
}

/// The text of the requests that the example's check makes: an example's page is about itself, others about quickstart.
fn tried_lines(page: &Path) -> Result<String> {
    let example =
        page.parent().filter(|folder| folder.starts_with("examples")).unwrap_or(Path::new("examples/quickstart"));
    let path = example.join("requests.txt");
    fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// Why a line of a code block is not a command that works.
fn unknown_command(line: &str, tried: &str) -> Option<String> {
    let line = line.trim().trim_start_matches("$ ");
    let line = line.split(" #").next().unwrap_or(line).trim_end();
    if line.starts_with("curl ") {
        return (!tried.lines().any(|known| known == line)).then(|| "this curl line is not in requests.txt".to_owned());
    }
    let words: Vec<_> = line.split_whitespace().collect();
    match words[..] {
        ["cargo", "xtask", ..] => Cli::try_parse_from(&words[1..]).err().and_then(|error| {
            let help = error.kind() == clap::error::ErrorKind::DisplayHelp;
            (!help).then(|| format!("not a command of xtask: {line}"))
        }),
        ["gatehouse" | "target/release/gatehouse", command, ..] if !gateway_knows(command) => {
            Some(format!("not a command of gatehouse: {command}"))
        }
        _ => None,
    }
}

/// Whether the gateway's program has a command. A program that was not built yet is not asked.
fn gateway_knows(command: &str) -> bool {
    let program = demo::gateway();
    !program.exists() || process::output(process::command(program).args([command, "--help"])).is_ok()
}

/// Why a link to a file of ours leads nowhere.
fn dead_link(page: &File, line: &str) -> Option<String> {
    let folder = page.path.parent().unwrap_or(Path::new(""));
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let mut local = targets.filter(|target| !target.is_empty() && !target.contains("://"));
    local.find(|target| !folder.join(target).exists()).map(|target| format!("there is no {target}"))
}

/// The plugin in the README must be the SDK's example, which is compiled and run as a test of its documentation.
fn smallest_plugin() -> Option<Finding> {
    let readme = read("README.md".into()).ok()?;
    let sdk = read("sdk/rust/src/lib.rs".into()).ok()?;
    let documented: Vec<_> = sdk.text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let documented: Vec<_> = documented.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let (_, plugin) = readme.text.split_once("```rust\n")?;
    let (plugin, _) = plugin.split_once("```")?;
    let same = documented.join("\n").contains(plugin.trim_end());
    (!same).then(|| readme.finding(0, "the smallest plugin is not the example of sdk/rust/src/lib.rs"))
}

fn examples_without_requests() -> Vec<Finding> {
    let missing =
        folders("examples").into_iter().map(|folder| folder.join("requests.txt")).filter(|path| !path.is_file());
    missing
        .map(|path| Finding { path, line: 0, rule: "is missing: what can be tried, with the answers".to_owned() })
        .collect()
}

/// Each test guest must be named in a test: one without is forgotten, or its test is.
fn guests_without_a_test(sources: &[File]) -> Vec<Finding> {
    let tests: Vec<_> = sources
        .iter()
        .filter(|file| file.path.starts_with("tests") && !file.path.starts_with("tests/guests"))
        .collect();
    let untested = folders("tests/guests").into_iter().filter(|folder| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        !tests.iter().any(|file| file.text.contains(name.as_ref()))
    });
    untested.map(|path| Finding { path, line: 0, rule: "no test names this guest".to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_a_code_block_must_be_known() {
        let tried = "curl -i http://127.0.0.1:8080/health\n";
        for good in
            ["cargo xtask demo --check", "$ cargo xtask test", "curl -i http://127.0.0.1:8080/health", "cargo build"]
        {
            assert_eq!(unknown_command(good, tried), None, "{good}");
        }
        for bad in ["cargo xtask dmo", "cargo xtask demo --chek", "curl -i http://127.0.0.1:8080/other"] {
            assert!(unknown_command(bad, tried).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_link_must_lead_to_a_file() {
        let page = File { path: "Cargo.toml".into(), text: String::new() };
        assert_eq!(dead_link(&page, "see [this](Cargo.toml) and [that](https://example.com/x)"), None);
        assert!(dead_link(&page, "see [this](nowhere.md#part)").is_some());
    }
}
