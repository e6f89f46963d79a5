//! Hot load: what is new is served without a lost request, what is broken is refused, and nothing is ever half of each.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::support::{
    Gateway, Held, Process, Raw, Upstream, guest,
    raw::{DEADLINE, RawUpstream, ask, get},
    until,
};

/// A route `/x` with a probe that sets the header `x-a` of answers and tells the upstream its count, and a route without.
fn tagged(component: &Path, a: &str) -> String {
    format!(
        r#"
        [plugins.p]
        component = {component:?}
        cache = {{ ttl = "0s" }}
        config = {{ on_response = {{ set_headers = {{ x-a = "{a}" }} }} }}
        [routes.x]
        path = "/x"
        upstream = "up"
        plugins = ["p"]
        upstream_headers = {{ x-count = "${{auth.count}}" }}
        [routes.free]
        upstream = "up"
        "#
    )
}

/// The tag of an answer; all is well with it otherwise.
fn tag(address: std::net::SocketAddr) -> Option<String> {
    let reply = ask(address, get("/x", ""));
    assert_eq!((reply.status(), reply.text()), (200, "hello"));
    reply.header("x-a").map(str::to_owned)
}

/// The same component as other bytes: a custom section is added.
fn variant(number: u8) -> Vec<u8> {
    let mut bytes = fs::read(guest("probe")).unwrap();
    bytes.extend([0, 3, 1, b'v', number]);
    bytes
}

/// Moves a file into the place of another.
fn replace(file: &Path, bytes: &[u8]) {
    fs::write(file.with_extension("new"), bytes).unwrap();
    fs::rename(file.with_extension("new"), file).unwrap();
}

/// Two plugins of one component, that tell the same number in three places.
fn generation(component: &Path, number: usize) -> String {
    format!(
        r#"
        [server]
        workers = 2
        [plugins.a]
        component = {component:?}
        config.on_request.set_headers.x-a = "{number}"
        config.on_response.set_headers.x-c = "{number}"
        [plugins.b]
        component = {component:?}
        config.on_request.set_headers.x-b = "{number}"
        [routes.x]
        upstream = "up"
        plugins = ["a", "b"]
        "#
    )
}

/// Sends requests on one connection until it is told to stop; each is answered, by one generation.
fn load(address: std::net::SocketAddr, stop: &AtomicBool, served: &AtomicUsize) {
    let mut client = Raw::connect(address);
    while !stop.load(Ordering::Relaxed) {
        let reply = client.send(get("/x", "")).response();
        let [a, b, c] = ["x-a", "x-b", "x-c"].map(|name| reply.header(name).unwrap_or("none"));
        assert!(reply.status() == 200 && a != "none" && a == b && b == c, "{a} {b} {c} {}", reply.text());
        served.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn two_hundred_swaps_under_load_lose_no_request_and_mix_no_generations() {
    let upstream = Upstream::answering(|seen| {
        let mut response = Response::new(Full::new(Bytes::from_static(b"hello")));
        let tags = ["x-a", "x-b"].map(|name| (http::HeaderName::from_static(name), seen.headers[name].clone()));
        response.headers_mut().extend(tags);
        response
    });
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("probe.wasm");
    replace(&component, &variant(0));
    let gateway = Gateway::start(&generation(&component, 0), &upstream);
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| load(gateway.address(), &stop, &served))).collect();
        let started = Instant::now();
        for number in 1..=200 {
            replace(&component, &variant((number % 2) as u8));
            gateway.reload(&generation(&component, number), &upstream).unwrap();
        }
        let took = started.elapsed();
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
        println!("200 swaps in {took:?}, {} requests meanwhile, none lost", served.load(Ordering::Relaxed));
    });
    assert_eq!(ask(gateway.address(), get("/x", "")).header("x-c"), Some("200"));
    assert_eq!(gateway.metric("gatehouse_generation"), 201);
    // A worker may still be about to let go of an exchange whose answer was read.
    until(DEADLINE, || gateway.metric("gatehouse_snapshots_alive") == 1);
    until(DEADLINE, || gateway.metric("gatehouse_plugins_alive") == 2);
    assert!(served.load(Ordering::Relaxed) > 200);
}

