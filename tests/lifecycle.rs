//! From the command line to the last byte: checking, starting, stopping.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::Output,
    sync::{Mutex, mpsc::channel},
    time::{Duration, Instant},
};

use crate::support::{
    Held, Http2, Process, Raw, RawUpstream, Upstream, configuration, guest,
    raw::{ask, get, ok},
};

const ROUTE: &str = "[routes.x]\nupstream = \"up\"\n";

/// Runs a command on a configuration.
fn run(command: &str, text: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatehouse.toml");
    fs::write(&file, configuration(text, None)).unwrap();
    Process::command(&[command]).arg(&file).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_good_configuration_is_checked_with_exit_code_0() {
    let plugin = "[plugins.p]\ncomponent = \"{guests}/probe.wasm\"\n[routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n";
    let output = run("check", plugin);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(text(&output.stdout).ends_with("1 routes, 1 plugins, no problems\n"), "{}", text(&output.stdout));
}

#[test]
fn a_check_tells_the_problems_of_all_plugins_at_once_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("module.wasm");
    fs::write(&module, wat::parse_str("(module)").unwrap()).unwrap();
    let plugins = format!(
        "[plugins.gone]\ncomponent = \"gone.wasm\"\n\
         [plugins.module]\ncomponent = {module:?}\n\
         [plugins.picky]\ncomponent = \"{{guests}}/probe.wasm\"\nconfig = {{ init = \"error:not like this\" }}\n\
         [plugins.typo]\ncomponent = \"{{guests}}/probe.wasm\"\nconfig = {{ initt = \"\" }}\n\
         [plugins.log]\ncomponent = \"{{guests}}/access-log.wasm\"\ngrants = {{ output = \"stdout\" }}\n\
         [plugins.log.config]\nformat = \"xml\"\nrequest_headers = [\"a\", 5]\n"
    );
    let output = run("check", &(plugins + ROUTE));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    let problems = text(&output.stderr);
    for (place, reason) in [
        (":2:13: plugin `gone`", "gone.wasm does not exist"),
        (":4:13: plugin `module`", "is a core WebAssembly module"),
        (":7:10: plugin `picky`", "`init` refused its configuration: not like this"),
        (":10:10: plugin `typo`", "unknown field `initt`"),
        (":15:10: plugin `log`", "\"xml\" is not one of"),
        (":16:25: plugin `log`", "5 is not of type \"string\""),
    ] {
        let line = problems.lines().find(|line| line.contains(place)).unwrap_or_else(|| panic!("{place}: {problems}"));
        assert!(line.contains(reason), "{line}");
    }
    assert!(problems.contains("   15 | format = \"xml\"\n      |          ^^^^^"), "{problems}");
}

/// A logger by its exports, whose core module never comes to the end of its start function.
const NEVER_STARTS: &str = r#"(component
    (core module $m (func $s (loop (br 0))) (start $s) (func (export "log")))
    (core instance $i (instantiate $m))
    (func $log (canon lift (core func $i "log")))
    (instance $x (export "log" (func $log)))
    (export "gatehouse:plugin/logger@0.1.0" (instance $x)))"#;

