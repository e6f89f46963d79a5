//! A log that nobody reads any more.

use std::{thread, time::Duration};

use crate::support::{
    Process, Raw, Start, Upstream, guest,
    raw::{DEADLINE, ask, get},
    until,
};

/// Two loggers: one writes to standard output, beside the log, and one to standard error.
fn logging() -> String {
    let plugin = |name: &str| {
        let component = guest("access-log");
        format!("[plugins.{name}]\ncomponent = {component:?}\ngrants.output = \"{name}\"\n")
    };
    format!(
        "[server]\nworkers = 1\n[admin]\naddress = \"127.0.0.1:0\"\n{}{}\
         [routes.x]\nupstream = \"up\"\nplugins = [\"stdout\", \"stderr\"]\n",
        plugin("stdout"),
        plugin("stderr")
    )
}

#[test]
fn a_gateway_whose_log_nobody_reads_any_more_serves_loads_and_counts_what_is_lost() {
    let upstream = Upstream::start();
    // Standard error is the same pipe, so that both lose their reader.
    let mut process = Process::start_as(&logging(), &upstream, &Start { before: "exec 2>&1", ..Start::default() });
    process.read_no_more();
    let lost = || process.metric("gatehouse_lost_lines_total");
    let mut client = Raw::connect(process.address());
    // The line at which the reader notices that it may go is read.
    until(DEADLINE, || {
        assert_eq!(client_of(process.address()), 200);
        lost() > 0
    });
    let before = lost();
    for _ in 0..100 {
        assert_eq!(client.send(get("/x", "")).response().text(), "hello");
    }
    // Its own, and one of each logger.
    until(DEADLINE, || lost() >= before + 300);
    let cpu = process.cpu();
    thread::sleep(Duration::from_secs(1));
    let cpu = process.cpu() - cpu;
    println!("a log that nobody reads: {cpu:?} of CPU time in a second without requests");
    assert!(cpu < Duration::from_millis(100), "{cpu:?}");
    process.replace(&logging().replace("workers = 1", "workers = 1\nvia = \"\""), &upstream);
    until(DEADLINE, || process.metric("gatehouse_generation ") == 2);
    assert_eq!(client.send(get("/x", "")).response().text(), "hello");
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
}

fn client_of(address: std::net::SocketAddr) -> u16 {
    ask(address, get("/x", "")).status()
}
