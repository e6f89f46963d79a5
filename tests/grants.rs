//! What a plugin may reach: what was granted, as far as it was granted, and nothing else.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::support::{
    Gateway, Held, Process, Raw, Upstream,
    raw::{RawUpstream, ask, get, ok},
};

/// A route `/x` whose authorizer makes the calls that the header `x-calls` lists and tells the upstream what they gave,
/// and a route `/free`.
fn calling(http: &str, grants: &str, more: &str) -> String {
    format!(
        r#"
        [plugins.calls]
        component = "{{guests}}/probe-calls.wasm"
        cache = {{ ttl = "0s" }}
        config = {{ calls_header = "x-calls" }}
        grants = {{ http = ["{http}"], keyvalue = true, output = "stderr", {grants} }}
        {more}
        [routes.x]
        path = "/x"
        upstream = "up"
        plugins = ["calls"]
        [routes.x.upstream_headers]
        x-http = "${{auth.http}}"
        x-increment = "${{auth.increment}}"
        x-get = "${{auth.get}}"
        [routes.free]
        path = "/free"
        upstream = "up"
        "#
    )
}

/// What some calls gave, by the kind of the last.
fn gave(gateway: &Gateway, upstream: &Upstream, calls: &str) -> String {
    let reply = ask(gateway.address(), get("/x", &format!("x-calls: {calls}\r\n")));
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let kind = calls.rsplit(' ').next().unwrap().split(':').next().unwrap();
    upstream.last().header(&format!("x-{kind}")).unwrap_or_default().to_owned()
}

