//! The plugin kit as an author meets it: from an empty folder to a decision by one's own code in a running gateway.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use gatehouse_kit::Hook;

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
    for language in ["javascript", "typescript", "c", "python"] {
        let place = tempfile::tempdir().unwrap();
        let made = gatehouse(place.path(), &["plugin", "new", "gate", "--language", language]);
        assert!(made.status.success(), "{}", said(&made));
        let built = gatehouse(place.path(), &["plugin", "build", "gate"]);
        assert!(built.status.success() && said(&built).contains("hooks     authorizer"), "{}", said(&built));
        let tested = gatehouse(place.path(), &["plugin", "test", "gate/gate.wasm"]);
        assert!(tested.status.success() && said(&tested).contains("4 passed"), "{}", said(&tested));
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
fn a_new_plugin_of_each_hook_does_what_its_cases_say() {
    for language in ["javascript", "c", "go"] {
        for hook in Hook::ALL {
            let place = tempfile::tempdir().unwrap();
            let arguments = ["plugin", "new", "gate", "--language", language, "--hook", hook.name()];
            assert!(gatehouse(place.path(), &arguments).status.success());
            let tested = gatehouse(place.path(), &["plugin", "test", "gate"]);
            assert!(tested.status.success(), "{language}, {}:\n{}", hook.name(), said(&tested));
        }
    }
}

#[test]
fn in_rust_each_hook_does_what_its_cases_and_its_tests_say() {
    let place = tempfile::tempdir().unwrap();
    let gate = place.path().join("gate");
    for hook in Hook::ALL {
        let arguments = ["plugin", "new", hook.name(), "--language", "rust", "--hook", hook.name()];
        assert!(gatehouse(place.path(), &arguments).status.success());
        let made = place.path().join(hook.name());
        if !gate.exists() {
            std::fs::rename(&made, &gate).unwrap();
        } else {
            // The same folder again: what it depends on is compiled once.
            for file in ["src/lib.rs", "cases.toml"] {
                std::fs::copy(made.join(file), gate.join(file)).unwrap();
            }
        }
        let tested = gatehouse(place.path(), &["plugin", "test", "gate"]);
        assert!(tested.status.success(), "{}:\n{}", hook.name(), said(&tested));
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&gate).env("CARGO_PROFILE_RELEASE_LTO", "false");
        let native = cargo.args(["test", "--release", "--target-dir", "build"]).output().unwrap();
        assert!(native.status.success(), "{}:\n{}", hook.name(), said(&native));
    }
}

#[test]
fn the_stack_of_a_trap_has_lines_where_the_component_tells_them() {
    let place = tempfile::tempdir().unwrap();
    assert!(gatehouse(place.path(), &["plugin", "new", "gate", "--language", "c"]).status.success());
    let code = "#include <gatehouse.h>\n\n__attribute__((noinline)) static int part(int by) {\n    return 100 / by;\n}\n\n\
                gh_verdict authorize(void) {\n    int n = part((int)gh_header(\"x-n\"));\n    \
                return n > 0 ? gh_deny(403) : gh_abstain();\n}\n";
    std::fs::write(place.path().join("gate/plugin.c"), code).unwrap();
    let mut told = Vec::new();
    for more in [None, Some("--debug-info")] {
        let built = gatehouse(place.path(), &["plugin", "build", "gate"].into_iter().chain(more).collect::<Vec<_>>());
        assert!(built.status.success(), "{}", said(&built));
        told.push(said(&gatehouse(place.path(), &["plugin", "run", "gate/gate.wasm"])));
    }
    assert!(told[0].contains("in part < authorize <") && !told[0].contains("plugin.c"), "{}", told[0]);
    let frames = ["part (", "/gate/plugin.c:4:16)", "authorize (", "/gate/plugin.c:8:13)"];
    assert!(frames.iter().all(|frame| told[1].contains(frame)), "{}", told[1]);
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
