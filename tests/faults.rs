//! A plugin that fails, loops, eats memory, answers nonsense or is slow: what becomes of its own exchange, and that
//! nothing becomes of all others.

use std::time::{Duration, Instant};

use crate::support::{
    Gateway, Held, Process, Raw, Upstream,
    raw::{Message, ask, get},
};

/// A route `/x` with a probe that acts in every hook as a header tells it, and a route `/free` without a plugin.
fn told(limits: &str) -> String {
    format!(
        r#"
        [plugins.p]
        component = "{{guests}}/probe.wasm"
        cache = {{ ttl = "0s" }}
        limits = {{ {limits} }}
        [plugins.p.config]
        authorize = {{ act_header = "x-authorize" }}
        on_request = {{ act_header = "x-request" }}
        on_response = {{ act_header = "x-response" }}
        log = {{ act_header = "x-log" }}
        [routes.x]
        path = "/x"
        upstream = "up"
        plugins = ["p"]
        upstream_headers = {{ x-count = "${{auth.count}}" }}
        [routes.free]
        path = "/free"
        upstream = "up"
        "#
    )
}

/// For each entry a plugin `pN` with a route `/N`.
fn each<'a>(plugins: impl IntoIterator<Item = &'a str>) -> String {
    let one = |(number, plugin)| {
        format!(
            "[plugins.p{number}]\ncomponent = \"{{guests}}/probe.wasm\"\n{plugin}\n\
             [routes.r{number}]\npath = \"/{number}\"\nupstream = \"up\"\nplugins = [\"p{number}\"]\n"
        )
    };
    plugins.into_iter().enumerate().map(one).collect()
}

/// A route `/x` whose authorizer asks the upstream, and a route `/free` that is answered with 502 at once.
fn calling(limits: &str) -> String {
    format!(
        r#"
        [plugins.calls]
        component = "{{guests}}/probe-calls.wasm"
        cache = {{ ttl = "0s" }}
        config = {{ calls = ["http:http://{{upstream}}/called"] }}
        grants = {{ http = ["http://{{upstream}}"], keyvalue = true, output = "stdout" }}
        limits = {{ {limits} }}
        [upstreams.up]
        url = "http://{{upstream}}"
        [upstreams.nobody]
        url = "http://127.0.0.1:1"
        [routes.x]
        path = "/x"
        upstream = "up"
        plugins = ["calls"]
        [routes.free]
        path = "/free"
        upstream = "nobody"
        "#
    )
}

/// The code of an error reply, which has nothing in it but what it may have.
fn code(reply: &Message) -> String {
    let body = reply.json();
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "message", "request_id"]);
    assert_eq!(body["request_id"].as_str(), reply.header("x-request-id"));
    assert!(!reply.text().contains("my own text"), "{}", reply.text());
    body["code"].as_str().unwrap().to_owned()
}

const HOOKS: [&str; 3] = ["x-authorize", "x-request", "x-response"];

#[test]
fn a_fault_in_any_hook_fails_its_own_request_and_the_next_is_served() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&told("cpu = \"1s\", memory = \"16MiB\""), &upstream);
    let crashes = ["panic", "trap", "stack", "memory"].map(|act| (act, "plugin_trap"));
    let faults = [crashes.as_slice(), &[("error:my own text", "plugin_error")]].concat();
    for hook in HOOKS {
        for (act, expected) in &faults {
            let reply = ask(gateway.address(), get("/x", &format!("{hook}: {act}\r\n")));
            assert_eq!((reply.status(), code(&reply).as_str()), (500, *expected), "{hook}: {act}");
            assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200, "after {hook}: {act}");
        }
    }
    assert_eq!(gateway.metric("gatehouse_plugin_faults_total{plugin=\"p\"}"), 15);
}

#[test]
fn a_loop_in_any_hook_ends_with_its_cpu_time() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&told("cpu = \"20ms\""), &upstream);
    for hook in HOOKS {
        let started = Instant::now();
        let reply = ask(gateway.address(), get("/x", &format!("{hook}: loop\r\n")));
        let took = started.elapsed();
        println!("{hook}: a loop of 20 ms was answered after {took:?}");
        assert_eq!((reply.status(), code(&reply).as_str()), (504, "plugin_cpu_time"), "{hook}");
        assert!((Duration::from_millis(20)..Duration::from_millis(500)).contains(&took), "{took:?}");
        assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200);
    }
}

