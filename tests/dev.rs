//! `gatehouse dev`: what is saved is built and served, what is broken is shown, and each exchange with what plugins said.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use crate::support::{
    Process, Upstream, configuration,
    raw::{ask, get},
};

/// A build and a compilation, beside other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `gatehouse dev`. Killed when dropped.
struct Dev {
    child: Child,
    lines: Receiver<String>,
}

impl Dev {
    fn start(folder: &Path, text: &str, upstream: &Upstream) -> Self {
        fs::write(folder.join("gatehouse.toml"), configuration(text, Some(upstream))).unwrap();
        let mut child = command(folder, &["dev"]).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || output.lines().map_while(Result::ok).for_each(|line| _ = sender.send(line)));
        Self { child, lines }
    }

    /// The next line with that in it.
    fn line(&self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line has {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    fn address(&self) -> SocketAddr {
        let line = self.line("serving");
        line.split("address=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Process::command(arguments);
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools");
    command.current_dir(folder).env("GATEHOUSE_TOOLS", tools);
    command
}

#[test]
fn a_source_that_is_saved_is_served_and_a_broken_one_is_shown() {
    let (place, upstream) = (tempfile::tempdir().unwrap(), Upstream::start());
    let made = command(place.path(), &["plugin", "new", "gate", "--language", "javascript"]).output().unwrap();
    assert!(made.status.success());
    let text = "[plugins.gate]\ncomponent = \"gate/gate.wasm\"\nconfig.key = \"k1\"\n\
                [routes.all]\nupstream = \"up\"\nplugins = [\"gate\"]\n";
    let dev = Dev::start(place.path(), text, &upstream);
    dev.line("gate: built in");
    let address = dev.address();
    let refused = || ask(address, get("/pets", "")).status();
    assert_eq!(refused(), 403);
    assert!(dev.line("GET /pets 403").contains("route all"));
    assert!(dev.line("gate ").trim_start().ends_with("deny 403"));

    let source = place.path().join("gate/plugin.js");
    let good = fs::read_to_string(&source).unwrap();
    fs::write(&source, good.replace("deny(403", "deny(402")).unwrap();
    dev.line("loaded the configuration");
    assert_eq!(refused(), 402);
    fs::write(&source, "export function authorize( {").unwrap();
    dev.line("gate: is not built, the old component stays:");
    assert_eq!(refused(), 402);
    fs::write(&source, good).unwrap();
    dev.line("loaded the configuration");
    assert_eq!(refused(), 403);
}

#[test]
fn a_plugin_that_is_added_to_the_configuration_is_built_too() {
    let (place, upstream) = (tempfile::tempdir().unwrap(), Upstream::start());
    let arguments = ["plugin", "new", "gate", "--language", "c", "--hook", "request-filter"];
    assert!(command(place.path(), &arguments).output().unwrap().status.success());
    let before = "[routes.all]\nupstream = \"up\"\n";
    let dev = Dev::start(place.path(), before, &upstream);
    let address = dev.address();
    assert_eq!(ask(address, get("/", "")).status(), 200);
    // The component is elsewhere, so its source is named.
    let after = "[plugins.caller]\ncomponent = \"made.wasm\"\nsource = \"gate\"\n\
                 [routes.all]\nupstream = \"up\"\nplugins = [\"caller\"]\n";
    fs::write(place.path().join("gatehouse.toml"), configuration(after, Some(&upstream))).unwrap();
    dev.line("caller: built in");
    dev.line("loaded the configuration");
    assert_eq!(ask(address, get("/", "")).status(), 200);
    assert!(dev.line("caller ").contains("request edited"));
}
