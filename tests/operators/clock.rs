//! A wall clock that jumps under a running gateway, by hours and by decades. What waits, ages or rests does not notice;
//! what tells the time tells the new one.
//!
//! Only the gateway's own view is moved, by a small library that is put before the system's: `clock/jump.c`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant, SystemTime},
};

use tempfile::TempDir;

use crate::support::{
    Process, Raw, RawUpstream, Start, guest,
    raw::{DEADLINE, ask, get, ok},
};

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;

/// A gateway and the handle of its wall clock.
struct Jumping {
    process: Process,
    jump: PathBuf,
    /// Told of each request for `/slow` that has reached the upstream.
    slow: Receiver<()>,
    _upstream: RawUpstream,
    _folder: TempDir,
}

/// The library, made by the compiler that links Rust programs.
fn library(folder: &Path) -> PathBuf {
    let library = folder.join("jump.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/operators/clock/jump.c");
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    assert!(made.unwrap().success());
    library
}

impl Jumping {
    /// `/x` has an authorizer whose verdicts are kept, `/crash` one that crashes when told to; `/slow` is never answered.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (library, jump) = (library(folder.path()), folder.path().join("jump"));
        fs::write(&jump, 0_i64.to_ne_bytes()).unwrap();
        let (arrived, slow) = channel();
        let upstream = RawUpstream::start(move |raw| {
            while let Some(request) = raw.request() {
                match request.target() {
                    "/slow" => drop(arrived.send(()).map(|()| raw.rest())),
                    _ => drop(raw.try_send(ok("hello"))),
                }
            }
        });
        let probe = guest("probe");
        let text = format!(
            "[server]\nworkers = 1\n[admin]\naddress = \"127.0.0.1:0\"\n\
             [upstreams.up]\nurl = \"http://{}\"\nfirst_byte_timeout = \"300ms\"\n\
             [plugins.long]\ncomponent = {probe:?}\n\
             [plugins.short]\ncomponent = {probe:?}\nconfig = {{ authorize = {{ max_age = 1 }} }}\n\
             [plugins.crash]\ncomponent = {probe:?}\nconfig = {{ authorize = {{ act = \"trap\" }}, log = {{ act = \"trap\" }} }}\n\
             [plugins.told]\ncomponent = {probe:?}\nconfig = {{ on_response = {{ act = \"clock\" }} }}\n\
             [routes.slow]\npath = \"/slow\"\nupstream = \"up\"\n\
             [routes.long]\npath = \"/long\"\nupstream = \"up\"\nplugins = [\"long\"]\n\
             [routes.short]\npath = \"/short\"\nupstream = \"up\"\nplugins = [\"short\"]\n\
             [routes.crash]\npath = \"/crash\"\nupstream = \"up\"\nplugins = [\"crash\"]\n\
             [routes.told]\npath = \"/told\"\nupstream = \"up\"\nplugins = [\"told\"]\n",
            upstream.address()
        );
        let before = format!("export LD_PRELOAD={} WALL_CLOCK_JUMP={}", library.display(), jump.display());
        let process = Process::start_as(&text, &upstream, &Start { before: &before, ..Start::default() });
        Self { process, jump, slow, _upstream: upstream, _folder: folder }
    }

    /// Moves the wall clock so far from the true time.
    fn jump(&self, seconds: i64) {
        // In place, for the file is mapped.
        let mut file = fs::OpenOptions::new().write(true).open(&self.jump).unwrap();
        std::io::Write::write_all(&mut file, &seconds.to_ne_bytes()).unwrap();
    }

    fn ask(&self, path: &str) -> u16 {
        ask(self.process.address(), get(path, "")).status()
    }

    /// How often an authorizer was asked.
    fn asked(&self, plugin: &str) -> u64 {
        self.process.metric(&format!("gatehouse_verdict_cache_misses_total{{plugin=\"{plugin}\"}}"))
    }

    /// What it takes to answer `/slow` while the clock jumps.
    fn times_out(&self, seconds: i64) -> Duration {
        let started = Instant::now();
        let mut client = Raw::connect(self.process.address());
        client.send(get("/slow", ""));
        self.slow.recv_timeout(DEADLINE).unwrap();
        self.jump(seconds);
        assert_eq!(client.response().status(), 504);
        started.elapsed()
    }
}

#[test]
fn time_outs_verdicts_and_rests_do_not_move_with_the_wall_clock() {
    let gateway = Jumping::start();
    assert_eq!(gateway.ask("/long"), 200);
    // Twice a request: in the authorizer and in the logger.
    (0..5).for_each(|_| assert_eq!(gateway.ask("/crash"), 500));
    let (rests_since, asked) = (Instant::now(), gateway.asked("crash"));
    for seconds in [HOUR, -HOUR, 100 * YEAR, -50 * YEAR, 0] {
        gateway.jump(seconds);
        assert_eq!(gateway.ask("/long"), 200);
        assert_eq!(gateway.asked("long"), 1, "a verdict was forgotten at {seconds}");
        if rests_since.elapsed() < Duration::from_millis(900) {
            assert_eq!(gateway.ask("/crash"), 503, "its rest of a second ended at {seconds}");
            assert_eq!(gateway.asked("crash"), asked);
        }
    }
    for seconds in [HOUR, -HOUR] {
        let took = gateway.times_out(seconds);
        println!("a time-out of 300 ms ended after {took:?} while the clock jumped by {seconds} s");
        assert!((Duration::from_millis(300)..Duration::from_secs(2)).contains(&took), "{took:?}");
    }
    // A clock that went back keeps nothing alive that is due.
    gateway.jump(HOUR);
    assert_eq!(gateway.ask("/short"), 200);
    gateway.jump(-HOUR);
    let kept = Instant::now();
    while gateway.asked("short") == 1 {
        assert_eq!(gateway.ask("/short"), 200);
        assert!(kept.elapsed() < Duration::from_secs(5), "a verdict of a second is still kept");
    }
    println!("a verdict of one second was kept for {:?}", kept.elapsed());
    assert!(kept.elapsed() > Duration::from_millis(800), "{:?}", kept.elapsed());
    assert_eq!(gateway.ask("/crash"), 500, "its rest is over");
}

#[test]
fn what_tells_the_time_tells_the_new_one_and_nothing_breaks() {
    let gateway = Jumping::start();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
    // The system lets nobody set a time before 1970.
    for (seconds, years) in [(0, 2020..2100), (100 * YEAR, 2120..2200), (HOUR - now, 1970..1971)] {
        gateway.jump(seconds);
        assert_eq!(gateway.ask("/told"), 200, "in {years:?}");
        let line = gateway.process.access_line("/told");
        let told = line["timestamp"].as_str().unwrap()[..4].parse().unwrap();
        assert!(years.contains(&told), "{line}");
        assert!(line["duration_us"].as_u64().unwrap() < 10_000_000, "{line}");
    }
    assert_eq!(gateway.process.metric("gatehouse_panics_total"), 0);
}