#[test]
fn others_are_served_while_a_plugin_loops() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&(told("cpu = \"20ms\"") + "[server]\nworkers = 2\n"), &upstream);
    let mut looping: Vec<Raw> = (0..8).map(|_| Raw::connect(gateway.address())).collect();
    for raw in &mut looping {
        raw.send(get("/x", "x-request: loop\r\n"));
    }
    for _ in 0..40 {
        assert_eq!(ask(gateway.address(), get("/free", "")).status(), 200);
    }
    assert!(looping.iter_mut().all(|raw| raw.response().status() == 504));
}

/// A logger that never ends. Its import can wait, so it is called on a fiber.
const LOOPING_LOGGER: &str = r#"
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "[method]pollable.block" (func $block))
  (core func $core-block (canon lower (func $block)))
  (core module $code
    (import "host" "block" (func (param i32)))
    (memory (export "memory") 1)
    (func (export "log") (result i32) (loop $again (br $again)) unreachable))
  (core instance $it (instantiate $code (with "host" (instance (export "block" (func $core-block))))))
  (func $log (result (result (error string))) (canon lift (core func $it "log") (memory (core memory $it "memory"))))
  (instance $logger (export "log" (func $log)))
  (export "gatehouse:plugin/logger@0.1.0" (instance $logger)))"#;

#[test]
fn a_loop_that_can_be_suspended_leaves_its_worker_to_others() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("looping.wasm");
    std::fs::write(&component, wat::parse_str(LOOPING_LOGGER).unwrap()).unwrap();
    let plugin = format!("component = {component:?}\nlimits = {{ cpu = \"5s\", time = \"5s\" }}");
    let looping = "[routes.x]\npath = \"/x\"\nupstream = \"up\"\nplugins = [\"l\"]";
    let free = "[routes.free]\npath = \"/free\"\nupstream = \"up\"";
    let gateway = Gateway::start(&format!("[plugins.l]\n{plugin}\n{looping}\n{free}\n"), &upstream);
    assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200);
    let started = Instant::now();
    (0..10).for_each(|_| assert_eq!(ask(gateway.address(), get("/free", "")).status(), 200));
    println!("ten requests beside a loop on the one worker took {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!((gateway.calls("l"), gateway.metric("gatehouse_plugin_skipped_total{plugin=\"l\"}")), (1, 0));
}

/// A logger that spends its time in instructions that nothing interrupts. It is called without a fiber.
const FILLING_LOGGER: &str = r#"
(component
  (core module $code
    (memory (export "memory") 1024)
    (func (export "log") (result i32)
      (loop $again (memory.fill (i32.const 0) (i32.const 1) (i32.const 67108864)) (br $again)) unreachable))
  (core instance $it (instantiate $code))
  (func $log (result (result (error string))) (canon lift (core func $it "log") (memory (core memory $it "memory"))))
  (instance $logger (export "log" (func $log)))
  (export "gatehouse:plugin/logger@0.1.0" (instance $logger)))"#;

#[test]
fn a_loop_of_long_instructions_ends_too() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("filling.wasm");
    std::fs::write(&component, wat::parse_str(FILLING_LOGGER).unwrap()).unwrap();
    let plugin = format!("component = {component:?}\nlimits = {{ cpu = \"10ms\", time = \"300ms\" }}");
    let route = "[routes.x]\npath = \"/x\"\nupstream = \"up\"\nplugins = [\"l\"]";
    let free = "[routes.free]\npath = \"/free\"\nupstream = \"up\"";
    let gateway = Gateway::start(&format!("[plugins.l]\n{plugin}\n{route}\n{free}\n"), &upstream);
    let started = Instant::now();
    assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200);
    assert_eq!(ask(gateway.address(), get("/free", "")).status(), 200);
    println!("a loop of `memory.fill` with 10 ms held its worker up for {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(gateway.metric("gatehouse_plugin_skipped_total{plugin=\"l\"}"), 1);
}

