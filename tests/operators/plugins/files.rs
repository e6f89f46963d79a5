//! What is where a component's file should be, and is none that can be read.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
};

use rustix::fs::{CWD, Mode, mkfifoat};

use super::probing;
use crate::support::{
    Gateway, Process, Upstream, guest,
    raw::{DEADLINE, ask, get},
    until,
};

#[test]
fn a_component_that_cannot_be_read_is_refused_by_name() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    fs::copy(guest("probe"), &component).unwrap();
    let gateway = Gateway::start(&probing(&component, "1"), &upstream);
    let ways: [(fn(&Path), &str); 5] = [
        (|_| (), "does not exist"),
        (|file| fs::create_dir(file).unwrap(), "cannot be read"),
        (|file| symlink("nowhere", file).unwrap(), "does not exist"),
        (|file| symlink("p.wasm", file).unwrap(), "cannot be read"),
        (|file| File::create(file).unwrap().set_len(200 << 20).unwrap(), "bytes: 134217728 at most"),
    ];
    for (way, reason) in ways {
        let _ = fs::remove_file(&component).or_else(|_| fs::remove_dir(&component));
        way(&component);
        let problems = gateway.reload_files().map(|_| reason).unwrap_err().to_string();
        assert!(problems.contains(reason) && problems.contains("p.wasm"), "{reason}: {problems}");
        let answer = ask(gateway.address(), get("/x", ""));
        assert_eq!((answer.status(), answer.header("x-a")), (200, Some("1")), "after {reason}");
    }
}

/// Nobody writes to it.
fn fifo(file: &Path) {
    mkfifoat(CWD, file, Mode::RUSR | Mode::WUSR).unwrap();
}

#[test]
fn a_component_that_never_ends_or_never_begins_is_refused_at_once_and_takes_no_memory() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("p.wasm");
    fs::copy(guest("probe"), &component).unwrap();
    let process = Process::start(&probing(&component, "1"), &upstream);
    let before = process.memory("VmHWM");
    let link = |to: &str, file: &Path| symlink(to, file).unwrap();
    let ways: [(&dyn Fn(&Path), &str); 4] = [
        (&fifo, "cannot be read: it is a FIFO, not a file"),
        (&|file| link("/dev/zero", file), "cannot be read: it is a device, not a file"),
        (&|file| link("/dev/tty", file), "cannot be read: it is a device, not a file"),
        (&|file| drop(std::os::unix::net::UnixListener::bind(file).unwrap()), "it is a socket, not a file"),
    ];
    for (way, reason) in ways {
        let new = folder.path().join("new");
        way(&new);
        fs::rename(new, &component).unwrap();
        let said = process.line(|line| line.contains("is not loaded"));
        assert!(said.contains("gatehouse.toml:5:13: plugin `p`: ") && said.contains(reason), "{reason}: {said}");
        assert_eq!(ask(process.address(), get("/x", "")).header("x-a"), Some("1"));
    }
    let grown = process.memory("VmHWM").saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB");
    let new = folder.path().join("new");
    fs::copy(guest("probe-body"), &new).unwrap();
    process.replace(&probing(&component, "1").replace("config = {", "# config = {"), &upstream);
    fs::rename(new, &component).unwrap();
    process.line(|line| line.contains("loaded the configuration"));
}

#[test]
fn lines_for_a_fifo_wait_for_no_reader_when_it_is_opened_and_reach_one_that_is_there() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("lines");
    fifo(&pipe);
    let text = format!(
        "[server]\nworkers = 1\n[admin]\naddress = \"127.0.0.1:0\"\n[plugins.log]\ncomponent = {:?}\n\
         grants.output = {pipe:?}\n[routes.x]\nupstream = \"up\"\nplugins = [\"log\"]\n",
        guest("access-log")
    );
    let process = Process::start(
        "[routes.x]\nupstream = \"up\"\n[admin]\naddress = \"127.0.0.1:0\"\n[server]\nworkers = 1\n",
        &upstream,
    );
    process.replace(&text, &upstream);
    let said = process.line(|line| line.contains("is not loaded"));
    assert!(said.contains("lines cannot be opened: No such device or address"), "{said}");
    let mut reader = File::options().read(true).write(true).open(&pipe).unwrap();
    process.signal("HUP");
    process.line(|line| line.contains("loaded the configuration"));
    assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
    let mut line = [0; 1];
    std::io::Read::read_exact(&mut reader, &mut line).unwrap();
    assert_eq!(&line, b"{");
    drop(reader);
    until(DEADLINE, || {
        assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
        process.metric("gatehouse_lost_lines_total") > 0
    });
}
