//! `gatehouse check --diff`: what differs is told by what it means, and what lets more pass is marked.

use std::{fs, path::Path, process::Command};

use gatehouse::{
    config::{Config, Source},
    diff::diff,
};

const BASE: &str = r#"
[listeners.public]
address = "127.0.0.1:8080"
tls = { certificates = [{ certificate = "a.pem", key = "a.key" }] }
[admin]
address = "127.0.0.1:9901"
[server]
workers = 2
[variables]
host = "app"
[upstreams.up]
url = "https://${var.host}:443"
connect_timeout = "1s"
[upstreams.other]
url = "http://other"
[plugins.keys]
component = "keys.wasm"
config = { api_key = "hunter2", mode = "a" }
[plugins.tag]
component = "tag.wasm"
[plugins.idle]
component = "idle.wasm"
[rate_limits.l]
rate = "10/s"
[cors.app]
allow_origins = ["https://app.example"]
[validators.v]
required_headers = ["x-a", "x-b"]
[routes.a]
path = "/a"
plugins = ["keys", "tag"]
authorize = "all"
rate_limits = ["l"]
validate = "v"
upstream = "up"
[routes.b]
path = "/b"
upstream = "other"
"#;

fn told(old: &str, new: &str) -> String {
    let parse = |text: &str| Config::parse(Source::new("g.toml", text)).unwrap_or_else(|problems| panic!("{problems}"));
    diff(&parse(old), &parse(new)).to_string()
}

#[test]
fn what_means_the_same_is_no_difference() {
    assert_eq!(told(BASE, BASE), "");
    for (from, to) in [
        ("\"1s\"", "\"1000ms\""),
        ("${var.host}", "app"),
        ("workers = 2", "workers = 2\ndrain_timeout = \"10000ms\""),
        ("host = \"app\"", "host = \"app\"\nunused = \"x\""),
        ("[routes.b]\npath = \"/b\"", "# a comment\n[routes.b]\n\"path\" = '/b'"),
    ] {
        assert!(BASE.contains(from), "{from}");
        assert_eq!(told(BASE, &BASE.replace(from, to)), "", "{to}");
    }
}

#[test]
fn variables_are_compared_where_they_are_used_and_stages_at_their_own() {
    let old = format!("{BASE}[stages.prod.variables]\nhost = \"a\"\n[stages.dev.variables]\nhost = \"b\"\n");
    let new = old.replace("host = \"a\"", "host = \"c\"");
    let at = |stage| {
        let parse = |text: &str| Config::parse(Source::new("g.toml", text).at_stage(stage)).unwrap();
        diff(&parse(&old), &parse(&new)).changes.into_iter().map(|change| change.at.join(".")).collect::<Vec<_>>()
    };
    assert_eq!(at(None), ["stages.prod.variables.host"]);
    assert_eq!(at(Some("prod")), ["upstreams.up.url"]);
    assert!(at(Some("dev")).is_empty());
}

#[test]
fn each_change_is_told_with_what_it_was_and_what_it_is() {
    for (from, to, expected) in [
        ("\"1s\"", "\"2s\"", "~ upstreams.up.connect_timeout: \"1s\" -> \"2s\"\n"),
        (
            "connect_timeout = \"1s\"",
            "max_idle = 4",
            "- upstreams.up.connect_timeout: \"1s\"\n+ upstreams.up.max_idle: 4\n",
        ),
        ("host = \"app\"", "host = \"web\"", "~ upstreams.up.url: \"https://app:443\" -> \"https://web:443\"\n"),
        (
            "mode = \"a\"",
            "mode = \"b\"",
            "~ plugins.keys.config.mode: \"a\" -> \"b\"\nplugins loaded anew: keys\nplugins carried over: tag, idle\n",
        ),
        ("hunter2", "hunter3", "~ plugins.keys.config.api_key: \"(hidden)\" -> \"(hidden)\"\n"),
        ("component = \"tag.wasm\"", "component = \"new.wasm\"", "plugins compiled: tag\n"),
        ("8080", "8081", "~ listeners.public.address: \"127.0.0.1:8080\" -> \"127.0.0.1:8081\"\n    takes a restart\n"),
        ("workers = 2", "workers = 3", "~ server.workers: 2 -> 3\n    takes a restart\n"),
        (
            "[routes.b]\npath = \"/b\"",
            "[routes.c]\npath = \"/c\"",
            "- routes.b: path = \"/b\", upstream = \"other\"\n+ routes.c: path = \"/c\", upstream = \"other\"\n    ! no plugin decides who may use it\n",
        ),
    ] {
        assert!(BASE.contains(from), "{from}");
        let told = told(BASE, &BASE.replace(from, to));
        assert!(told.contains(expected) && !told.contains("hunter"), "{to}: {told}");
    }
}

#[test]
fn what_lets_more_pass_is_marked() {
    for (from, to, expected) in [
        ("[\"keys\", \"tag\"]", "[\"tag\"]", "no longer in its chain: `keys`"),
        ("\"all\"", "\"any\"", "one authorizer is enough"),
        ("validate = \"v\"\n", "", "its requests are no longer validated"),
        ("rate_limits = [\"l\"]\n", "", "no longer limited by `l`"),
        ("[\"x-a\", \"x-b\"]", "[\"x-a\"]", "no longer required: `x-b`"),
        ("https://${var.host}:443", "http://app", "TLS is off"),
        ("tls = { certificates = [{ certificate = \"a.pem\", key = \"a.key\" }] }", "", "TLS is off"),
        ("https://app.example\"", "https://app.example\", \"*\"", "may now: `*`"),
        ("127.0.0.1:9901", "0.0.0.0:9901", "others than this machine may reach it"),
        ("component = \"tag.wasm\"", "component = \"tag.wasm\"\non_failure = \"skip\"", "a failure of it lets pass"),
        (
            "component = \"tag.wasm\"",
            "component = \"tag.wasm\"\ngrants.http = [\"https://a.example\"]",
            "it may reach: `https://a.example`",
        ),
        ("[server]", "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]", "believed of clients: `10.0.0.0/8`"),
    ] {
        assert!(BASE.contains(from), "{from}");
        let changed = BASE.replace(from, to);
        let forth = told(BASE, &changed);
        assert!(forth.contains(&format!("    ! {expected}")), "{to}: {forth}");
        assert!(!told(&changed, BASE).contains(expected), "{to}");
    }
}

#[test]
fn the_command_says_by_its_code_whether_something_differs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    for name in ["old", "new"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        write(&format!("{name}/g.toml"), BASE);
        write(&format!("{name}/tag.wasm"), "the same");
    }
    let run = |new: &str, format: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        command.current_dir(folder.path()).args(["check", "--diff", "old/g.toml"]).arg(Path::new(new)).args(format);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run("new/g.toml", &[]), (Some(0), String::new()));
    write("new/tag.wasm", "another");
    let (code, out) = run("new/g.toml", &[]);
    assert!(code == Some(1) && out.contains("~ plugins.tag.component: \"a file\" -> \"another content\""), "{out}");
    let (code, out) = run("new/g.toml", &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["plugins"]["compiled"]), (Some(1), &serde_json::json!(["tag"])));
    assert_eq!(run("none.toml", &[]).0, Some(2));
}
