//! What is named as the configuration, and is no file that anybody could read.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::Path,
    sync::mpsc::channel,
    thread,
};

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::support::{
    Process, Upstream,
    raw::{DEADLINE, ask, get},
};

/// Makes something at a path; what is said of it.
type Way = (fn(&Path), &'static str);

const WAYS: [Way; 7] = [
    (|file| mkfifoat(CWD, file, Mode::RUSR | Mode::WUSR).unwrap(), "cannot be read: it is a FIFO, not a file"),
    (|file| symlink("/dev/zero", file).unwrap(), "cannot be read: it is a device, not a file"),
    (|file| File::create(file).unwrap().set_len(1 << 30).unwrap(), "it is 1073741824 bytes: 67108864 at most"),
    (|file| File::create(file).unwrap().set_len(1 << 40).unwrap(), "bytes: 67108864 at most"),
    (|file| symlink("gatehouse.toml", file).unwrap(), "cannot be read: Too many levels of symbolic links"),
    (|file| fs::create_dir(file).unwrap(), "this is a folder, not a file"),
    (|file| symlink("nowhere", file).unwrap(), "there is no such file"),
];

/// What a check says, which may have no more than 1 GiB of memory for it.
fn check(file: &Path) -> String {
    let (said, sayings) = channel();
    let mut command = Process::command_after("ulimit -d 1048576", &["check"]);
    command.arg(file);
    thread::spawn(move || said.send(command.output().unwrap()));
    let output = sayings.recv_timeout(DEADLINE).expect("the check comes to an end");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn what_is_no_file_or_too_large_is_refused_by_a_check_and_by_a_running_gateway() {
    let upstream = Upstream::start();
    let process = Process::start("[routes.x]\nupstream = \"up\"\n", &upstream);
    let memory = process.memory("VmHWM");
    for (way, reason) in WAYS {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gatehouse.toml");
        way(&file);
        let said = check(&file);
        assert!(said.contains("gatehouse.toml: ") && said.contains(reason), "{reason}: {said}");
        let place = process.file("gatehouse.toml");
        let _ = fs::remove_file(&place).or_else(|_| fs::remove_dir(&place));
        way(&place);
        process.signal("HUP");
        process.line(|line| line.contains("is not loaded") && line.contains(reason));
        assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
    }
    let grown = process.memory("VmHWM").saturating_sub(memory);
    assert!(grown < 32 << 10, "{grown} KiB");
    fs::remove_file(process.file("gatehouse.toml")).unwrap();
    process.write("[routes.x]\nupstream = \"up\"\n", &upstream);
    process.line(|line| line.contains("\"generation\":2"));
}
