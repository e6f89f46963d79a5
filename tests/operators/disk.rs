//! Disks that are full or that nobody may write to: lines are lost and counted, code is compiled and not kept, and
//! requests are served.

use std::{
    fs::{self, OpenOptions},
    path::Path,
};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::support::{
    Process, Raw, Start, Upstream, guest,
    raw::{DEADLINE, ask, get},
    until,
};

const LOST: &str = "gatehouse_lost_lines_total";

/// The most that a file may be, where its size is bounded; to write more would end a process that does not look after it.
const LARGEST: u64 = 16 << 10;

/// A logger that writes a line for each exchange to a file.
fn logging(output: &str) -> String {
    format!(
        "[server]\nworkers = 1\n[admin]\naddress = \"127.0.0.1:0\"\n[plugins.log]\ncomponent = {:?}\n\
         grants.output = {output:?}\n[routes.x]\nupstream = \"up\"\nplugins = [\"log\"]\n",
        guest("access-log")
    )
}

/// So many requests, each answered well.
fn serves(process: &Process, requests: usize) {
    let mut client = Raw::connect(process.address());
    for _ in 0..requests {
        assert_eq!(client.send(get("/x", "")).response().text(), "hello");
    }
}

#[test]
fn lines_for_a_full_disk_are_lost_and_counted_and_no_request_is() {
    let upstream = Upstream::start();
    let process = Process::start(&logging("/dev/full"), &upstream);
    serves(&process, 100);
    until(DEADLINE, || process.metric(LOST) >= 100);
    assert_eq!(process.metric(LOST), 100);
}

#[test]
fn a_log_whose_disk_was_full_goes_on_with_whole_lines_when_there_is_room_again() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let (log, output) = (folder.path().join("log"), folder.path().join("output"));
    let start = Start { log: Some(&log), ..Start::default() };
    let process = Process::start_as(&logging(output.to_str().unwrap()), &upstream, &start);
    let pid = Pid::from_raw(i32::try_from(process.pid()).unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: Some(LARGEST), maximum: Some(LARGEST) }).unwrap();
    serves(&process, 500);
    until(DEADLINE, || process.metric(LOST) >= 500);
    // Each line of either kind is in its file or lost: none is on its way that would be written once there is room.
    let written = |file: &Path, what: &str| fs::read_to_string(file).unwrap().matches(what).count() as u64;
    until(DEADLINE, || {
        process.metric(LOST) + written(&log, "\"target\":\"access\"}\n") + written(&output, "\n") >= 1000
    });
    for file in [&log, &output] {
        assert!(fs::metadata(file).unwrap().len() <= LARGEST, "{}", file.display());
        OpenOptions::new().write(true).open(file).unwrap().set_len(0).unwrap();
    }
    let lost = process.metric(LOST);
    serves(&process, 10);
    let whole = |text: &str| text.lines().filter(|line| line.ends_with('}') && line.starts_with('{')).count();
    let lines = |file: &Path| fs::read_to_string(file).unwrap();
    // The last that was written before may have been half a line, and it is gone.
    until(DEADLINE, || [&log, &output].iter().all(|file| whole(&lines(file)) == 10));
    assert!([&log, &output].iter().all(|file| lines(file).trim_start().lines().count() == 10), "{}", lines(&log));
    assert_eq!(process.metric(LOST), lost);
}

/// What serves a plugin whose code it has never seen.
fn probing(code: &str) -> String {
    format!(
        "[server]\nworkers = 1\ncode_cache = {code:?}\n[plugins.p]\ncomponent = {:?}\n\
         [routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n",
        guest("probe")
    )
}

/// Starts it, and lets it load another configuration of the plugin; both are served, and each is a warning.
fn serves_without_keeping(code: &str, before: &str) {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let process = Process::start_as(&probing(code), &upstream, &Start { before, log: Some(&log), ..Start::default() });
    let said = || fs::read_to_string(&log).unwrap();
    let warning = format!("compiled code is not kept in {code}");
    assert_eq!((ask(process.address(), get("/x", "")).status(), said().matches(&warning).count()), (200, 1));
    let other = "config = { on_response = { status = 201 } }\n[routes.x]";
    process.replace(&probing(code).replace("[routes.x]", other), &upstream);
    until(DEADLINE, || ask(process.address(), get("/x", "")).status() == 201);
    assert_eq!(said().matches(&warning).count(), 2, "{}", said());
}

#[test]
fn code_that_cannot_be_kept_is_served_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    // Nobody may make a folder in `/proc`, not even root.
    for code in ["/proc/gatehouse", "/dev/full", file.join("code").to_str().unwrap()] {
        serves_without_keeping(code, "");
    }
}

#[test]
fn code_for_a_disk_that_is_full_is_served_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().to_str().unwrap();
    let mount = format!("mount -t tmpfs -o size=64k none {disk}");
    // In a place that only this process sees.
    let alone = |then: &str| format!("exec unshare -rm sh -c '{mount} && {then}' \"$0\" \"$@\"");
    if !Process::command_after(&alone("exec true"), &[]).status().unwrap().success() {
        return println!("this system lets nobody mount anything: no disk of 64 KiB");
    }
    serves_without_keeping(&format!("{disk}/code"), &alone("exec \"$0\" \"$@\""));
}
