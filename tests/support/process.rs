//! A gateway in a process of its own: for signals, memory, and what it prints.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use tempfile::TempDir;

use super::{Call, Upstream, configuration};

/// A `gatehouse run`. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    folder: TempDir,
    lines: Receiver<String>,
    address: SocketAddr,
}

impl Process {
    /// Starts one with JSON logs and waits until it serves.
    pub(crate) fn start(text: &str, upstream: &Upstream) -> Self {
        Self::start_with(text, upstream, &[])
    }

    /// Starts one with further arguments.
    pub(crate) fn start_with(text: &str, upstream: &Upstream, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gatehouse.toml");
        fs::write(&file, with_log(text, upstream)).unwrap();
        let mut command = Self::command(&["run"]);
        let mut child = command.arg(&file).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = follow(child.stdout.take().unwrap());
        let mut this = Self { child, folder, lines, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let serving = this.line(|line| line.contains("\"serving\""));
        let event: serde_json::Value = serde_json::from_str(&serving).unwrap();
        this.address = event["address"].as_str().unwrap().parse().unwrap();
        this
    }

    /// The binary with arguments.
    pub(crate) fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        command.args(arguments);
        command
    }

    /// Writes the configuration anew, in place.
    pub(crate) fn write(&self, text: &str, upstream: &Upstream) {
        fs::write(self.file("gatehouse.toml"), with_log(text, upstream)).unwrap();
    }

    /// Moves a new configuration into the place of the old one.
    pub(crate) fn replace(&self, text: &str, upstream: &Upstream) {
        fs::write(self.file("new"), with_log(text, upstream)).unwrap();
        fs::rename(self.file("new"), self.file("gatehouse.toml")).unwrap();
    }

    /// The address of the listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file in the configuration's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for a line of the log that answers to a question; fails after ten seconds.
    pub(crate) fn line(&self, is: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(10)).expect("a line of the log");
            if is(&line) {
                return line;
            }
        }
    }

    /// Waits for the access line of a request.
    pub(crate) fn access_line(&self, path: &str) -> serde_json::Value {
        let path = format!("\"path\":\"{path}\"");
        let line = self.line(|line| line.contains("\"target\":\"access\"") && line.contains(&path));
        serde_json::from_str(&line).unwrap()
    }

    /// Sends a signal by its name: `TERM`, `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Lets it do nothing until it gets the signal `CONT`.
    pub(crate) fn suspend(&self) {
        self.signal("STOP");
        while !self.status("State:").contains("T (stopped)") {
            std::thread::yield_now();
        }
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// A line of `/proc/PID/status` in KiB: `VmHWM`, `VmRSS`.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        self.status(name).split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn status(&self, name: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        status.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    }

    /// A GET of a path.
    pub(crate) fn get(&self, path: &str) -> Call {
        Call::new(self.address, "GET", path)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_log(text: &str, upstream: &Upstream) -> String {
    let log = if text.contains("[log]") { "" } else { "\n[log]\nformat = \"json\"\n" };
    configuration(text, Some(upstream)) + log
}

fn follow(output: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}
