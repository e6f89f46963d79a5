//! Rules for Rust sources. Comments are not looked at, and for rules about what a part may name, tests are not either.

use std::path::Path;

use super::{File, Finding};

/// A file longer than this does more than one thing.
const LINES: usize = 500;

/// Names that say nothing of what a file owns.
const EMPTY_NAMES: [&str; 5] = ["utils", "helpers", "common", "manager", "misc"];

/// What is never committed. Written in halves, for this file is looked at too.
const UNFINISHED: [&str; 4] =
    [concat!("#[", "ignore"), concat!("to", "do!("), concat!("unimple", "mented!("), concat!("db", "g!(")];

/// Only some files may name something.
struct Reserved {
    /// Where the rule holds.
    place: &'static str,
    /// What must not be named.
    words: &'static [&'static str],
    /// Files and folders in `place` that may.
    except: &'static [&'static str],
    reason: &'static str,
}

const RESERVED: [Reserved; 5] = [
    Reserved {
        place: "host/src",
        words: &["wasmtime"],
        except: &["host/src/plugin.rs", "host/src/plugin"],
        reason: "only host/src/plugin/ names wasmtime",
    },
    Reserved {
        place: "host/src",
        words: &["Deserialize"],
        except: &["host/src/config.rs", "host/src/config", "host/src/trial/cases.rs"],
        reason: "only host/src/config/ and trial/cases.rs derive Deserialize",
    },
    Reserved {
        place: "host/src/gateway.rs",
        words: &["TcpStream", "TcpListener", "File", "fs::", "UdpSocket", "stdout", "stderr"],
        except: &[],
        reason: "gateway.rs does no I/O of its own",
    },
    Reserved {
        place: "host/src",
        words: &["allow(unsafe_code", "expect(unsafe_code"],
        except: &["host/src/plugin/code.rs"],
        reason: "only what loads precompiled components is unsafe",
    },
    Reserved {
        place: "host/src",
        words: &["anyhow::"],
        except: &[
            "host/src/main.rs",
            "host/src/command.rs",
            "host/src/command",
            "host/src/plugin.rs",
            "host/src/plugin",
        ],
        reason: "the library has errors of its own; anyhow is for main",
    },
];

/// Files that may choose a status for a reply of the gateway's own.
const STATUS_FILES: [&str; 3] = ["host/src/reply.rs", "host/src/failure.rs", "host/src/admin.rs"];

/// All findings in one file.
pub(super) fn check(file: &File) -> Vec<Finding> {
    let mut findings = whole(file);
    let mut in_tests = false;
    for (index, line) in file.text.lines().enumerate() {
        in_tests |= line.trim() == "#[cfg(test)]";
        let code = without_comment(line);
        for word in UNFINISHED.iter().filter(|word| code.contains(*word)) {
            findings.push(file.finding(index + 1, format!("`{word}` is not for a finished tree")));
        }
        if !in_tests {
            findings.extend(broken(&file.path, code).map(|reason| file.finding(index + 1, reason)));
        }
    }
    findings
}

/// Rules for the file as a whole.
fn whole(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = file.path.file_stem().unwrap_or_default().to_string_lossy();
    if name == "mod" {
        findings.push(file.finding(0, "is a mod.rs: `foo.rs` beside `foo/` instead"));
    }
    if EMPTY_NAMES.contains(&name.as_ref()) {
        findings.push(file.finding(0, "a file is called by what it owns"));
    }
    if !file.text.starts_with("//!") {
        findings.push(file.finding(1, "a file opens with `//!`: what it owns, its invariant, what it must not know"));
    }
    let lines = file.text.lines().count();
    if lines > LINES {
        findings.push(file.finding(0, format!("{lines} lines, at most {LINES}")));
    }
    findings
}

/// Why a line must not be in a file.
fn broken<'a>(path: &'a Path, code: &'a str) -> impl Iterator<Item = &'static str> + 'a {
    let reserved = RESERVED.iter().filter(move |rule| {
        path.starts_with(rule.place)
            && !rule.except.iter().any(|place| path.starts_with(place))
            && rule.words.iter().any(|word| names(code, word))
    });
    let status = path.starts_with("host/src")
        && !STATUS_FILES.iter().any(|file| path == Path::new(file))
        && picks_an_error_status(code);
    reserved.map(|rule| rule.reason).chain(status.then_some("only reply.rs and failure.rs pick a status"))
}

/// Whether code has a word as a word of its own: `File` is not in `Filename`.
fn names(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let open = word.ends_with(|c| !part(c)) || !code[at + word.len()..].starts_with(part);
        open && !code[..at].ends_with(part)
    })
}

/// Whether code names a status as a constant, other than those that no failure has.
fn picks_an_error_status(code: &str) -> bool {
    const FINE: [&str; 4] = ["OK", "NO_CONTENT", "NOT_MODIFIED", "SWITCHING_PROTOCOLS"];
    code.match_indices("StatusCode::").any(|(at, word)| {
        let constant: String =
            code[at + word.len()..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        constant.len() > 1 && !FINE.contains(&constant.as_str())
    })
}

/// A line up to its comment. A `//` in a string cuts it too short, which these rules can bear.
fn without_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.into(), text: text.to_owned() };
        check(&file).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_clean_file_has_no_finding() {
        assert!(rules("host/src/route.rs", "//! Routes.\nuse http::Method; // not wasmtime\n").is_empty());
        assert!(rules("host/src/plugin/pool.rs", "//! Pool.\nuse wasmtime::Store;\n").is_empty());
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        for (path, code) in [
            ("host/src/route.rs", "use wasmtime::Store;"),
            ("host/src/route.rs", "#[derive(Deserialize)]"),
            ("host/src/gateway.rs", "use std::fs::File;"),
            ("host/src/route.rs", "let status = StatusCode::BAD_GATEWAY;"),
            ("host/src/plugin/state.rs", "#[allow(unsafe_code)]"),
            ("host/src/utils.rs", ""),
            ("plugins/jwt/src/mod.rs", ""),
            ("tests/main.rs", concat!("#[", "ignore]")),
        ] {
            assert_eq!(rules(path, &format!("//! Text.\n{code}\n")).len(), 1, "{path}: {code}");
        }
        assert_eq!(rules("tests/main.rs", "fn main() {}\n").len(), 1);
        assert_eq!(rules("tests/main.rs", &"//! Text.\n".repeat(LINES + 1)).len(), 1);
    }

    #[test]
    fn tests_may_name_what_their_file_may_not() {
        assert!(rules("host/src/route.rs", "//! Routes.\n#[cfg(test)]\nuse wasmtime::Store;\n").is_empty());
    }
}
