//! Request validation: what is not as a route's validator says is refused with its reasons, and what is passes unchanged.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{
    Gateway, Process, Raw, Reply, Upstream,
    raw::{DEADLINE, RawUpstream},
    until,
};

const ORDER: &str = r#"{
    "type": "object",
    "required": ["sku", "quantity"],
    "additionalProperties": false,
    "properties": {
        "sku": { "type": "string", "pattern": "^[A-Z]{3}-[0-9]+$" },
        "quantity": { "type": "integer", "minimum": 1 },
        "note": { "type": "string" }
    }
}"#;

const GOOD: &str = r#"{"sku": "ABC-1", "quantity": 2}"#;

/// A folder with a schema.
struct Schema {
    _folder: TempDir,
    file: PathBuf,
}

impl Schema {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("order.schema.json");
        fs::write(&file, text).unwrap();
        Self { _folder: folder, file }
    }

    /// A validator of orders with more keys, and a route that has it.
    fn route(&self, more: &str) -> String {
        route(&self.file, more)
    }
}

fn route(schema: &Path, more: &str) -> String {
    let schema = schema.display();
    format!(
        "[validators.order]\nbody = \"{schema}\"\n{more}\n\
        [routes.x]\npath = \"/x\"\nvalidate = \"order\"\nupstream = \"up\"\n\
        [routes.free]\npath = \"/free\"\nupstream = \"up\"\n"
    )
}

async fn post(gateway: &Gateway, body: impl Into<bytes::Bytes>) -> Reply {
    gateway.call("POST", "/x").header("content-type", "application/json").body(body).await
}

fn told(reply: &Reply) -> (u16, String, String) {
    let text = |name: &str| reply.json()[name].as_str().unwrap().to_owned();
    (reply.status, text("code"), text("message"))
}

fn invalid(message: &str) -> (u16, String, String) {
    (400, "invalid_request".to_owned(), message.to_owned())
}

#[tokio::test]
async fn what_is_missing_is_named_and_nothing_goes_upstream() {
    let upstream = Upstream::start();
    let text = "[validators.page]\nrequired_headers = [\"x-tenant\", \"X-Trace\"]\nrequired_query = [\"page\"]\n\
        [routes.x]\nvalidate = \"page\"\nupstream = \"up\"\n";
    let gateway = Gateway::start(text, &upstream);
    for http2 in [false, true] {
        for (tenant, target, missing) in [
            ("", "/x", "missing: the header `x-tenant`, the header `x-trace`, the query parameter `page`"),
            ("acme", "/x?pages=1&page=%20", "missing: the header `x-trace`, the query parameter `page`"),
        ] {
            let call = gateway.call("POST", target).header("x-tenant", tenant).body("anything");
            let reply = if http2 { call.http2().await } else { call.await };
            assert_eq!(told(&reply), invalid(missing));
        }
    }
    assert_eq!(upstream.seen().len(), 0);
    let call = gateway.call("POST", "/x?%70age=1").header("x-tenant", "acme").header("x-trace", "1").body("anything");
    assert_eq!((call.await.status, &*upstream.last().target), (200, "/x?%70age=1"));
    assert_eq!(gateway.metric("gatehouse_failures_total{code=\"invalid_request\"}"), 4);
}

#[tokio::test]
async fn a_body_that_is_valid_goes_on_byte_for_byte() {
    let (upstream, schema) = (Upstream::start(), Schema::new(ORDER));
    let filter = "[plugins.body]\ncomponent = \"{guests}/probe-body.wasm\"\nconfig = { request = { upper = true } }\n";
    let filtered = "[routes.y]\npath = \"/y\"\nvalidate = \"order\"\nplugins = [\"body\"]\nupstream = \"up\"\n";
    let gateway = Gateway::start(&format!("{}{filter}{filtered}", schema.route("")), &upstream);
    let body = " {\"quantity\" :2.0 ,\r\n\"sku\":\"\\u0041BC-1\"}\n";
    for http2 in [false, true] {
        let call = gateway.call("POST", "/x").header("content-type", "application/json; charset=utf-8").body(body);
        let reply = if http2 { call.http2().await } else { call.await };
        assert_eq!((reply.status, reply.text()), (200, body));
        assert_eq!(upstream.last().header("content-length"), Some(&*body.len().to_string()));
    }
    // In pieces, and cut within a character.
    let text = "{\"sku\":\"ABC-1\",\"quantity\":1,\"note\":\"\u{e9}\"}";
    let mut raw = Raw::connect(gateway.address());
    raw.send("POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    for piece in text.as_bytes().chunks(text.find('\u{e9}').unwrap() + 1) {
        raw.send(format!("{:x}\r\n", piece.len())).send(piece).send("\r\n");
    }
    let answer = raw.send("0\r\n\r\n").response();
    assert_eq!((answer.status(), answer.text()), (200, text));
    // Request filters have it afterwards.
    let reply = gateway.call("POST", "/y").body(body).await;
    assert_eq!((reply.status, reply.text()), (200, &*body.to_ascii_uppercase()));
}

