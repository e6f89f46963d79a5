//! What is taken away from a running gateway: the compiler in the middle of its work, and the folders it was started with.

use std::{fs, process::Command};

use crate::{
    compiler::bomb,
    support::{
        Process, Start, Upstream, guest,
        raw::{DEADLINE, ask, get},
        until,
    },
};

/// A plugin whose code is kept in a folder.
fn with(component: &std::path::Path, code: &std::path::Path) -> String {
    format!(
        "[server]\nworkers = 1\ncode_cache = {code:?}\n[plugins.p]\ncomponent = {component:?}\n\
         [routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n"
    )
}

/// The children of a process.
fn children(parent: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_child = |pid: &String| {
        // It may be gone meanwhile.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rfind(')').map_or("", |end| &stat[end + 2..]);
        after_name.split(' ').nth(1) == Some(&parent.to_string())
    };
    processes.filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).filter(is_child).collect()
}

#[test]
fn a_compiler_that_is_killed_is_a_load_that_is_refused_and_the_next_one_goes_well() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let (component, code) = (folder.path().join("bomb.wasm"), folder.path().join("code"));
    bomb(&component);
    let process = Process::start(&with(&guest("probe"), &code), &upstream);
    process.replace(&with(&component, &code), &upstream);
    until(DEADLINE, || !children(process.pid()).is_empty());
    for child in children(process.pid()) {
        assert!(Command::new("kill").args(["-s", "KILL", &child]).status().unwrap().success());
    }
    let said = process.line(|line| line.contains("is not loaded"));
    assert!(said.contains("bomb.wasm ended the compiler with signal 9"), "{said}");
    assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
    assert!(children(process.pid()).is_empty(), "its process was waited for");
    process.replace(&with(&guest("probe-body"), &code), &upstream);
    assert!(process.line(|line| line.contains("the configuration")).contains("\"generation\":2"));
    assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
}

#[test]
fn a_gateway_whose_folders_are_deleted_serves_and_loads_when_they_are_there_again() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let (temporary, code) = (folder.path().join("tmp"), folder.path().join("code"));
    fs::create_dir(&temporary).unwrap();
    let before = format!("export TMPDIR={}; cd {}", temporary.display(), temporary.display());
    let text = with(&guest("probe"), &code);
    let process = Process::start_as(&text, &upstream, &Start { before: &before, ..Start::default() });
    let configuration = process.file("gatehouse.toml");
    for gone in [&temporary, &code, configuration.parent().unwrap()] {
        fs::remove_dir_all(gone).unwrap();
    }
    assert!(process.line(|line| line.contains("is not loaded")).contains("there is no such file"));
    assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
    fs::create_dir(configuration.parent().unwrap()).unwrap();
    process.write(&with(&guest("probe-body"), &code), &upstream);
    process.signal("HUP");
    assert!(process.line(|line| line.contains("loaded the configuration")).contains("\"generation\":2"));
    assert_eq!(ask(process.address(), get("/x", "")).status(), 200);
    assert_eq!(fs::read_dir(&code).unwrap().count(), 2, "the code is kept again, with a key");
    // The folder is another one now, and it is watched.
    process.write(&with(&guest("probe"), &code), &upstream);
    assert!(process.line(|line| line.contains("loaded the configuration")).contains("\"generation\":3"));
}
