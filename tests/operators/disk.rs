//! Disks that are full or that nobody may write to: lines are lost and counted, code is compiled and not kept, and
//! requests are served.

use std::{
    fs::{self, OpenOptions},
    path::Path,
};

use crate::support::{
    Process, Raw, Start, Upstream, guest,
    raw::{DEADLINE, ask, get},
    until,
};

const LOST: &str = "gatehouse_lost_lines_total";

/// Files may not become larger than so many blocks, of 512 bytes or of a KiB each. Writing more would end the process by a
/// signal, unless it looks after that.
const SMALL_FILES: &str = "ulimit -f 16";

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
    let start = Start { before: SMALL_FILES, log: Some(&log), ..Start::default() };
    // Its code may have been kept by another test; here it cannot be.
    let text = logging(output.to_str().unwrap());
    let process = Process::start_as(&text, &upstream, &start);
    serves(&process, 500);
    until(DEADLINE, || process.metric(LOST) >= 500);
    for file in [&log, &output] {
        assert!(fs::metadata(file).unwrap().len() <= 16 << 10, "{}", file.display());
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

#[test]
fn code_that_cannot_be_kept_is_served_with_a_warning() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (below_a_file, small) = (file.join("code"), folder.path().join("code"));
    for (code, before) in [
        // Nobody may make a folder here, not even root.
        ("/proc/gatehouse", ""),
        (below_a_file.to_str().unwrap(), ""),
        ("/dev/full", ""),
        (small.to_str().unwrap(), SMALL_FILES),
    ] {
        let log = folder.path().join("log");
        let start = Start { before, log: Some(&log), ..Start::default() };
        let process = Process::start_as(&probing(code), &upstream, &start);
        let warnings = || fs::read_to_string(&log).unwrap().matches("compiled code is not kept in").count();
        assert_eq!(ask(process.address(), get("/x", "")).status(), 200, "{code}");
        assert_eq!(warnings(), 1, "{code}");
        process.replace(&probing(code).replace("[routes.x]", "config = { init = \"log:1\" }\n[routes.x]"), &upstream);
        until(DEADLINE, || fs::read_to_string(&log).unwrap().contains("\"generation\":2"));
        assert_eq!((ask(process.address(), get("/x", "")).status(), warnings()), (200, 2), "{code}");
        fs::remove_file(log).unwrap();
    }
}