#[test]
fn a_granted_origin_is_reached_and_no_other() {
    let (upstream, granted, other) = (Upstream::start(), Upstream::start(), RawUpstream::saying(ok("")));
    let (granted_at, other_at) = (granted.address(), other.address());
    let gateway = Gateway::start(&calling(&format!("http://{granted_at}"), "", ""), &upstream);
    assert_eq!(gave(&gateway, &upstream, &format!("http:http://{granted_at}/a?b=c")), "200");
    assert_eq!(granted.last().target, "/a?b=c");
    let port = granted_at.port();
    let denied = [
        format!("http://{other_at}/"),
        format!("https://{granted_at}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1.example:{port}/"),
        format!("http://{granted_at}@{other_at}/"),
    ];
    for url in denied {
        let told = gave(&gateway, &upstream, &format!("http:{url}"));
        assert!(told.starts_with("failed: "), "{url}: {told}");
    }
    assert_eq!((granted.seen().len(), other.connections()), (1, 0));
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let (upstream, elsewhere) = (Upstream::start(), RawUpstream::saying(ok("")));
    let location =
        format!("HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", elsewhere.address());
    let redirecting = RawUpstream::saying(location);
    let url = format!("http://{}", redirecting.address());
    let gateway = Gateway::start(&calling(&url, "", ""), &upstream);
    assert_eq!(gave(&gateway, &upstream, &format!("http:{url}/")), "302");
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_name_that_leads_inside_needs_a_grant_of_its_own() {
    let (upstream, inside) = (Upstream::start(), RawUpstream::saying(ok("")));
    // Not an address as URLs have it, so a name; the system's resolver makes it 127.0.0.1.
    let url = format!("http://0x7f000001:{}", inside.address().port());
    let gateway = Gateway::start(&calling(&url, "", ""), &upstream);
    let told = gave(&gateway, &upstream, &format!("http:{url}/"));
    assert!(told.starts_with("failed: "), "{told}");
    assert_eq!(inside.connections(), 0);
    let gateway = Gateway::start(&calling(&url, "http_private = true", ""), &upstream);
    assert_eq!(gave(&gateway, &upstream, &format!("http:{url}/")), "200");
}

#[test]
fn a_hook_sends_no_more_requests_than_it_may() {
    let (upstream, target) = (Upstream::start(), Upstream::start());
    let url = format!("http://{}", target.address());
    let gateway = Gateway::start(&calling(&url, "", "limits = { http_calls = 2 }"), &upstream);
    for round in 1..=2 {
        let calls = ["/1", "/2", "/3"].map(|path| format!("http:{url}{path}")).join(" ");
        let told = gave(&gateway, &upstream, &calls);
        assert!(told.starts_with("failed: "), "{told}");
        assert_eq!(target.seen().len(), 2 * round, "the limit is for one hook");
    }
}

#[test]
fn what_a_request_has_taken_is_free_after_it() {
    let (upstream, target) = (Upstream::start(), Upstream::start());
    let url = format!("http://{}", target.address());
    let limits = "limits = { handles = 20, http_calls = 50, time = \"5s\" }";
    let gateway = Gateway::start(&calling(&url, "", limits), &upstream);
    // Each has a time-out, so more handles than without.
    assert_eq!(gave(&gateway, &upstream, &vec![format!("http:{url}/"); 50].join(" ")), "200");
}

#[test]
fn a_slow_target_costs_its_own_request_only() {
    let (upstream, slow) = (Upstream::start(), Held::start());
    let url = format!("http://{}", slow.address());
    let gateway = Gateway::start(&calling(&url, "", "limits = { time = \"600ms\" }"), &upstream);
    let started = Instant::now();
    let mut client = Raw::connect(gateway.address());
    client.send(get("/x", &format!("x-calls: http:{url}/\r\n")));
    slow.arrival();
    for _ in 0..20 {
        assert_eq!(ask(gateway.address(), get("/free", "")).status(), 200);
    }
    println!("20 requests beside a call that waits: {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
    let reply = client.response();
    assert_eq!((reply.status(), reply.json()["code"].as_str()), (504, Some("plugin_timeout")));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn key_value_state_is_shared_by_all_instances_of_a_plugin() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&calling("http://a.example", "", "isolation = \"request\""), &upstream);
    let increments: Vec<String> = (0..3).map(|_| gave(&gateway, &upstream, "increment:hits")).collect();
    assert_eq!(increments, ["1", "2", "3"]);
    assert_eq!(gave(&gateway, &upstream, "set:k=v get:k"), "v");
    assert_eq!(gave(&gateway, &upstream, "get:k"), "v");
}

#[test]
fn key_value_state_lives_as_long_as_its_plugin_is_the_same() {
    let upstream = Upstream::start();
    let text = calling("http://a.example", "", "");
    let gateway = Gateway::start(&text, &upstream);
    assert_eq!(gave(&gateway, &upstream, "increment:hits"), "1");
    gateway.reload(&(text.clone() + "[log]\naccess = false\n"), &upstream).unwrap();
    assert_eq!(gave(&gateway, &upstream, "increment:hits"), "2");
    gateway.reload(&text.replace("a.example", "b.example"), &upstream).unwrap();
    assert_eq!(gave(&gateway, &upstream, "increment:hits"), "1");
}

#[test]
fn key_value_state_is_a_plugins_own() {
    let upstream = Upstream::start();
    let other = calling("http://a.example", "", "").replace("calls]", "other]").replace("\"calls\"", "\"other\"");
    let other =
        other.replace("routes.x", "routes.y").replace("\"/x\"", "\"/y\"").replace("routes.free", "routes.free2");
    let text = calling("http://a.example", "", "") + &other.replace("/free", "/free2");
    let gateway = Gateway::start(&text, &upstream);
    let increment = |path| {
        assert_eq!(ask(gateway.address(), get(path, "x-calls: increment:hits\r\n")).status(), 200);
        upstream.last().header("x-increment").unwrap().to_owned()
    };
    assert_eq!([increment("/x"), increment("/x"), increment("/y"), increment("/x")], ["1", "2", "1", "3"]);
}

#[test]
fn key_value_state_takes_no_more_bytes_than_it_may() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&calling("http://a.example", "", "limits = { keyvalue_bytes = 1000 }"), &upstream);
    let set = |key: &str, bytes: usize| {
        let value = "v".repeat(bytes);
        ask(gateway.address(), get("/x", &format!("x-calls: set:{key}={value}\r\n"))).status()
    };
    assert_eq!([set("a", 500), set("b", 500), set("b", 100)], [200, 500, 200]);
    assert_eq!(set("a", 700), 200, "the old value's bytes are free for the new one");
    assert_eq!(set("a", 900), 500);
    assert_eq!(gave(&gateway, &upstream, "get:a").len(), 700, "a refused value leaves the old one");
}

#[test]
fn lines_go_to_the_file_that_was_granted() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines.log");
    fs::write(&file, "before\n").unwrap();
    let text = calling("http://a.example", "", "").replace("\"stderr\"", &format!("{file:?}"));
    let gateway = Gateway::start(&text, &upstream);
    ask(gateway.address(), get("/x", "x-calls: output:one output:two\r\n"));
    ask(gateway.address(), get("/x", "x-calls: output:three\r\n"));
    // Stopping writes out what was handed over.
    drop(gateway);
    assert_eq!(fs::read_to_string(&file).unwrap(), "before\none\ntwo\nthree\n");
}