#[test]
fn an_exchange_under_way_ends_as_it_began() {
    let upstream = Held::start();
    let gateway = Gateway::start(&tagged(&guest("probe"), "old"), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(get("/x", ""));
    upstream.arrival();
    gateway.reload(&tagged(&guest("probe"), "new"), &upstream).unwrap();
    upstream.release(2);
    assert_eq!(client.response().header("x-a"), Some("old"));
    assert_eq!(client.send(get("/x", "")).response().header("x-a"), Some("new"));
}

#[test]
fn what_is_alive_is_counted_and_a_replaced_state_is_alive_until_its_last_exchange_ends() {
    let upstream = Held::start();
    let gateway = Gateway::start(&tagged(&guest("probe"), "old"), &upstream);
    let alive = || {
        let of = |what| gateway.metric(&format!("gatehouse_{what}"));
        [of("snapshots_alive"), of("plugins_alive"), of("plugin_instances_alive{plugin=\"p\"}")]
    };
    assert_eq!(alive(), [1, 1, 0]);
    let mut client = Raw::connect(gateway.address());
    client.send(get("/x", ""));
    upstream.arrival();
    gateway.reload(&tagged(&guest("probe"), "new"), &upstream).unwrap();
    assert_eq!(alive()[..2], [2, 2]);
    upstream.release(3);
    assert_eq!(client.response().header("x-a"), Some("old"));
    // The next answer on the connection comes after the last exchange has been closed.
    assert_eq!(client.send(get("/x", "")).response().header("x-a"), Some("new"));
    assert_eq!(alive(), [1, 1, 1]);
    gateway.reload("[routes.free]\nupstream = \"up\"\n", &upstream).unwrap();
    client.send(get("/free", "")).response();
    assert_eq!(alive(), [1, 0, 0]);
}

#[test]
fn a_plugin_that_has_not_changed_keeps_its_instances() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&tagged(&guest("probe"), "1"), &upstream);
    let count = || {
        tag(gateway.address());
        upstream.last().header("x-count").unwrap().to_owned()
    };
    assert_eq!([count(), count()], ["1", "2"]);
    let other = "\n[plugins.other]\ncomponent = \"{guests}/probe.wasm\"\n";
    gateway.reload(&(tagged(&guest("probe"), "1") + other), &upstream).unwrap();
    assert_eq!(count(), "3");
    gateway.reload(&tagged(&guest("probe"), "2"), &upstream).unwrap();
    assert_eq!(count(), "1");
}

#[test]
fn a_component_that_is_not_good_is_refused_and_the_old_one_serves_on() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    fs::copy(guest("probe"), &component).unwrap();
    let gateway = Gateway::start(&tagged(&component, "old"), &upstream);
    let good = fs::read(&component).unwrap();
    let unknown = "(component (import \"a:b/c\" (instance (export \"d\" (func)))))";
    let broken: [(&[u8], &str); 7] = [
        (&good[..good.len() / 2], "is not a valid component"),
        (&good[..6], "is not a WebAssembly component"),
        (b"", "is empty"),
        (b"#!/bin/sh", "is not a WebAssembly component"),
        (&wat::parse_str("(module)").unwrap(), "is a core WebAssembly module"),
        (&wat::parse_str("(component)").unwrap(), "exports no hook"),
        (&wat::parse_str(unknown).unwrap(), "asks for what the gateway does not have"),
    ];
    for (bytes, reason) in broken {
        replace(&component, bytes);
        let problems = gateway.reload_files().unwrap_err().to_string();
        assert!(problems.contains(reason) && problems.contains("gatehouse.toml:3:"), "{problems}");
        assert_eq!(tag(gateway.address()).as_deref(), Some("old"), "after {reason}");
    }
    assert_eq!(gateway.metric("gatehouse_reloads_total{result=\"refused\"}"), 7);
    replace(&component, &variant(1));
    assert_eq!(gateway.reload_files().unwrap(), 2);
}