#[test]
fn a_component_that_loops_while_it_is_instantiated_is_refused_in_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("loop.wasm");
    fs::write(&component, wat::parse_str(NEVER_STARTS).unwrap()).unwrap();
    let plugin = format!("[plugins.p]\ncomponent = {component:?}\nlimits = {{ init = \"50ms\" }}\n");
    let route = "[routes.x]\npath = \"/x\"\nupstream = \"up\"\nplugins = [\"p\"]\n";
    // In a process of its own, where no other plugin's calls keep the epochs moving.
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(run("check", &(plugin + route))));
    let output = ended.recv_timeout(Duration::from_secs(20)).expect("the check comes to an end");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("CPU time"), "{}", text(&output.stderr));
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    for command in ["check", "run"] {
        let output = Process::command(&[command, "/nowhere/gatehouse.toml"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert_eq!(text(&output.stderr), "/nowhere/gatehouse.toml: there is no such file\n");
    }
}

#[test]
fn help_tells_the_commands_and_a_wrong_one_is_an_error() {
    let help = Process::command(&["--help"]).output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    for word in ["run", "check", "SIGHUP", "SIGTERM"] {
        assert!(text(&help.stdout).contains(word), "{}", text(&help.stdout));
    }
    let wrong = Process::command(&["chek"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("check"), "{}", text(&wrong.stderr));
}

#[test]
fn a_port_in_use_is_named_with_its_listener() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = run("run", &format!("[listeners.public]\naddress = \"{address}\"\n{ROUTE}"));
    assert_eq!(output.status.code(), Some(1));
    let problem = text(&output.stderr);
    assert!(problem.contains(&format!("listener `public` cannot listen on {address}")), "{problem}");
}

#[test]
fn a_second_gateway_on_the_same_port_does_not_start() {
    let upstream = Upstream::start();
    let first = Process::start(ROUTE, &upstream);
    let listener = format!("[listeners.main]\naddress = \"{}\"\n", first.address());
    assert_eq!(run("run", &(listener + ROUTE)).status.code(), Some(1));
}

#[test]
fn sigterm_lets_an_exchange_under_way_end_and_takes_no_new_connection() {
    let upstream = Held::start();
    let mut process = Process::start(&format!("[server]\nworkers = 2\ndrain_timeout = \"8s\"\n{ROUTE}"), &upstream);
    let mut client = Raw::connect(process.address());
    client.send(get("/x", ""));
    upstream.arrival();
    process.signal("TERM");
    process.line(|line| line.contains("stopping"));
    // Those that the system took before the socket was closed are served, or reset with it.
    while TcpStream::connect(process.address()).is_ok() {}
    upstream.release(1);
    let reply = client.response();
    assert_eq!((reply.status(), reply.text(), reply.header("connection")), (200, "hello", Some("close")));
    let released = Instant::now();
    assert_eq!(process.wait().code(), Some(0));
    println!("stopped {:?} after the last answer", released.elapsed());
    assert!(released.elapsed() < Duration::from_secs(4), "{:?}", released.elapsed());
}

#[test]
fn sigterm_closes_connections_that_only_wait() {
    let upstream = Upstream::start();
    let mut process = Process::start(&format!("[server]\nworkers = 1\ndrain_timeout = \"8s\"\n{ROUTE}"), &upstream);
    let mut client = Raw::connect(process.address());
    assert_eq!(client.send(get("/x", "")).response().header("connection"), None);
    let signalled = Instant::now();
    process.signal("TERM");
    assert!(client.rest().is_empty());
    assert_eq!(process.wait().code(), Some(0));
    assert!(signalled.elapsed() < Duration::from_secs(4), "{:?}", signalled.elapsed());
}

#[test]
fn a_request_that_came_before_sigterm_is_answered_on_an_idle_connection_and_on_a_new_one() {
    let upstream = Upstream::start();
    let mut process = Process::start(&format!("[server]\nworkers = 1\ndrain_timeout = \"8s\"\n{ROUTE}"), &upstream);
    let mut kept = Raw::connect(process.address());
    assert_eq!(kept.send(get("/x", "")).response().status(), 200);
    process.suspend();
    let mut new = Raw::connect(process.address());
    for client in [&mut kept, &mut new] {
        client.send(get("/x", ""));
    }
    process.signal("TERM");
    process.signal("CONT");
    for client in [&mut kept, &mut new] {
        assert_eq!(client.response().status(), 200);
    }
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn a_request_after_an_answer_that_had_begun_before_sigterm_is_answered() {
    let (finish, finished) = channel::<()>();
    let finished = Mutex::new(finished);
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nbegun,");
        finished.lock().unwrap().recv().unwrap();
        raw.send("ended.");
        raw.request();
        raw.send(ok("another"));
    });
    let mut process = Process::start(&format!("[server]\nworkers = 1\ndrain_timeout = \"8s\"\n{ROUTE}"), &upstream);
    let mut client = Raw::connect(process.address());
    assert!(!client.send(get("/x", "")).until("begun,").contains("connection: close"));
    process.signal("TERM");
    process.line(|line| line.contains("stopping"));
    client.send(get("/x", ""));
    finish.send(()).unwrap();
    assert_eq!(client.until("ended."), "ended.");
    assert_eq!(client.response().text(), "another");
    assert_eq!(process.wait().code(), Some(0));
}

