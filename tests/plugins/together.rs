//! Several on one route, and what an operator hears of a configuration that a plugin does not take.

use std::fs;

use serde_json::Value;

use super::{problem, token::SECRET, with};
use crate::support::{Gateway, Upstream};

/// Two of each kind, each with a configuration of its own.
const TWICE: &str = r#"
[plugins.first]
component = "{guests}/transform.wasm"
config = { request.headers.append.x-order = "first", response.headers.append.x-order = "first" }
[plugins.second]
component = "{guests}/transform.wasm"
config = { request.headers.append.x-order = "second ${header.x-order}", response.headers.append.x-order = "second" }
[plugins.app]
component = "{guests}/api-key.wasm"
config = { in = ["header:x-app"], keys = [{ id = "app", hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b" }] }
[plugins.user]
component = "{guests}/api-key.wasm"
config = { in = ["header:x-user-key"], keys = [{ id = "user", hash = "sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa" }] }
[plugins.json]
component = "{guests}/access-log.wasm"
grants.output = "{folder}/json.log"
[plugins.combined]
component = "{guests}/access-log.wasm"
grants.output = "{folder}/combined.log"
config.format = "combined"
[routes.x]
upstream = "up"
plugins = ["json", "app", "first", "user", "second", "combined"]
upstream_headers = { x-key-id = "${auth.key_id}" }
"#;

#[tokio::test]
async fn two_instances_of_a_component_on_one_route_have_each_their_configuration() {
    let (upstream, folder) = (Upstream::start(), tempfile::tempdir().unwrap());
    let gateway = Gateway::start(&TWICE.replace("{folder}", folder.path().to_str().unwrap()), &upstream);
    let reply = gateway.get("/").header("x-app", "secret").header("x-user-key", "other").await;
    assert_eq!(reply.status, 200);
    let order = |headers: &http::HeaderMap| headers.get_all("x-order").iter().cloned().collect::<Vec<_>>();
    assert_eq!(order(&upstream.last().headers), ["first", "second first"]);
    assert_eq!(order(&reply.headers), ["second", "first"], "responses go the other way");
    assert_eq!(upstream.last().header("x-key-id"), Some("user"));
    for (app, user) in [("secret", "secret"), ("other", "other"), ("other", "secret")] {
        assert_eq!(gateway.get("/").header("x-app", app).header("x-user-key", user).await.status, 401);
    }
    drop(gateway);
    let lines = ["json.log", "combined.log"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
    let statuses = lines[0].lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone());
    assert_eq!(statuses.collect::<Vec<_>>(), [200, 401, 401, 401]);
    assert_eq!(lines[1].lines().filter(|line| line.starts_with("127.0.0.1 - ")).count(), 4);
}

#[tokio::test]
async fn what_an_authorizer_found_out_gets_into_bodies() {
    let upstream = Upstream::answering(|seen| {
        http::Response::builder().header("content-type", "application/json").body(seen.body.clone().into()).unwrap()
    });
    let bodies =
        r#"{ request.body.set = { "/who" = "${auth.principal}" }, response.body.set = { "/to" = "${auth.key_id}" } }"#;
    let keys = TWICE.lines().skip_while(|line| *line != "[plugins.app]").take(3).collect::<Vec<_>>().join("\n");
    let text = with("transform", &format!("config = {bodies}\n{keys}"), "").replace("[\"it\"]", "[\"app\", \"it\"]");
    let gateway = Gateway::start(&text, &upstream);
    let call = gateway.call("POST", "/").header("content-type", "application/json").header("x-app", "secret");
    assert_eq!(call.body("{\"who\":\"root\"}").await.text(), r#"{"who":"app","to":"app"}"#);
    assert_eq!(upstream.last().body, "{\"who\":\"app\"}");
}

#[tokio::test]
async fn an_authorizer_of_ones_own_is_asked_once_for_a_tenant_and_its_key() {
    let upstream = Upstream::start();
    let config = "[plugins.it.config.tenants]\nacme = { key = \"a1\", plan = \"gold\" }\ninitech = { key = \"i1\", plan = \"free\" }";
    let route = "path = \"/tenants/{tenant}/{rest+}\"\nupstream_headers = { x-tenant = \"${auth.tenant}\", x-plan = \"${auth.plan}\" }";
    let gateway = Gateway::start(&with("custom-authorizer", config, route), &upstream);
    let ask = async |path, key| gateway.get(path).header("x-tenant-key", key).header("x-plan", "gold").await.status;
    assert_eq!([ask("/tenants/acme/a", "a1").await, ask("/tenants/acme/b?c", "a1").await], [200, 200]);
    assert_eq!(gateway.calls("it"), 1, "it has read neither the rest of the path nor the query");
    assert_eq!([ask("/tenants/initech/a", "a1").await, ask("/tenants/%61cme/a", "i1").await], [403, 403]);
    assert_eq!(ask("/tenants/initech/a", "i1").await, 200);
    assert_eq!((upstream.last().header("x-tenant"), upstream.last().header("x-plan")), (Some("initech"), Some("free")));
    assert_eq!((gateway.calls("it"), upstream.seen().len()), (4, 3));
}

#[test]
fn a_configuration_that_a_plugin_does_not_take_is_a_problem_with_its_place() {
    let short = "config = { keys = [{ secret = \"short\", algorithms = [\"HS256\"] }] }";
    let url = "grants.http = [\"https://issuer.example\"]\nconfig = { audience = \"api\" }";
    let weak = format!("config = {{ keys = [{{ secret = \"{SECRET}\" }}] }}");
    for (component, plugin, why) in [
        ("api-key", "config = { keys = [{ id = \"a\", hash = \"secret\" }] }", "hash"),
        ("basic-auth", "config = { users = {} }", "users"),
        ("basic-auth", "config = { users.a.hash = \"$argon2id$v=19$m=64\" }", "not an argon2 hash"),
        ("jwt", "config = { audience = \"api\" }", "there are no keys"),
        ("jwt", short, "the secret has 5 bytes and needs 32"),
        ("jwt", &weak, "a secret needs its algorithm"),
        ("jwt", "config = { algorithms = [\"none\"] }", "none"),
        ("jwt-remote", url, "`jwks_url` is missing"),
        ("transform", "config = { request.headers.set.Content-Length = \"1\" }", "Content-Length"),
        ("transform", "config = { request.headers.add.a = \"1\" }", "add"),
        (
            "access-log",
            "grants.output = \"stdout\"\nconfig = { format = \"combined\", attributes = [\"auth.a\"] }",
            "no room",
        ),
    ] {
        let problem = problem(&with(component, plugin, ""));
        let line = problem.lines().find(|line| line.contains(why)).unwrap_or_else(|| panic!("{component}: {problem}"));
        assert!(problem.contains("gatehouse.toml:"), "{line}");
    }
}