#[test]
fn an_answer_that_would_break_http_is_a_fault_of_the_plugin() {
    let upstream = Upstream::start();
    let answers = [
        r#"authorize = { set_headers = { "a b" = "1" } }"#,
        r#"authorize = { set_headers = { content-length = "5" } }"#,
        r#"authorize = { set_headers = { x = "1\r\ny: 2" } }"#,
        r#"authorize = { attributes = { "a b" = "1" } }"#,
        r#"authorize = { verdict = "deny", status = 200 }"#,
        r#"authorize = { verdict = "deny", status = 600 }"#,
        r#"authorize = { verdict = "deny", headers = { host = "a" } }"#,
        r#"on_request = { path = "x" }"#,
        r#"on_request = { path = "/../x" }"#,
        r#"on_request = { path = "/x?y" }"#,
        r#"on_request = { query = "a b" }"#,
        r#"on_request = { method = "G T" }"#,
        r#"on_request = { method = "CONNECT" }"#,
        r#"on_request = { append_headers = { transfer-encoding = "chunked" } }"#,
        r#"on_request = { remove_headers = ["host"] }"#,
        r#"on_request = { set_headers = { x = "→" } }"#,
        r#"on_request = { respond = { status = 101 } }"#,
        r#"on_request = { respond = { status = 204, body = "x" } }"#,
        r#"on_request = { respond = { status = 200, headers = { upgrade = "h2c" } } }"#,
    ];
    let plugins: Vec<String> = answers.iter().map(|answer| format!("config = {{ {answer} }}")).collect();
    let gateway = Gateway::start(&each(plugins.iter().map(String::as_str)), &upstream);
    for (number, answer) in answers.iter().enumerate() {
        let reply = ask(gateway.address(), get(&format!("/{number}"), ""));
        assert_eq!((reply.status(), code(&reply).as_str()), (500, "plugin_invalid"), "{answer}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_response_that_would_break_http_is_a_fault_of_the_plugin() {
    let upstream = Upstream::start();
    let answers = [
        "status = 100",
        "status = 600",
        "set_headers = { content-length = \"0\" }",
        "set_headers = { x = \"1\\u0000\" }",
        "append_headers = { connection = \"upgrade\" }",
        "remove_headers = [\"transfer-encoding\"]",
        "attributes = { \"\" = \"1\" }",
        "replace = { status = 199 }",
        "replace = { status = 304, body = \"x\" }",
    ];
    let plugins: Vec<String> = answers.iter().map(|it| format!("config = {{ on_response = {{ {it} }} }}")).collect();
    let gateway = Gateway::start(&each(plugins.iter().map(String::as_str)), &upstream);
    for (number, answer) in answers.iter().enumerate() {
        let reply = ask(gateway.address(), get(&format!("/{number}"), ""));
        assert_eq!((reply.status(), code(&reply).as_str()), (500, "plugin_invalid"), "{answer}");
    }
}

#[test]
fn a_request_goes_on_without_a_filter_that_may_be_skipped() {
    let upstream = Upstream::start();
    let edit = "path = \"/changed\", query = \"q=1\", set_headers = { a-good = \"1\"";
    let failing =
        ["act = \"panic\"", "act = \"loop\"", "act = \"error:no\"", "method = \"A B\"", "remove_headers = [\"te\"]"];
    let plugin = |fails| format!("on_failure = \"skip\"\nconfig = {{ on_request = {{ {fails}, {edit} }} }} }}");
    let half = format!("on_failure = \"skip\"\nconfig = {{ on_request = {{ {edit}, host = \"bad\" }} }} }}");
    let plugins: Vec<String> = failing.map(plugin).into_iter().chain([half]).collect();
    let gateway = Gateway::start(&each(plugins.iter().map(String::as_str)), &upstream);
    for (number, plugin) in plugins.iter().enumerate() {
        let reply = ask(gateway.address(), get(&format!("/{number}"), ""));
        assert_eq!((reply.status(), reply.text()), (200, "hello"), "{plugin}");
        let seen = upstream.last();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", format!("/{number}").as_str()), "{plugin}");
        assert_eq!(seen.header("a-good"), None, "{plugin}");
        assert_eq!(gateway.metric(&format!("gatehouse_plugin_skipped_total{{plugin=\"p{number}\"}}")), 1);
    }
}

#[test]
fn a_response_goes_on_without_a_filter_that_may_be_skipped() {
    let upstream = Upstream::start();
    let edit = "status = 201, set_headers = { a-good = \"1\"";
    let failing = ["act = \"trap\"", "act = \"loop\"", "act = \"error:no\"", "replace = { status = 7 }"];
    let plugin = |fails| format!("on_failure = \"skip\"\nconfig = {{ on_response = {{ {fails}, {edit} }} }} }}");
    let half = format!("on_failure = \"skip\"\nconfig = {{ on_response = {{ {edit}, trailer = \"bad\" }} }} }}");
    let plugins: Vec<String> = failing.map(plugin).into_iter().chain([half]).collect();
    let gateway = Gateway::start(&each(plugins.iter().map(String::as_str)), &upstream);
    for (number, plugin) in plugins.iter().enumerate() {
        let reply = ask(gateway.address(), get(&format!("/{number}"), ""));
        assert_eq!((reply.status(), reply.text(), reply.header("a-good")), (200, "hello", None), "{plugin}");
        assert_eq!(gateway.metric(&format!("gatehouse_plugin_skipped_total{{plugin=\"p{number}\"}}")), 1);
    }
}

#[test]
fn an_authorizer_is_never_skipped() {
    let upstream = Upstream::start();
    let acts = ["panic", "loop", "error:no"]
        .map(|act| format!("on_failure = \"skip\"\nconfig = {{ authorize = {{ act = \"{act}\" }} }}"));
    let gateway = Gateway::start(&each(acts.iter().map(String::as_str)), &upstream);
    let status = |number: usize| ask(gateway.address(), get(&format!("/{number}"), "")).status();
    assert_eq!([status(0), status(1), status(2)], [500, 504, 500]);
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_logger_that_fails_changes_nothing_for_the_client_and_is_counted() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&told("cpu = \"50ms\", memory = \"8MiB\""), &upstream);
    for act in ["panic", "trap", "loop", "memory", "error:no"] {
        let reply = ask(gateway.address(), get("/x", &format!("x-log: {act}\r\n")));
        assert_eq!((reply.status(), reply.text()), (200, "hello"), "{act}");
    }
    // A logger that ran long once is called beside other requests from then on.
    assert_eq!(gateway.metric_at("gatehouse_plugin_skipped_total{plugin=\"p\"}", 5), 5);
}

#[test]
fn the_log_names_the_plugin_and_the_reason_that_the_client_is_not_told() {
    let upstream = Upstream::start();
    let process = Process::start(&told("cpu = \"1s\", memory = \"8MiB\""), &upstream);
    let reasons = [
        ("x-authorize: error:my own text", "plugin `p` returned an error: my own text"),
        ("x-request: trap", "plugin `p` trapped"),
        ("x-response: memory", "it asked for more memory than `limits.memory`, 8388608 bytes"),
    ];
    for (act, reason) in reasons {
        let reply = ask(process.address(), get("/x", &format!("{act}\r\n")));
        let line = process.line(|line| line.contains("\"WARN\"") && line.contains(&code(&reply)));
        assert!(line.contains(reason) && line.contains(reply.header("x-request-id").unwrap()), "{line}");
        assert_eq!(process.access_line("/x")["failure"], code(&reply));
    }
    ask(process.address(), get("/x", "x-log: error:my own text\r\n"));
    process.line(|line| line.contains("skipped: plugin `p` returned an error: my own text"));
}

#[test]
fn a_component_that_needs_more_memory_than_it_may_have_is_not_loaded() {
    let upstream = Upstream::start();
    let problem = Gateway::try_start(&told("memory = \"64KiB\""), &upstream).err().expect("a problem");
    assert!(problem.contains("`limits.memory`, 65536 bytes"), "{problem}");
}

/// Two crashes a request: in the authorizer and in the logger.
const CRASH: &str = "x-authorize: panic\r\nx-log: panic\r\n";

#[test]
fn a_plugin_that_has_crashed_ten_times_in_a_row_rests() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&told(""), &upstream);
    (0..5).for_each(|_| assert_eq!(ask(gateway.address(), get("/x", CRASH)).status(), 500));
    let reply = ask(gateway.address(), get("/x", ""));
    assert_eq!((reply.status(), code(&reply).as_str()), (503, "plugin_resting"));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(gateway.calls("p"), 10, "the plugin that rests was called");
    assert_eq!(ask(gateway.address(), get("/free", "")).status(), 200);
}

