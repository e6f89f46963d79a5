//! `access-log`.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::problem;
use crate::support::{Gateway, Process, Upstream};

/// `/x/...` wants the key `secret`; `/down` has an upstream that is not there. Both are logged.
fn logged(output: &str, config: &str) -> String {
    format!(
        r#"
        [upstreams.up]
        url = "http://{{upstream}}"
        [upstreams.down]
        url = "http://127.0.0.1:1"
        [plugins.log]
        component = "{{guests}}/access-log.wasm"
        grants.output = {output:?}
        [plugins.log.config]
        {config}
        [plugins.keys]
        component = "{{guests}}/api-key.wasm"
        [[plugins.keys.config.keys]]
        id = "k1"
        hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        principal = "alice smith"
        attributes = {{ plan = "gold" }}
        [routes.x]
        path = "/x/{{rest+}}"
        upstream = "up"
        plugins = ["log", "keys"]
        [routes.down]
        path = "/down"
        upstream = "down"
        plugins = ["log"]
        "#
    )
}

/// The lines of a gateway that has served what `serve` asks of it.
async fn lines(config: &str, serve: impl AsyncFnOnce(&Gateway)) -> Vec<String> {
    let (upstream, folder) = (Upstream::start(), tempfile::tempdir().unwrap());
    let file = folder.path().join("access.log");
    let gateway = Gateway::start(&logged(file.to_str().unwrap(), config), &upstream);
    serve(&gateway).await;
    stop(gateway, &file)
}

/// Stopping writes out what was handed over.
fn stop(gateway: Gateway, file: &Path) -> Vec<String> {
    drop(gateway);
    fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn each_exchange_gets_one_json_line_whether_it_was_allowed_denied_or_failed() {
    let mut ids = Vec::new();
    let lines = lines("", async |gateway| {
        for (path, key) in [("/x/1", "secret"), ("/x/2", "secret"), ("/x/3", "wrong"), ("/down", ""), ("/nowhere", "")]
        {
            let reply = gateway.get(path).header("x-api-key", key).await;
            ids.push(reply.header("x-request-id").unwrap().to_owned());
        }
    });
    let lines: Vec<Value> = lines.await.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |name: &str| lines.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(json!(told("path")), json!(["/x/1", "/x/2", "/x/3", "/down"]), "what no route matches is nobody's");
    assert_eq!(json!(told("id")), json!(ids[..4]));
    assert_eq!(json!(told("status")), json!([200, 200, 401, 502]));
    assert_eq!(json!(told("route")), json!(["x", "x", "x", "down"]));
    assert_eq!(json!(told("principal")), json!(["alice smith", "alice smith", null, null]));
    assert_eq!(json!(told("verdict")), json!(["allow", "allow", "deny", null]));
    assert_eq!(json!(told("verdict_cached")), json!([false, true, false, false]));
    assert_eq!(json!(told("failure")), json!([null, null, null, "upstream_unreachable"]));
}

#[tokio::test]
async fn a_json_line_tells_the_whole_exchange() {
    let config = "request_headers = [\"x-a\", \"x-none\"]\nresponse_headers = [\"content-length\"]\nattributes = [\"auth.plan\"]";
    let lines = lines(config, async |gateway| {
        let call =
            gateway.call("PUT", "/x/1?a=b%0a").header("x-api-key", "secret").header("x-a", "\"é\\").body("12345678");
        assert_eq!(call.header("host", "pets.example").await.status, 200);
    });
    let line: Value = serde_json::from_str(&lines.await[0]).unwrap();
    let told = |name: &str| line[name].clone();
    assert_eq!(
        [told("method"), told("scheme"), told("host"), told("protocol")],
        ["PUT", "http", "pets.example", "HTTP/1.1"]
    );
    assert_eq!([told("client"), told("query")], ["127.0.0.1", "a=b%0a"]);
    assert_eq!([told("request_bytes"), told("response_bytes")], [8, 8]);
    assert_eq!(told("request_headers"), json!({ "x-a": "\"é\\" }));
    assert_eq!(told("response_headers"), json!({ "content-length": "8" }));
    assert_eq!(told("attributes"), json!({ "auth.plan": "gold" }));
    let (all, upstream) = (told("duration_ms").as_f64().unwrap(), told("upstream_ms").as_f64().unwrap());
    assert!(0.0 < upstream && upstream <= all && all < 60_000.0, "{line}");
    let time = told("time").as_str().unwrap().to_owned();
    assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
}

#[tokio::test]
async fn the_combined_format_is_a_line_that_a_client_cannot_break() {
    let lines = lines("format = \"combined\"", async |gateway| {
        let call = gateway.get("/x/1?q=%22").header("x-api-key", "secret").header("referer", "https://a.example/");
        call.header("user-agent", "a \"b\" \\ é").await;
        gateway.get("/x/2").http2().await;
    });
    let lines = lines.await;
    let parts = |line: &str| line.split(['[', ']']).map(str::to_owned).collect::<Vec<_>>();
    let (allowed, denied) = (parts(&lines[0]), parts(&lines[1]));
    assert_eq!(allowed[0], "127.0.0.1 - alice\\x20smith ");
    assert!(allowed[1].len() == 26 && allowed[1].ends_with(" +0000"), "{}", allowed[1]);
    assert_eq!(allowed[2], r#" "GET /x/1?q=%22 HTTP/1.1" 200 5 "https://a.example/" "a \"b\" \\ \xc3\xa9""#);
    assert_eq!((denied[0].as_str(), denied[2].as_str()), ("127.0.0.1 - - ", r#" "GET /x/2 HTTP/2.0" 401 23 "-" "-""#));
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn the_query_can_be_left_out() {
    for format in ["json", "combined"] {
        let config = format!("format = \"{format}\"\nquery = false");
        let lines = lines(&config, async |gateway| drop(gateway.get("/x/1?token=hunter2").await)).await;
        assert!(lines.len() == 1 && lines[0].contains("/x/1") && !lines[0].contains("hunter2"), "{lines:?}");
    }
}

#[tokio::test]
async fn lines_go_to_standard_output_beside_the_log() {
    let upstream = Upstream::start();
    let process = Process::start(&logged("stdout", ""), &upstream);
    for (path, status) in [("/x/1", 401), ("/down", 502)] {
        process.get(path).await;
        let line =
            process.line(|line| line.starts_with('{') && line.contains("\"upstream_ms\":") && line.contains(path));
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((line["path"].as_str(), line["status"].as_u64()), (Some(path), Some(status)));
    }
}

#[test]
fn without_its_grant_it_is_refused_with_the_interface_that_it_needs() {
    let text = logged("stdout", "").replace("grants.output = \"stdout\"", "");
    let problem = problem(&text);
    assert!(problem.contains("gatehouse:plugin/output") && problem.contains("`log`"), "{problem}");
}