#[test]
fn a_plugin_that_refuses_its_new_configuration_changes_nothing() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&tagged(&guest("probe"), "old"), &upstream);
    for (init, reason) in [("panic", "`init` trapped"), ("error:not so", "not so"), ("loop", "used up its CPU time")] {
        let new = tagged(&guest("probe"), "new").replace("config = {", &format!("config = {{ init = \"{init}\","));
        let problems = gateway.reload(&new, &upstream).unwrap_err().to_string();
        assert!(problems.contains(reason) && problems.contains("gatehouse.toml:5:"), "{problems}");
        assert_eq!(tag(gateway.address()).as_deref(), Some("old"));
    }
}

#[test]
fn what_cannot_change_while_it_runs_is_refused() {
    let upstream = Upstream::start();
    let text = tagged(&guest("probe"), "1");
    let gateway = Gateway::start(&text, &upstream);
    let changes = [
        ("[server]\nworkers = 2\n", "`workers` cannot change"),
        ("[listeners.main]\naddress = \"127.0.0.1:1\"\n", "listeners cannot change"),
        ("[listeners.other]\naddress = \"127.0.0.1:0\"\n", "listeners cannot change"),
        ("[admin]\naddress = \"127.0.0.1:0\"\n", "the admin address cannot change"),
    ];
    for (change, reason) in changes {
        let problems = gateway.reload(&format!("{text}{change}"), &upstream).unwrap_err().to_string();
        assert!(problems.contains(reason) && problems.contains("restart it"), "{problems}");
    }
    assert_eq!(tag(gateway.address()).as_deref(), Some("1"));
}

/// Waits until a change was taken on or refused; the line that says so.
fn outcome(process: &Process) -> serde_json::Value {
    let line = process.line(|line| line.contains("loaded the configuration") || line.contains("is not loaded"));
    serde_json::from_str(&line).unwrap()
}

fn loaded(process: &Process) -> u64 {
    let line = outcome(process);
    assert_eq!(line["level"], "INFO", "{line}");
    line["generation"].as_u64().unwrap()
}

fn refused(process: &Process) -> String {
    let line = outcome(process);
    assert_eq!(line["level"], "ERROR", "{line}");
    line["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_new_configuration_is_served_however_it_was_written() {
    let upstream = Upstream::start();
    let process = Process::start(&tagged(&guest("probe"), "1"), &upstream);
    assert_eq!(tag(process.address()).as_deref(), Some("1"));
    assert_eq!(process.access_line("/x")["generation"], 1);
    process.replace(&tagged(&guest("probe"), "2"), &upstream);
    assert_eq!((loaded(&process), tag(process.address()).as_deref()), (2, Some("2")));
    process.write(&tagged(&guest("probe"), "3"), &upstream);
    assert_eq!((loaded(&process), tag(process.address()).as_deref()), (3, Some("3")));
    assert_eq!(process.access_line("/x")["generation"], 3);
}

#[test]
fn a_broken_configuration_is_refused_with_its_place_until_it_is_mended() {
    let upstream = Upstream::start();
    let process = Process::start(&tagged(&guest("probe"), "1"), &upstream);
    process.write(&tagged(&guest("probe"), "2").replace("upstream = \"up\"", "upstream = \"pu\""), &upstream);
    let problems = refused(&process);
    assert!(problems.contains("generation 1 serves on") && problems.contains("gatehouse.toml:8:"), "{problems}");
    assert_eq!(tag(process.address()).as_deref(), Some("1"));
    fs::write(process.file("gatehouse.toml"), "").unwrap();
    assert!(refused(&process).contains("gatehouse.toml"));
    fs::remove_file(process.file("gatehouse.toml")).unwrap();
    assert!(refused(&process).contains("there is no such file"));
    process.write(&tagged(&guest("probe"), "2"), &upstream);
    assert_eq!((loaded(&process), tag(process.address()).as_deref()), (2, Some("2")));
}

#[test]
fn a_component_is_live_when_it_is_moved_into_place_and_gone_when_it_is_deleted() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    fs::copy(guest("probe"), &component).unwrap();
    // Without a configuration both guests take all requests; only the probe has a count.
    let grants = "grants = { http = [\"http://a.example\"], keyvalue = true, output = \"stderr\" }";
    let text = tagged(&component, "").replace("config = { on_response = { set_headers = { x-a = \"\" } } }", grants);
    let process = Process::start(&text, &upstream);
    tag(process.address());
    assert_eq!(upstream.last().header("x-count"), Some("1"));
    replace(&component, &fs::read(guest("probe-calls")).unwrap());
    assert_eq!(loaded(&process), 2);
    tag(process.address());
    assert_eq!(upstream.last().header("x-count"), None);
    fs::remove_file(&component).unwrap();
    assert!(refused(&process).contains("p.wasm does not exist"));
    tag(process.address());
}