#[test]
fn one_success_between_crashes_keeps_a_plugin_from_resting() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&told(""), &upstream);
    for _ in 0..4 {
        (0..4).for_each(|_| assert_eq!(ask(gateway.address(), get("/x", CRASH)).status(), 500));
        assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200);
    }
}

/// How often the instance that served was asked before, for some requests in turn.
fn counts(gateway: &Gateway, upstream: &Upstream, requests: usize) -> Vec<String> {
    let count = |_| {
        assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200);
        upstream.last().header("x-count").unwrap().to_owned()
    };
    (0..requests).map(count).collect()
}

#[test]
fn globals_live_on_from_request_to_request_until_an_instance_is_used_up() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&told(""), &upstream);
    assert_eq!(counts(&gateway, &upstream, 3), ["1", "2", "3"]);
    // A request takes four uses: one for each hook.
    let gateway = Gateway::start(&told("uses = 8"), &upstream);
    assert_eq!(counts(&gateway, &upstream, 5), ["1", "2", "1", "2", "1"]);
}

#[test]
fn with_isolation_by_request_globals_do_not_live_on() {
    let upstream = Upstream::start();
    let text = told("").replace("[plugins.p.config]", "isolation = \"request\"\n[plugins.p.config]");
    let gateway = Gateway::start(&text, &upstream);
    assert_eq!(counts(&gateway, &upstream, 3), ["1", "1", "1"]);
}