#[tokio::test]
async fn a_body_that_is_not_valid_is_told_where_and_no_value_of_it() {
    let (upstream, schema) = (Upstream::start(), Schema::new(ORDER));
    let gateway = Gateway::start(&schema.route(""), &upstream);
    for (body, message) in [
        ("{}", "\"sku\" is a required property; \"quantity\" is a required property"),
        (r#"{"sku": "secret", "quantity": 1}"#, "/sku: it does not match \"^[A-Z]{3}-[0-9]+$\""),
        (r#"{"sku": "ABC-1", "quantity": 1, "note": ["secret"]}"#, "/note: it is not of type \"string\""),
        ("[\"secret\"]", "it is not of type \"object\""),
    ] {
        assert_eq!(told(&post(&gateway, body).await), invalid(&format!("the body is not valid: {message}")), "{body}");
    }
    for (body, message) in [
        ("sku=secret", "expected value at line 1 column 1"),
        ("{\"sku\": \"ABC-1\", \"quantity\": 1, \"sku\": \"x\"}", "the name \"sku\" comes twice at line 1 column 37"),
        ("{\"sku\": \"ABC-1\"} {}", "trailing characters at line 1 column 18"),
    ] {
        assert_eq!(told(&post(&gateway, body).await), invalid(&format!("the body is not JSON: {message}")), "{body}");
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(post(&gateway, deep).await.status, 400);
    assert_eq!(post(&gateway, &b"{\"sku\": \"\xff\"}"[..]).await.status, 400);
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(post(&gateway, GOOD).await.status, 200);
}

#[tokio::test]
async fn a_body_is_required_unless_the_validator_says_otherwise() {
    let (upstream, schema) = (Upstream::start(), Schema::new(ORDER));
    for (more, status) in [("", 400), ("body_required = false", 200)] {
        let gateway = Gateway::start(&schema.route(more), &upstream);
        assert_eq!(gateway.get("/x").await.status, status);
        assert_eq!(post(&gateway, "").await.status, status);
        let mut raw = Raw::connect(gateway.address());
        raw.send("POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
        assert_eq!(raw.response().status(), status);
        assert_eq!(post(&gateway, " ").await.status, 400);
        assert_eq!(post(&gateway, GOOD).await.status, 200);
    }
    let gateway = Gateway::start(&schema.route(""), &upstream);
    assert_eq!(told(&gateway.get("/x").await), invalid("missing: the body"));
}

#[tokio::test]
async fn another_content_type_or_a_coding_is_415() {
    let (upstream, schema) = (Upstream::start(), Schema::new(ORDER));
    for (more, allowed, accept) in [
        ("", ["application/json", "application/order+json"], "application/json"),
        ("content_types = [\"Text/JSON\", \"a/b\"]", ["text/json;x=y", "A/B"], "text/json, a/b"),
    ] {
        let gateway = Gateway::start(&schema.route(more), &upstream);
        for name in allowed {
            let reply = gateway.call("POST", "/x").header("content-type", name).body(GOOD).await;
            assert_eq!(reply.status, 200, "{name}");
        }
        for name in ["text/xml", "application/jsonx", "application/json, text/xml"] {
            let reply = gateway.call("POST", "/x").header("content-type", name).body(GOOD).await;
            assert_eq!(told(&reply).0, 415, "{name}");
            assert_eq!((&*told(&reply).1, reply.header("accept")), ("unsupported_media_type", Some(accept)));
        }
        let call = gateway.call("POST", "/x").header("content-type", allowed[0]).header("content-encoding", "gzip");
        assert_eq!(call.body(GOOD).await.status, 415);
        // One that does not say what it is is held against the schema.
        assert_eq!(gateway.call("POST", "/x").body(GOOD).await.status, 200);
        assert_eq!(gateway.call("POST", "/x").body("{}").await.status, 400);
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_and_one_within_it_is_read_to_its_end() {
    let (upstream, schema) = (Upstream::start(), Schema::new(ORDER));
    let body = |bytes: usize| format!("{{\"sku\":\"ABC-1\",\"quantity\":1,\"note\":\"{}\"}}", "n".repeat(bytes - 38));
    for (more, most) in [("", 1 << 20), ("body_bytes = \"2KiB\"", 2 << 10)] {
        let gateway = Gateway::start(&schema.route(more), &upstream);
        let reply = post(&gateway, body(most)).await;
        assert_eq!((reply.status, reply.body.len()), (200, most));
        let reply = post(&gateway, body(most + 1)).await;
        assert_eq!(told(&reply).1, "body_too_large");
        let mut raw = Raw::connect(gateway.address());
        raw.send("POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        raw.send(format!("{:x}\r\n{}\r\n", most + 1, body(most + 1)));
        assert_eq!(raw.response().status(), 413);
        // A route without is not bounded by it.
        assert_eq!(gateway.call("POST", "/free").body(body(most + 1)).await.status, 200);
    }
    let text = schema.route("").replace("validate = ", "limits = { body_bytes = 100 }\nvalidate = ");
    let gateway = Gateway::start(&text, &upstream);
    assert_eq!(post(&gateway, body(100)).await.status, 200);
    assert_eq!(post(&gateway, body(101)).await.status, 413);
}

#[test]
fn a_body_that_breaks_off_or_stays_away_reaches_nobody() {
    let (upstream, schema) = (RawUpstream::start(|raw| drop(raw.request())), Schema::new(ORDER));
    let text = format!("[limits]\nbody_idle_timeout = \"200ms\"\n{}", schema.route(""));
    let gateway = Gateway::start(&text, &upstream);
    let half = format!("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{}", GOOD.len(), &GOOD[..10]);
    let mut raw = Raw::connect(gateway.address());
    let answer = raw.send(&half).response();
    assert_eq!((answer.status(), answer.json()["code"].as_str()), (408, Some("body_timeout")));
    let mut raw = Raw::connect(gateway.address());
    raw.send(&half).shut();
    raw.rest();
    drop(raw);
    let ended = || gateway.metric("gatehouse_failures_total{code=\"body_broken\"}");
    until(DEADLINE, || ended() == 1);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn limits_and_authorizers_come_before_and_filters_after() {
    let (upstream, schema) = (Upstream::start(), Schema::new(ORDER));
    let more = "[plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\nconfig = { authorize = { verdict_header = \"x-verdict\" } }\n\
        [plugins.filter]\ncomponent = \"{guests}/probe-body.wasm\"\n[rate_limits.l]\nrate = \"3/h\"\n\
        [cors.app]\nallow_origins = [\"https://app.example\"]\n";
    let keys = "plugins = [\"probe\", \"filter\"]\nrate_limits = [\"l\"]\ncors = \"app\"\nvalidate = ";
    let gateway = Gateway::start(&(more.to_owned() + &schema.route("").replace("validate = ", keys)), &upstream);
    let ask = |verdict, body| gateway.call("POST", "/x").header("x-verdict", verdict).body(body).into_future();
    assert_eq!(ask("deny", "{}").await.status, 403);
    let reply = gateway.call("POST", "/x").header("origin", "https://app.example").body("{}").await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (400, Some("https://app.example")));
    assert_eq!((gateway.calls("filter"), upstream.seen().len()), (0, 0));
    assert_eq!(ask("allow", GOOD).await.status, 200);
    assert!(gateway.calls("filter") > 0);
    assert_eq!(ask("allow", "{}").await.status, 429);
    // A browser's question before it is not a request that has a body.
    let call = gateway.call("OPTIONS", "/x").header("origin", "https://app.example");
    assert_eq!(call.header("access-control-request-method", "POST").await.status, 204);
}

#[tokio::test]
async fn a_route_that_answers_by_itself_has_a_validator_too() {
    let upstream = Upstream::start();
    let text =
        "[validators.page]\nrequired_query = [\"page\"]\n[routes.x]\nvalidate = \"page\"\nrespond.body = \"mock\"\n";
    let gateway = Gateway::start(text, &upstream);
    assert_eq!((gateway.get("/").await.status, gateway.get("/?page=1").await.text()), (400, "mock"));
}

/// Errors of alternatives that lead to themselves double with each level; so would the time to find them.
#[tokio::test]
async fn a_body_that_is_hard_to_validate_holds_nobody_up() {
    let upstream = Upstream::start();
    let branch = |kind: usize| {
        format!(
            "{{\"type\":\"object\",\"required\":[\"next\"],\"properties\":{{\"kind\":{{\"minLength\":{kind}}},\"next\":{{\"$ref\":\"#\"}}}}}}"
        )
    };
    let schema = Schema::new(&format!("{{\"anyOf\":[{},{},{{\"const\":0}}]}}", branch(0), branch(1)));
    let gateway = Gateway::start(&schema.route(""), &upstream);
    let nested = |leaf: &str, more: usize| {
        let inner = (0..100).fold(leaf.to_owned(), |inner, _| format!("{{\"kind\":\"k\",\"next\":{inner}}}"));
        inner + &" ".repeat(more)
    };
    let started = Instant::now();
    for more in [0, 500_000] {
        assert_eq!(post(&gateway, nested("0", more)).await.status, 200);
        let reply = post(&gateway, nested("{}", more)).await;
        assert_eq!(told(&reply), invalid("the body is not valid: it does not match the schema"));
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let wide = format!("[{}0]", "0,".repeat(400_000));
    let (wide, free) = tokio::join!(post(&gateway, wide), gateway.get("/free").into_future());
    assert_eq!((wide.status, free.status), (400, 200));
}

#[tokio::test]
async fn schemas_that_are_no_good_are_all_told_with_their_places_and_the_old_ones_serve() {
    let (upstream, schema) = (Upstream::start(), Schema::new(ORDER));
    let gateway = Gateway::start(&schema.route(""), &upstream);
    assert_eq!(post(&gateway, "{}").await.status, 400);
    for (text, problem) in [
        ("{", "is not JSON: EOF while parsing an object at line 1 column 1"),
        ("{\"type\": \"objekt\"}", "is not a JSON Schema: /type: it is not valid"),
        ("{\"$ref\": \"other.json\"}", "other.json"),
        ("{\"$ref\": \"http://127.0.0.1:1/a.json\"}", "http://127.0.0.1:1/a.json"),
        ("{\"pattern\": \"(?<=a)b\"}", "is not a JSON Schema: /pattern: it is not a \"regex\""),
    ] {
        fs::write(&schema.file, text).unwrap();
        let problems = gateway.reload_files().unwrap_err().to_string();
        assert!(problems.contains("gatehouse.toml:2:8: ") && problems.contains(problem), "{problems}");
    }
    fs::remove_file(&schema.file).unwrap();
    let more = schema.route("") + "[validators.other]\nbody = \"none.json\"\n";
    let problems = gateway.reload(&more, &upstream).unwrap_err().to_string();
    assert!(problems.contains("gatehouse.toml:2:8: ") && problems.contains("gatehouse.toml:12:8: "), "{problems}");
    assert_eq!(problems.matches("cannot be read: No such file").count(), 2, "{problems}");
    assert_eq!((post(&gateway, "{}").await.status, post(&gateway, GOOD).await.status), (400, 200));
    fs::write(&schema.file, "true").unwrap();
    assert_eq!(gateway.reload(&schema.route(""), &upstream).unwrap(), 2);
    assert_eq!(post(&gateway, "{}").await.status, 200);
}

#[test]
fn a_schema_that_changes_is_taken_on_while_it_runs() {
    let (upstream, schema) = (Upstream::start(), Schema::new(ORDER));
    let process = Process::start(&schema.route(""), &upstream);
    let status = || {
        let mut raw = Raw::connect(process.address());
        raw.send("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}").response().status()
    };
    assert_eq!(status(), 400);
    fs::write(&schema.file, "{\"type\": \"object\"}").unwrap();
    until(DEADLINE, || status() == 200);
}
