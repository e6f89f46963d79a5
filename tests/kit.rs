//! The plugin kit as an author meets it: from an empty folder to a decision by one's own code in a running gateway.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::{
    Process, Upstream,
    raw::{ask, get},
};

/// The binary in a folder. Tools are kept where `cargo xtask guests` has put them.
fn gatehouse(folder: &Path, arguments: &[&str]) -> Output {
    let tools = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools"));
    let mut command: Command = Process::command(arguments);
    command.current_dir(folder).env("GATEHOUSE_TOOLS", tools).output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[test]
fn a_new_authorizer_is_built_and_decides_in_a_running_gateway() {
    for language in ["javascript", "typescript", "c"] {
        let place = tempfile::tempdir().unwrap();
        let made = gatehouse(place.path(), &["plugin", "new", "gate", "--language", language]);
        assert!(made.status.success(), "{}", said(&made));
        let built = gatehouse(place.path(), &["plugin", "build", "gate"]);
        assert!(built.status.success() && said(&built).contains("hooks     authorizer"), "{}", said(&built));
        let component = place.path().join("gate/gate.wasm");
        let text = format!(
            "[plugins.gate]\ncomponent = \"{}\"\nconfig = {{ key = \"k1\" }}\n\
             [routes.all]\nupstream = \"up\"\nplugins = [\"gate\"]\n",
            component.display()
        );
        let upstream = Upstream::start();
        let process = Process::start(&text, &upstream);
        assert_eq!(ask(process.address(), get("/", "x-key: k1\r\n")).status(), 200, "{language}");
        assert_eq!(ask(process.address(), get("/", "x-key: k2\r\n")).status(), 403, "{language}");
    }
}

#[test]
fn what_is_wrong_with_a_folder_or_its_code_is_said_and_leaves_the_component_alone() {
    let place = tempfile::tempdir().unwrap();
    let refused = gatehouse(place.path(), &["plugin", "build"]);
    assert!(!refused.status.success() && said(&refused).contains("no plugin's folder"), "{}", said(&refused));
    assert!(gatehouse(place.path(), &["plugin", "new", "gate", "--language", "javascript"]).status.success());
    let again = gatehouse(place.path(), &["plugin", "new", "gate", "--language", "javascript"]);
    assert!(!again.status.success() && said(&again).contains("gate"), "{}", said(&again));
    let (source, component) = (place.path().join("gate/plugin.js"), place.path().join("gate/gate.wasm"));
    std::fs::write(&component, "the old one").unwrap();
    std::fs::write(&source, "export function authorize(request) {\n  return (;\n}\n").unwrap();
    let broken = gatehouse(place.path(), &["plugin", "build", "gate"]);
    assert!(!broken.status.success() && said(&broken).contains("plugin.js:2"), "{}", said(&broken));
    assert_eq!(std::fs::read_to_string(&component).unwrap(), "the old one");
}
