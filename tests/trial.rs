//! `gatehouse plugin test` and `run`: a component on its own, with what is outside of it written down.

use std::process::Output;

use crate::support::{Process, guest};

/// The cases' outcome for a guest.
fn test(name: &str, cases: &str) -> Output {
    test_with(name, cases, &[])
}

fn test_with(name: &str, cases: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.toml");
    std::fs::write(&file, cases).unwrap();
    let mut command = Process::command(&["plugin", "test"]);
    command.arg(guest(name)).arg("--cases").arg(file).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

fn passes(name: &str, cases: &str) {
    let output = test(name, cases);
    assert!(output.status.success(), "{}", said(&output));
}

/// A case that must fail, with what must be said of it.
fn fails(name: &str, case: &str, says: &[&str]) {
    let output = test(name, &format!("[[case]]\nname = \"a case\"\n{case}"));
    let text = said(&output);
    assert!(output.status.code() == Some(1) && text.contains("FAIL"), "{text}");
    says.iter().for_each(|part| assert!(text.contains(part), "{part:?} is not in\n{text}"));
}

#[test]
fn each_hook_s_decisions_and_edits_are_what_is_compared() {
    passes(
        "conformance-rust",
        r#"
config = { secret = "s3cret" }

[[case]]
name = "an authorizer allows, a filter edits, in one exchange"
request = { path = "/a?b=1", headers = { x-edit = "edit", x-gone = "1", x-multi = ["1", "2"] } }
[case.expect]
verdict = "allow"
principal = "alice"
max_age = 0
attributes = { "auth.plan" = "gold", "auth.seen" = "1" }
reply = false
[case.expect.request]
method = "PUT"
path = "/edited"
query = "a=b"
headers = { x-multi = ["1", "2", "3"], x-gone = false, x-verdict = "allow" }

[[case]]
name = "a denial is the answer"
request.headers.x-act = "deny"
[case.expect]
verdict = "deny"
reason = "out of money"
request = false
reply = { status = 402, body = "no money", headers = { X-Reason = "money" } }

[[case]]
name = "no opinion"
request.headers.x-act = "abstain"
expect.verdict = "abstain"

[[case]]
name = "a filter answers"
request.headers.x-edit = "respond"
expect = { verdict = "allow", reply.status = 418, request = false }

[[case]]
name = "whole bodies"
request = { method = "POST", headers.x-body = "double", body = { hex = "00ff" } }
expect.request.body.hex = "00ff00ff"

[[case]]
name = "a fault is expected"
request.headers.x-act = "error"
expect = { failure = "plugin_error", error = "plugin `conformance-rust` returned an error: the subject was asked to fail" }

[[case]]
name = "a configuration that is refused"
config = { secret = "" }
expect.refused = "`secret` is empty"
"#,
    );
}

#[test]
fn an_instance_serves_all_exchanges_of_a_case_and_none_of_the_next() {
    passes(
        "conformance-rust",
        r#"
config = { secret = "s3cret" }

[[case]]
name = "first"
expect.attributes."auth.seen" = "1"

[[case.then]]
expect.attributes."auth.seen" = "2"

[[case]]
name = "second"
expect.attributes."auth.seen" = "1"
"#,
    );
}

#[test]
fn the_clock_stands_where_the_case_puts_it_and_randomness_repeats() {
    let random = |exchange: &str| {
        let output = Process::command(&["plugin", "run"])
            .arg(guest("probe"))
            .args(["--json", "--config", r#"{"authorize":{"act":"random"}}"#, "--request", exchange])
            .output()
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["outcome"]["attributes"]["auth.act"].as_str().unwrap().to_owned()
    };
    assert_eq!(random("GET /"), random("GET /other"));
    passes(
        "probe",
        r#"
config.authorize.act = "clock"

[[case]]
name = "2026 by default, and then what is said"
expect = { attributes."auth.act" = "1767225600", reads = ["outside"] }

[[case.then]]
clock = 2026-11-27T12:00:00Z
expect.attributes."auth.act" = "1795780800"

[[case.then]]
expect.attributes."auth.act" = "1795780800"
"#,
    );
}

#[test]
fn requests_get_the_written_answers_and_state_is_the_case_s_own() {
    passes(
        "probe-calls",
        r#"
config.calls_header = "x-calls"

[[case]]
name = "an answer, an error, state before and after, and a line"
request.headers.x-calls = "http:https://a.example/x increment:hits get:k output:done"
http = [{ url = "https://a.example/x", status = 201 }]
state.counters.none = "1"
[case.expect]
http = ["GET https://a.example/x"]
output = ["done"]
attributes = { "auth.http" = "201", "auth.increment" = "1" }

[[case.then]]
request.headers.x-calls = "http:https://a.example/x"
http = [{ url = "https://a.example/x", error = "timeout" }]
expect.http = ["GET https://a.example/x"]

[[case]]
name = "the next case begins with nothing"
request.headers.x-calls = "increment:hits"
expect.attributes."auth.increment" = "1"
"#,
    );
    fails(
        "probe-calls",
        "config.calls = [\"http:https://a.example/x\"]\nexpect = {}\n",
        &["GET https://a.example/x, for which the case has no answer"],
    );
}

#[test]
fn what_comes_otherwise_is_shown_with_what_was_expected() {
    let config = "config = { secret = \"s\" }\nrequest.headers.x-act = \"deny\"\n";
    fails(
        "conformance-rust",
        &format!("{config}expect = {{ verdict = \"allow\", reply.status = 403 }}\n"),
        &["reply.status\n      - 403\n      + 402", "- \"allow\"\n      + \"deny\"", "reason = \"out of money\""],
    );
    let crash = "config = { secret = \"s\" }\nrequest.headers.x-body = \"trap\"\nexpect = {}\n";
    fails("conformance-rust", crash, &["failure\n      - nothing\n      + \"plugin_trap\"", "trapped"]);
    let slow = "config = { secret = \"s\" }\nexpect.within = { time_ms = 0.0000001, memory = 1 }\n";
    fails("conformance-rust", slow, &["within.time_ms", "within.memory"]);
    fails("conformance-rust", "config = { secret = \"\" }\nexpect = {}\n", &["refused", "`secret` is empty"]);
    let started = "config = { secret = \"s\" }\nexpect.refused = \"no\"\n";
    fails("conformance-rust", started, &["- \"no\"\n      + nothing"]);
}

#[test]
fn mistakes_in_a_file_of_cases_have_their_position() {
    for (cases, says) in [
        ("[[case]]\nname = \"a\"\nexpect.verdit = \"allow\"\n", "cases.toml:3:8: unknown field `verdit`"),
        ("[[case]]\nname = \"a\"\n", "missing field `expect`"),
        ("[[case]]\nname = \"a\"\nexpect = {}\nclock = 2026-13-01T00:00:00Z\n", "cases.toml:4:"),
        ("[[case]]\nname = \"a\"\nexpect = {}\nrequest.body = 7\n", "a body is a text"),
        ("", "there is no case"),
    ] {
        let output = test("probe", cases);
        let text = said(&output);
        assert!(output.status.code() == Some(1) && text.contains(says), "{says:?} is not in\n{text}");
    }
    let output = test_with("probe", "[[case]]\nname = \"a\"\nexpect = {}\n", &["--only", "b"]);
    assert!(!output.status.success() && said(&output).contains("no case"), "{}", said(&output));
}

#[test]
fn junit_has_each_case_with_what_was_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.xml");
    let cases = "[[case]]\nname = \"good\"\nexpect = {}\n[[case]]\nname = \"a < b\"\nexpect.verdict = \"deny\"\n";
    let output = test_with("probe", cases, &["--junit", file.to_str().unwrap()]);
    assert!(!output.status.success());
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("tests=\"2\" failures=\"1\"") && text.contains("a &lt; b"), "{text}");
}

#[test]
fn one_exchange_is_printed_in_the_words_of_a_case() {
    let output = Process::command(&["plugin", "run"])
        .arg(guest("api-key"))
        .args(["--request", "GET /pets", "-H", "x-api-key: nobody's", "--repeat", "10"])
        .args(["--config", r#"{"keys":[]}"#])
        .output()
        .unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for part in ["verdict = \"deny\"", "[reply]\nstatus = 4", "# compiled in ", "median of 10", "KiB of memory"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let refused = Process::command(&["plugin", "run"]).arg(guest("api-key")).args(["--config", "[]"]).output().unwrap();
    assert!(!refused.status.success() && said(&refused).contains("--config"), "{}", said(&refused));
}

#[test]
fn the_authorizer_of_each_language_does_the_same() {
    let cases = include_str!("../examples/authorizer.cases.toml");
    for language in ["rust", "javascript", "typescript", "go", "c", "python"] {
        passes(&format!("authorizer-{language}"), cases);
    }
}
