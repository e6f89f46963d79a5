//! The parsers: where each comes from, how it is asked, and what of its way to tell fields is not the reading of them.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{apt, pip, process};

/// Of Python's registry, with their versions.
const PACKAGES: [&str; 6] =
    ["h11==0.16.0", "httptools==0.9.0", "gunicorn==27.0.1", "waitress==3.0.2", "aiohttp==3.14.5", "tornado==6.6.1"];

/// Of Debian: a file, and the package that has it.
const DEBIAN: [(&str, &str); 4] = [
    ("/usr/sbin/nginx", "nginx"),
    ("/usr/sbin/haproxy", "haproxy"),
    ("/usr/sbin/apache2", "apache2-bin"),
    ("/usr/sbin/lighttpd", "lighttpd"),
];

const PYTHON: &str = include_str!("parsers.py");
const NODE: &str = include_str!("node.mjs");
const GO: &str = include_str!("parsers.go");

/// What a server that forwards says itself, or says anew: it is not compared.
const OF_A_PROXY: &[&str] = &[
    "content-length",
    "transfer-encoding",
    "connection",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-host",
    "forwarded",
    "via",
];

/// A parser.
pub(super) struct Reader {
    pub(super) name: &'static str,
    program: Program,
    /// Whether it tells fields of one name as one.
    pub(super) joins: bool,
    /// Fields that are not compared.
    pub(super) leaves_out: &'static [&'static str],
}

enum Program {
    Python,
    /// A server, with its package; it is asked by the script in Python.
    Debian(&'static str),
    Node,
    Go,
}

const fn python(name: &'static str) -> Reader {
    Reader { name, program: Program::Python, joins: false, leaves_out: &[] }
}

const fn debian(name: &'static str, package: &'static str) -> Reader {
    Reader { name, program: Program::Debian(package), joins: false, leaves_out: OF_A_PROXY }
}

pub(super) const READERS: [Reader; 12] = [
    Reader { program: Program::Node, ..python("node") },
    Reader { program: Program::Go, ..python("go") },
    python("h11"),
    python("httptools"),
    python("gunicorn"),
    // It is told as for CGI: joined, and without the framing once that has been read.
    Reader { joins: true, leaves_out: &["transfer-encoding", "content-length"], ..python("waitress") },
    python("aiohttp"),
    python("tornado"),
    debian("nginx", "nginx"),
    debian("haproxy", "haproxy"),
    Reader { joins: true, ..debian("apache", "apache2-bin") },
    Reader { joins: true, ..debian("lighttpd", "lighttpd") },
];

/// Installs what is not there.
pub(super) fn install(folder: &Path) -> Result<()> {
    let missing: Vec<_> = DEBIAN.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, name)| *name).collect();
    if !missing.is_empty() {
        apt::install(&missing, "comparing parsers")?;
    }
    let done = folder.join(PACKAGES.join(" "));
    if !done.exists() {
        let options = [&["--prefer-binary"], &PACKAGES[1..]].concat();
        pip::install(&folder.join("python"), PACKAGES[0], &options, "comparing parsers")?;
        fs::write(&done, "")?;
    }
    for (name, text) in [("parsers.py", PYTHON), ("node.mjs", NODE), ("parsers.go", GO)] {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

impl Reader {
    /// What it reads of each case: a list of requests, or a text that says why it has refused.
    pub(super) fn read(&self, folder: &Path, input: &str) -> Result<Vec<Value>> {
        let mut command = match self.program {
            Program::Python | Program::Debian(_) => {
                let mut python = process::command(folder.join("python/bin/python"));
                python.args(["parsers.py", self.name]);
                python
            }
            Program::Node => with("node", &["node.mjs"]),
            Program::Go => with("go", &["run", "parsers.go"]),
        };
        let mut child = command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("its standard input is piped")?;
        // All of it is read before anything is written.
        stdin.write_all(input.as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("it ended with {}", output.status);
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Which it is.
    pub(super) fn version(&self) -> Result<String> {
        let told = |command: &mut Command| Ok(process::output(command)?.trim().to_owned());
        match self.program {
            Program::Python => {
                let version = PACKAGES.iter().find_map(|package| package.strip_prefix(self.name)?.strip_prefix("=="));
                Ok(version.unwrap_or_default().to_owned())
            }
            Program::Debian(package) => told(&mut with("dpkg-query", &["-W", "-f", "${Version}", package])),
            Program::Node => told(&mut with("node", &["--version"])),
            Program::Go => told(&mut with("go", &["env", "GOVERSION"])),
        }
    }
}

fn with(program: &str, arguments: &[&str]) -> Command {
    let mut command = process::command(program);
    command.args(arguments);
    command
}