#[test]
fn an_instance_that_trapped_is_not_used_again() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&told(""), &upstream);
    assert_eq!(counts(&gateway, &upstream, 2), ["1", "2"]);
    ask(gateway.address(), get("/x", "x-authorize: trap\r\n"));
    assert_eq!(counts(&gateway, &upstream, 1), ["1"]);
}

#[test]
fn an_instance_whose_memory_has_grown_too_far_is_replaced() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&told("memory = \"16MiB\", cpu = \"1s\""), &upstream);
    assert_eq!(counts(&gateway, &upstream, 2), ["1", "2"]);
    // Thirteen of sixteen: the next growth would fail in somebody else's request.
    assert_eq!(ask(gateway.address(), get("/x", "x-response: memory:13000000\r\n")).status(), 200);
    assert_eq!(counts(&gateway, &upstream, 1), ["1"]);
}

#[test]
fn a_request_that_gets_no_instance_in_time_is_refused() {
    let upstream = Upstream::start();
    let free = "[routes.free]\npath = \"/free\"\nupstream = \"up\"\n";
    let text = each(["limits = { instances = 1, time = \"200ms\" }"]).replace("probe.wasm", "probe-body.wasm") + free;
    let gateway = Gateway::start(&text, &upstream);
    let mut slow = Raw::connect(gateway.address());
    slow.send("POST /0 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n1");
    // When the worker has answered this one, the only instance is with the body that does not come.
    assert_eq!(ask(gateway.address(), get("/free", "")).status(), 200);
    let started = Instant::now();
    let reply = ask(gateway.address(), get("/0", ""));
    assert_eq!((reply.status(), code(&reply).as_str()), (503, "plugin_busy"));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert!(started.elapsed() >= Duration::from_millis(200), "it did not wait");
    assert_eq!(slow.send("2").response().text(), "12");
}

#[test]
fn a_request_that_waits_gets_the_instance_as_soon_as_it_is_free() {
    let upstream = Held::start();
    let gateway = Gateway::start(&calling("instances = 1, time = \"5s\""), &upstream);
    let (mut first, mut second) = (Raw::connect(gateway.address()), Raw::connect(gateway.address()));
    first.send(get("/x", ""));
    upstream.arrival();
    second.send(get("/x", ""));
    // When the worker has answered this one, it has seen the second.
    ask(gateway.address(), get("/free", ""));
    let started = Instant::now();
    upstream.release(4);
    assert_eq!((first.response().status(), second.response().status()), (200, 200));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_call_frees_the_instance() {
    let upstream = Held::start();
    let gateway = Gateway::start(&calling("instances = 1, time = \"8s\""), &upstream);
    let mut leaving = Raw::connect(gateway.address());
    leaving.send(get("/x", ""));
    upstream.arrival();
    drop(leaving);
    let started = Instant::now();
    let mut next = Raw::connect(gateway.address());
    next.send(get("/x", ""));
    upstream.arrival();
    upstream.release(3);
    assert_eq!(next.response().status(), 200);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}
