//! Descriptors: where they are few, clients wait for each other and nothing else does; where there are none, whatever needs
//! one fails by itself, and all is well once there are some again.

use std::{
    fs,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::{
    task::{JoinSet, LocalSet},
    time::timeout,
};

use crate::support::{
    Held, Http2, Process, Raw, RawUpstream, Start, Upstream, guest,
    raw::{ask, get, ok},
};

/// Two workers and the admin address.
const FEW: &str = "[server]\nworkers = 2\n[admin]\naddress = \"127.0.0.1:0\"\n[routes.x]\nupstream = \"up\"\n";

/// So little CPU time, in a second in which there is nothing to do, is no busy loop.
const IDLE: Duration = Duration::from_millis(100);

/// The CPU time of a second.
fn cpu_of_a_second(process: &Process) -> Duration {
    let before = process.cpu();
    thread::sleep(Duration::from_secs(1));
    process.cpu() - before
}

/// Lets a process have descriptors below a number only; those that it has stay. Its other limit is that of this process.
fn limit(process: &Process, most: u64) {
    let pid = Pid::from_raw(i32::try_from(process.pid()).unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(most), ..getrlimit(Resource::Nofile) }).unwrap();
}

fn is_well(process: &Process) -> bool {
    ask(process.admin(), get("/healthz", "connection: close\r\n")).status() == 200
}

#[test]
fn clients_beyond_the_descriptors_wait_and_the_admin_address_and_a_load_do_not() {
    let upstream = Upstream::start();
    let before = "ulimit -n 128";
    let process = Process::start_as(FEW, &upstream, &Start { before, ..Start::default() });
    let silent: Vec<Raw> = (0..400).map(|_| Raw::connect(process.address())).collect();
    let mut asking: Vec<Raw> = (0..100).map(|_| Raw::connect(process.address())).collect();
    for client in &mut asking {
        client.send(get("/x", "connection: close\r\n"));
    }
    let cpu = cpu_of_a_second(&process);
    println!("500 clients of 128 descriptors: {cpu:?} of CPU time in a second");
    assert!(cpu < IDLE, "{cpu:?}");
    assert!((0..20).all(|_| is_well(&process)));
    // Reads files, and starts the compiler with three pipes.
    let code = process.file("code");
    let plugin = format!(
        "[server]\nworkers = 2\ncode_cache = {code:?}\n[admin]\naddress = \"127.0.0.1:0\"\n\
         [plugins.p]\ncomponent = {:?}\n[routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n",
        guest("probe")
    );
    process.replace(&plugin, &upstream);
    let said = process.line(|line| line.contains("the configuration") || line.contains("the new configuration"));
    assert!(said.contains("\"generation\":2") && fs::read_dir(&code).unwrap().count() == 2, "{said}");
    assert!(upstream.seen().len() < 100, "{} of those who came last were served", upstream.seen().len());
    let left = Instant::now();
    drop(silent);
    assert!(asking.iter_mut().all(|client| client.response().status() == 200));
    println!("100 clients that waited were served {:?} after the others had left", left.elapsed());
    assert!(left.elapsed() < Duration::from_secs(1), "{:?}", left.elapsed());
    assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
}

#[test]
fn a_process_without_a_descriptor_serves_on_and_what_needs_one_fails_by_itself() {
    let upstream = Upstream::start();
    let leaving = RawUpstream::ending(|mut raw| {
        raw.request();
        drop(raw.try_send(ok("hello").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")));
    });
    let text = format!(
        "{FEW}path = \"/x\"\n[routes.leaving]\nupstream = \"leaving\"\n[upstreams.leaving]\nurl = \"http://{}\"\n\
         [upstreams.up]\nurl = \"http://{}\"\n",
        leaving.address(),
        upstream.address()
    );
    let process = Process::start(&text, &upstream);
    let mut client = Raw::connect(process.address());
    assert_eq!(client.send(get("/x", "")).response().status(), 200);
    assert_eq!(client.send(get("/leaving", "")).response().status(), 200);
    limit(&process, 3);
    let mut waiting: Vec<Raw> = (0..50).map(|_| Raw::connect(process.address())).collect();
    for client in &mut waiting {
        client.send(get("/x", "connection: close\r\n"));
    }
    let mut admin = Raw::connect(process.admin());
    admin.send(get("/healthz", "connection: close\r\n"));
    let cpu = cpu_of_a_second(&process);
    println!("no descriptors: {cpu:?} of CPU time in a second");
    assert!(cpu < IDLE, "{cpu:?}");
    for _ in 0..3 {
        let failed = client.send(get("/leaving", "")).response();
        assert_eq!((failed.status(), failed.json()["code"].as_str()), (502, Some("upstream_unreachable")));
        assert_eq!(client.send(get("/x", "")).response().status(), 200);
    }
    process.replace(&format!("{text}\n"), &upstream);
    let said = process.line(|line| line.contains("is not loaded"));
    assert!(said.contains("gatehouse.toml: the file cannot be read: Too many open files"), "{said}");
    assert_eq!(client.send(get("/x", "")).response().status(), 200);
    assert_eq!(upstream.seen().len(), 5, "none of those who wait has been served");
    limit(&process, 1024);
    let again = Instant::now();
    assert!(waiting.iter_mut().all(|client| client.response().status() == 200));
    assert_eq!(client.send(get("/leaving", "")).response().status(), 200);
    println!("50 clients that waited were served {:?} after there were descriptors again", again.elapsed());
    assert!(again.elapsed() < Duration::from_secs(1), "{:?}", again.elapsed());
    assert_eq!(admin.response().status(), 200);
    process.replace(&format!("{text}\n\n"), &upstream);
    assert!(process.line(|line| line.contains("the configuration")).contains("\"generation\":2"));
}

#[tokio::test]
async fn streams_beyond_the_descriptors_for_upstreams_are_refused_each_by_itself() {
    let upstream = Held::start();
    let process = Process::start_as(FEW, &upstream, &Start { before: "ulimit -n 128", ..Start::default() });
    let client = Rc::new(Http2::connect(process.address()).await);
    let ask = |client: Rc<Http2>| async move { client.send(client.request("GET", "/x")).await.unwrap().status() };
    let streams = async {
        let mut asked = JoinSet::new();
        (0..100).for_each(|_| drop(asked.spawn_local(ask(client.clone()))));
        // Those that are held are answered by nobody.
        while let Ok(Some(refused)) = timeout(Duration::from_millis(500), asked.join_next()).await {
            assert_eq!(refused.unwrap(), 502);
        }
        let held = asked.len();
        println!("100 streams with 128 descriptors: {held} at a time");
        assert!((10..90).contains(&held), "{held}");
        assert!(is_well(&process));
        upstream.release(held + 1);
        assert!(asked.join_all().await.iter().all(|status| *status == 200));
        assert_eq!(ask(client.clone()).await, 200);
    };
    LocalSet::new().run_until(streams).await;
}
