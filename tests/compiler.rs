//! Compiling a component: in a process of its own, with bounds, while the gateway serves.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Process, Upstream, configuration, guest,
    raw::{ask, get},
};

/// A logger with one function so long that compiling it takes many seconds.
pub(crate) fn bomb(file: &Path) {
    let mut body = String::new();
    for local in 0..400_000 {
        let (a, b) = (local % 500, local * 7 % 500);
        let _ = write!(body, "(if (local.get {a}) (then (local.set {b} (i32.load (local.get {a})))))");
    }
    let locals = "i32 ".repeat(500);
    let text = format!(
        r#"(component
          (core module $code (memory (export "memory") 1)
            (func (export "log") (result i32) (local {locals}) {body} (i32.const 64)))
          (core instance $it (instantiate $code))
          (func $log (result (result (error string)))
            (canon lift (core func $it "log") (memory (core memory $it "memory"))))
          (instance $logger (export "log" (func $log)))
          (export "gatehouse:plugin/logger@0.1.0" (instance $logger)))"#
    );
    fs::write(file, wat::parse_str(text).unwrap()).unwrap();
}

/// A gateway with a plugin, whose code it has never seen.
fn with(component: &Path, folder: &Path, server: &str) -> String {
    format!(
        "[server]\nworkers = 1\ncode_cache = {:?}\n{server}\n[plugins.p]\ncomponent = {component:?}\n\
         [routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n",
        folder.join("code")
    )
}

/// What `gatehouse check` says of a component that it refuses.
fn problems(component: &Path, folder: &Path, server: &str) -> String {
    let file = folder.join("gatehouse.toml");
    fs::write(&file, configuration(&with(component, folder, server), None)).unwrap();
    let output = Process::command(&["check"]).arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_component_that_takes_too_much_cpu_time_is_refused_and_requests_are_served_meanwhile() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("bomb.wasm");
    bomb(&component);
    let process = Process::start(&with(&guest("probe"), folder.path(), "compile_cpu = \"1s\""), &upstream);
    process.replace(&with(&component, folder.path(), "compile_cpu = \"1s\""), &upstream);
    let (address, done) = (process.address(), AtomicBool::new(false));
    let refused = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let (mut served, mut slowest) = (0, Duration::ZERO);
            while !done.load(Ordering::Relaxed) {
                let started = Instant::now();
                assert_eq!(ask(address, get("/x", "")).status(), 200);
                slowest = slowest.max(started.elapsed());
                served += 1;
            }
            (served, slowest)
        });
        let refused = process.line(|line| line.contains("is not loaded"));
        done.store(true, Ordering::Relaxed);
        let (served, slowest) = load.join().unwrap();
        println!("{served} requests were served while it was compiled, the slowest in {slowest:?}");
        assert!(served > 100, "{served}");
        refused
    });
    assert!(refused.contains("bomb.wasm takes more than 1 s of CPU time to compile"), "{refused}");
    assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
}

#[test]
fn a_component_that_takes_too_much_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("bomb.wasm");
    bomb(&component);
    let said = problems(&component, folder.path(), "compile_memory = \"64MiB\"");
    assert!(said.contains("bomb.wasm needs more than 67108864 bytes of memory to compile"), "{said}");
}

#[test]
fn a_component_that_is_none_is_told_apart_from_one_that_takes_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("broken.wasm");
    let mut bytes = fs::read(guest("probe")).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&component, bytes).unwrap();
    let said = problems(&component, folder.path(), "");
    assert!(said.contains("broken.wasm is not a valid component"), "{said}");
}

#[test]
fn the_compilers_process_reads_no_more_than_it_is_told_and_ends_with_an_error() {
    let output = Process::command(&["compile", "1", "67108864"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(!output.stderr.is_empty());
}