#[test]
fn lines_go_to_standard_output_as_they_are() {
    let upstream = Upstream::start();
    let text = calling("http://a.example", "", "").replace("\"stderr\"", "\"stdout\"");
    let process = Process::start(&text, &upstream);
    ask(process.address(), get("/x", "x-calls: output:a-line\r\n"));
    process.line(|line| line == "a-line");
}

#[test]
fn a_file_for_lines_that_cannot_be_opened_is_a_problem_with_its_place() {
    let upstream = Upstream::start();
    let text = calling("http://a.example", "", "").replace("\"stderr\"", "\"/nowhere/lines.log\"");
    let problem = Gateway::try_start(&text, &upstream).err().expect("a problem");
    assert!(problem.contains("gatehouse.toml:6:") && problem.contains("cannot be opened"), "{problem}");
}

#[test]
fn an_import_that_was_not_granted_is_refused_with_the_grant_that_it_needs() {
    let upstream = Upstream::start();
    let text = calling("http://a.example", "", "");
    let (start, end) = (text.find("grants").unwrap(), text.find("[routes.x]").unwrap());
    let problem = Gateway::try_start(&text.replace(&text[start..end], ""), &upstream).err().expect("a problem");
    for (import, grant) in [
        ("wasi:http/outgoing-handler@0.2", "add `http = [\"https://...\"]` to its `grants`"),
        ("wasi:keyvalue/store@0.2", "add `keyvalue = true` to its `grants`"),
        ("gatehouse:plugin/output@0.1.0", "add `output = \"stdout\"` to its `grants`"),
    ] {
        let line = problem.lines().find(|line| line.contains(import)).unwrap_or_else(|| panic!("{problem}"));
        assert!(line.contains("gatehouse.toml:2:") && line.contains("`calls`") && line.contains(grant), "{line}");
    }
    let one_missing = text.replace("keyvalue = true", "keyvalue = false");
    let problem = Gateway::try_start(&one_missing, &upstream).err().expect("a problem");
    assert!(problem.contains("gatehouse.toml:6:") && !problem.contains("outgoing-handler"), "{problem}");
}

/// A logger that traps if it finds an environment, arguments or a folder.
const CURIOUS_LOGGER: &str = r#"
(component
  (import "wasi:cli/environment@0.2.0" (instance $cli
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:filesystem/types@0.2.0" (instance $types (export "descriptor" (type (sub resource)))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $outer))
    (export "descriptor" (type $its (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $its) string)))))))
  (core module $heap
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next) (global.set $next (i32.add (global.get $next) (i32.add (local.get 3) (i32.const 8))))))
  (core instance $heap (instantiate $heap))
  (alias export $cli "get-environment" (func $environment))
  (alias export $cli "get-arguments" (func $arguments))
  (alias export $preopens "get-directories" (func $directories))
  (core func $environment' (canon lower (func $environment) (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))
  (core func $arguments' (canon lower (func $arguments) (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))
  (core func $directories' (canon lower (func $directories) (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))
  (core module $code
    (import "host" "memory" (memory 1))
    (import "host" "environment" (func $environment (param i32)))
    (import "host" "arguments" (func $arguments (param i32)))
    (import "host" "directories" (func $directories (param i32)))
    (func $none (if (i32.load offset=4 (i32.const 16)) (then unreachable)))
    (func (export "log") (result i32)
      (call $environment (i32.const 16)) (call $none)
      (call $arguments (i32.const 16)) (call $none)
      (call $directories (i32.const 16)) (call $none)
      (i32.const 64)))
  (core instance $it (instantiate $code (with "host" (instance
    (export "memory" (memory $heap "memory"))
    (export "environment" (func $environment'))
    (export "arguments" (func $arguments'))
    (export "directories" (func $directories'))))))
  (func $log (result (result (error string))) (canon lift (core func $it "log") (memory (core memory $heap "memory"))))
  (instance $logger (export "log" (func $log)))
  (export "gatehouse:plugin/logger@0.1.0" (instance $logger)))"#;

#[test]
fn environment_arguments_and_files_are_empty() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("curious.wasm");
    fs::write(&component, wat::parse_str(CURIOUS_LOGGER).unwrap()).unwrap();
    let plugin = format!("[plugins.l]\ncomponent = {component:?}\n[routes.x]\nupstream = \"up\"\nplugins = [\"l\"]\n");
    let gateway = Gateway::start(&plugin, &upstream);
    (0..2).for_each(|_| assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200));
    assert!(gateway.calls("l") >= 1);
    assert_eq!(gateway.metric("gatehouse_plugin_skipped_total{plugin=\"l\"}"), 0);
}