#[test]
fn a_component_that_is_being_written_is_not_loaded_before_it_is_whole() {
    // An upstream that never answers: a 504 takes several times as long as the watcher waits for quiet.
    let upstream = RawUpstream::start(|raw| drop(raw.rest()));
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    fs::copy(guest("probe"), &component).unwrap();
    let upstreams =
        format!("[upstreams.up]\nurl = \"http://{}\"\nfirst_byte_timeout = \"150ms\"\n", upstream.address());
    let process = Process::start(&(tagged(&component, "1") + &upstreams), &upstream);
    let bytes = variant(1);
    let mut file = fs::File::create(&component).unwrap();
    for piece in bytes.chunks(bytes.len() / 3) {
        std::io::Write::write_all(&mut file, piece).unwrap();
        file.sync_all().unwrap();
        assert_eq!(ask(process.address(), get("/free", "")).status(), 504);
    }
    drop(file);
    assert_eq!(loaded(&process), 2);
}

#[test]
fn a_component_that_comes_after_its_configuration_is_loaded_when_it_is_there() {
    let upstream = Upstream::start();
    let process = Process::start(&tagged(&guest("probe"), "1"), &upstream);
    let late = process.file("late.wasm");
    process.replace(&tagged(&late, "2"), &upstream);
    assert!(refused(&process).contains("late.wasm does not exist"));
    replace(&late, &variant(1));
    assert_eq!((loaded(&process), tag(process.address()).as_deref()), (2, Some("2")));
}

#[test]
fn without_watching_only_sighup_reloads() {
    let upstream = Upstream::start();
    let process = Process::start_with(&tagged(&guest("probe"), "1"), &upstream, &["--no-watch"]);
    process.write(&tagged(&guest("probe"), "2").replace("/x", "x"), &upstream);
    process.write(&tagged(&guest("probe"), "2"), &upstream);
    assert_eq!(tag(process.address()).as_deref(), Some("1"));
    process.signal("HUP");
    assert_eq!((loaded(&process), tag(process.address()).as_deref()), (2, Some("2")));
}

#[test]
fn a_plugin_that_is_not_named_any_more_is_gone_with_its_memory() {
    let upstream = Upstream::start();
    let grown = "on_request = { act = \"memory:40000000\" }, on_response";
    let text = tagged(&guest("probe"), "1").replace("on_response", grown);
    let text = text.replace("cache = ", "limits = { cpu = \"2s\", time = \"2s\", memory = \"128MiB\" }\ncache = ");
    let process = Process::start(&text, &upstream);
    tag(process.address());
    let before = process.memory("VmRSS");
    process.write("[routes.free]\nupstream = \"up\"\n", &upstream);
    assert_eq!(loaded(&process), 2);
    assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), None);
    let after = process.memory("VmRSS");
    println!("resident: {before} KiB with the plugin's 40 MB, {after} KiB without it");
    assert!(after + 30_000 < before, "{before} KiB, then {after} KiB");
}
