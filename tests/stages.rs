//! Stages: the variables of one are put into the strings of the configuration, and nothing else becomes of them.

use std::{fs, process::Command};

use gatehouse::config::{Config, Problems, Source};

use crate::support::{Process, Start, Upstream};

const TEXT: &str = r#"
[variables]
host = "127.0.0.1:1"
greeting = "hello"

[stages.dev.variables]
host = "127.0.0.1:2"

[stages.prod.variables]
host = "127.0.0.1:3"
only_prod = "x"

[listeners.main]
address = "127.0.0.1:0"

[upstreams.up]
url = "http://${var.host}"

[plugins.p]
component = "p.wasm"
config = { text = "${var.greeting}, ${var.host}!" }

[routes.r]
respond = { body = "${var.greeting}" }
"#;

fn at(text: &str, stage: Option<&str>) -> Result<Config, Problems> {
    Config::parse(Source::new("g.toml", text).at_stage(stage))
}

#[test]
fn a_stage_has_its_own_variables_over_the_defaults() {
    for (stage, port) in [(None, 1), (Some("dev"), 2), (Some("prod"), 3)] {
        let config = at(TEXT, stage).unwrap();
        assert_eq!(config.upstreams[0].endpoints[0].port, port);
        let expected = serde_json::json!({ "text": format!("hello, 127.0.0.1:{port}!") });
        assert_eq!(config.plugins[0].config, expected);
    }
}

#[test]
fn a_value_is_never_looked_at_as_toml() {
    let text = TEXT.replace("\"hello\"", "'a\" }\n[routes.evil]\n'").replace('\n', "\n");
    let text = text.replace("'a\" }\n[routes.evil]\n'", "'''a\" }\n[routes.evil]\n'''");
    let config = at(&text, None).unwrap();
    assert_eq!(config.routes.len(), 1);
    assert_eq!(config.plugins[0].config["text"], "a\" }\n[routes.evil]\n, 127.0.0.1:1!");
}

#[test]
fn what_is_wrong_with_variables_is_told_with_its_place() {
    let problem = |from: &str, to: &str, stage| {
        assert!(TEXT.contains(from), "{from}");
        at(&TEXT.replace(from, to), stage).unwrap_err().to_string()
    };
    for (from, to, stage, place, expected) in [
        ("http://${var.host}", "http://${var.hots}", None, "g.toml:17:15", "there is no variable `hots`"),
        ("http://${var.host}", "http://${var.hots}", None, "g.toml:17:15", "did you mean `host`?"),
        ("${var.greeting}, ", "${var.only_prod}", None, "g.toml:21:20", "choose one, as in `--stage prod`"),
        (
            "${var.greeting}, ",
            "${var.only_prod}",
            Some("dev"),
            "g.toml:21:20",
            "the stage `prod` has it, and `dev` has not",
        ),
        ("http://${var.host}", "http://${var.}", None, "g.toml:17:15", "this is not a variable"),
        ("http://${var.host}", "http://${var.host", None, "g.toml:17:15", "this is not a variable"),
        ("\"x\"", "1", None, "g.toml:11:13", "a variable is a string"),
        ("\"x\"", "\"${var.host}\"", None, "g.toml:11:13", "a variable cannot name another"),
        ("only_prod =", "only-prod =", None, "g.toml:11:1", "cannot be a variable's name"),
        ("[stages.dev.variables]", "[stages.dev]", None, "g.toml:7:1", "unknown key `host`"),
    ] {
        let told = problem(from, to, stage);
        assert!(told.contains(place) && told.contains(expected), "{to}: {told}");
    }
    let told = at(TEXT, Some("prd")).unwrap_err().to_string();
    assert!(told.contains("there is no stage `prd`") && told.contains("did you mean `prod`?"), "{told}");
}

#[test]
fn a_process_serves_the_stage_it_is_told_and_a_reload_keeps_it() {
    let upstream = Upstream::start();
    let text = "[stages.a.variables]\nname = \"A\"\n[stages.b.variables]\nname = \"B\"\n[routes.r]\nrespond = { body = \"at ${var.name}\" }\n";
    let start = Start { arguments: &["--stage", "b"], ..Start::default() };
    let process = Process::start_as(text, &upstream, &start);
    let body = || {
        let mut raw = crate::support::Raw::connect(process.address());
        raw.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").response().text().to_owned()
    };
    assert_eq!(body(), "at B");
    process.write(&text.replace("at ", "now at "), &upstream);
    crate::support::until(crate::support::raw::DEADLINE, || body() == "now at B");
}

#[test]
fn check_looks_at_each_stage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.toml");
    let text = TEXT
        .replace("[plugins.p]\ncomponent = \"p.wasm\"\nconfig = { text = \"${var.greeting}, ${var.host}!\" }\n", "");
    let run = |arguments: &[&str], variable: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        let output = command.arg("check").arg(&file).args(arguments).env("GATEHOUSE_STAGE", variable).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    fs::write(&file, &text).unwrap();
    let (code, out, _) = run(&[], "");
    assert!(code == Some(0) && out.contains("(stage `dev`): 1 routes") && out.contains("(stage `prod`)"), "{out}");
    fs::write(&file, text.replace("${var.greeting}", "${var.only_prod}")).unwrap();
    let (code, out, err) = run(&[], "");
    assert!(code == Some(1) && out.contains("(stage `prod`)") && err.contains("at the stage `dev`:"), "{out}{err}");
    assert_eq!((run(&["--stage", "prod"], "").0, run(&["--stage", "dev"], "").0), (Some(0), Some(1)));
    assert_eq!((run(&[], "prod").0, run(&[], "dev").0), (Some(0), Some(1)));
}
