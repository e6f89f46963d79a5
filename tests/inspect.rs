//! `gatehouse plugin inspect`: what a component is and asks for, and what is said of what is none.

use std::process::Output;

use crate::support::{Process, guest};

fn inspect(arguments: &[&str]) -> Output {
    Process::command(&["plugin", "inspect"]).args(arguments).output().unwrap()
}

fn of(name: &str) -> String {
    guest(name).display().to_string()
}

fn json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&inspect(&[&of(name), "--json"]).stdout).unwrap()
}

#[test]
fn a_component_is_told_with_its_hooks_and_what_it_asks_for() {
    let output = inspect(&[&of("jwt-remote")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for part in [
        "plugin    jwt-remote 0.1.0: ",
        "contract  gatehouse:plugin@0.1.0",
        "hooks     authorizer\n",
        "outbound HTTP: needs `http = [\"https://...\"]` in its `grants`\n      wasi:http/types@0.2.0",
        "clocks\n      wasi:clocks/",
        "configuration (JSON Schema)\n    {",
        "\"jwks_url\": {",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn as_json_it_has_all_that_the_text_has() {
    let found = json("access-log");
    assert_eq!(found["hooks"], serde_json::json!(["logger"]));
    assert_eq!(found["manifest"]["name"], "access-log");
    let size = std::fs::metadata(guest("access-log")).unwrap().len();
    assert_eq!((found["size"].as_u64(), found["sha256"].as_str().unwrap().len()), (Some(size), 64));
    let output = found["asks"].as_array().unwrap().iter().find(|ask| ask["what"] == "lines of output").unwrap();
    assert_eq!(output["grant"], "output = \"stdout\"");
    assert_eq!(found["problems"], serde_json::json!([]));
}

#[test]
fn what_waits_for_nothing_is_called_directly() {
    let plugins =
        ["access-log", "api-key", "basic-auth", "jwt", "transform", "bench-authorizer", "corpus/loop-in-authorize"];
    for name in plugins {
        assert_eq!(json(name)["calls"], "direct", "{name}");
    }
    // It calls other hosts; it has handles of the host's.
    assert_eq!(json("jwt-remote")["calls"], "fiber");
    assert_eq!(json("corpus/handle-of-nobody")["calls"], "component");
}

#[test]
fn what_no_gateway_would_load_is_told_with_the_reason() {
    for (name, why) in [
        ("corpus/import-of-nothing-known", "evil:host/syscall"),
        ("corpus/hook-of-another-version", "this gateway has gatehouse:plugin@0.1.0"),
        ("corpus/components-nested", "exports no hook"),
        ("corpus/loop-in-describe", "`describe` used up its CPU time"),
    ] {
        let output = inspect(&[&of(name), "--json"]);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let problems = found["problems"].to_string();
        assert!(output.status.code() == Some(1) && problems.contains(why), "{name}: {problems}");
    }
}

#[test]
fn what_is_no_component_is_refused_without_a_word_about_hooks() {
    for (file, why) in [
        (of("corpus/module-not-component"), "is a core WebAssembly module"),
        (of("corpus/truncated"), "is not a valid component"),
        ("/dev/zero".to_owned(), "is a device"),
        ("/nowhere.wasm".to_owned(), "does not exist"),
    ] {
        let output = inspect(&[&file]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && message.contains(why) && output.stdout.is_empty(), "{message}");
    }
}