#[tokio::test]
async fn a_request_that_came_before_sigterm_is_answered_on_a_new_http2_connection() {
    let upstream = Upstream::start();
    let mut process = Process::start(&format!("[server]\nworkers = 1\ndrain_timeout = \"8s\"\n{ROUTE}"), &upstream);
    process.suspend();
    let client = Http2::connect(process.address()).await;
    let stopping = async {
        process.signal("TERM");
        process.signal("CONT");
    };
    let (answer, ()) = tokio::join!(client.send(client.request("GET", "/x")), stopping);
    assert_eq!(answer.unwrap().status(), 200);
    client.connection.await.unwrap().unwrap();
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn sigterm_does_not_wait_for_a_client_that_says_nothing() {
    let upstream = Upstream::start();
    let mut process = Process::start(&format!("[server]\nworkers = 1\ndrain_timeout = \"8s\"\n{ROUTE}"), &upstream);
    let silent = TcpStream::connect(process.address()).unwrap();
    // The worker has taken both connections when it has answered on the later one.
    assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
    let signalled = Instant::now();
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
    assert!(signalled.elapsed() < Duration::from_secs(4), "{:?}", signalled.elapsed());
    drop(silent);
}

#[test]
fn an_exchange_that_is_stuck_is_cut_off_after_the_drain_timeout() {
    let upstream = Held::start();
    let mut process = Process::start(&format!("[server]\nworkers = 1\ndrain_timeout = \"300ms\"\n{ROUTE}"), &upstream);
    let mut client = Raw::connect(process.address());
    client.send(get("/x", ""));
    upstream.arrival();
    let signalled = Instant::now();
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
    let took = signalled.elapsed();
    println!("a stuck exchange of 300 ms drain: exit after {took:?}");
    assert!((Duration::from_millis(300)..Duration::from_secs(3)).contains(&took), "{took:?}");
    assert!(client.rest().is_empty());
    process.line(|line| line.contains("cut off after `drain_timeout`"));
}

#[test]
fn the_lines_of_an_exchange_that_ends_while_stopping_are_written() {
    let upstream = Held::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines.log");
    let plugin = format!(
        "[plugins.calls]\ncomponent = {:?}\nconfig = {{ log = true }}\n\
         grants = {{ http = [\"http://a.example\"], keyvalue = true, output = {file:?} }}\n\
         [routes.x]\nupstream = \"up\"\nplugins = [\"calls\"]\n",
        guest("probe-calls")
    );
    let mut process = Process::start(&plugin, &upstream);
    let mut client = Raw::connect(process.address());
    client.send(get("/last", ""));
    upstream.arrival();
    process.signal("TERM");
    process.line(|line| line.contains("stopping"));
    upstream.release(1);
    assert_eq!(client.response().status(), 200);
    assert_eq!(process.wait().code(), Some(0));
    process.access_line("/last");
    let lines = fs::read_to_string(&file).unwrap();
    assert!(lines.contains("\"path\":\"/last\""), "{lines:?}");
}

/// A gateway with a plugin and a code cache of its own.
fn cached(component: &Path, folder: &Path) -> String {
    format!(
        "[server]\nworkers = 1\ncode_cache = {folder:?}\n[plugins.p]\ncomponent = {component:?}\n\
         [routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n"
    )
}

/// A logger that does nothing: compiled in no time.
const SMALL_LOGGER: &str = r#"
(component
  (core module $code (memory (export "memory") 1) (func (export "log") (result i32) (i32.const 64)))
  (core instance $it (instantiate $code))
  (func $log (result (result (error string))) (canon lift (core func $it "log") (memory (core memory $it "memory"))))
  (instance $logger (export "log" (func $log)))
  (export "gatehouse:plugin/logger@0.1.0" (instance $logger)))"#;

/// From starting the process to its first answer.
fn first_answer(text: &str, upstream: &Upstream) -> Duration {
    let started = Instant::now();
    let process = Process::start(text, upstream);
    assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
    started.elapsed()
}

#[test]
fn with_its_code_cached_a_gateway_answers_at_once() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let text = cached(&guest("probe"), &folder.path().join("code"));
    let (cold, warm) = (first_answer(&text, &upstream), first_answer(&text, &upstream));
    println!("first answer: {cold:?} cold, {warm:?} with cached code");
    assert!(warm < Duration::from_millis(1500), "{warm:?}");
}

#[test]
fn cached_code_that_is_broken_or_anybodys_is_compiled_anew() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let (cache, component) = (folder.path().join("code"), folder.path().join("small.wasm"));
    fs::write(&component, wat::parse_str(SMALL_LOGGER).unwrap()).unwrap();
    let text = cached(&component, &cache);
    first_answer(&text, &upstream);
    let mut files = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let kept = files.find(|file| file.extension().is_some_and(|extension| extension == "cwasm")).unwrap();
    let good = fs::read(&kept).unwrap();
    let flipped = (0..8).map(|eighth| {
        let mut changed = good.clone();
        changed[good.len() * eighth / 8 + eighth] ^= 1 << eighth;
        changed
    });
    let cut = [&good[..good.len() / 2], &good[..10], b"", &[0; 5000]].map(<[u8]>::to_vec);
    for broken in cut.into_iter().chain(flipped) {
        fs::write(&kept, &broken).unwrap();
        first_answer(&text, &upstream);
        assert!(fs::read(&kept).unwrap() == good, "{} bytes were left as they were", broken.len());
    }
    let anybodys = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(&kept, anybodys).unwrap();
    first_answer(&text, &upstream);
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&kept).unwrap());
    assert_eq!(mode & 0o777, 0o600, "a file that others can write to was read");
}
