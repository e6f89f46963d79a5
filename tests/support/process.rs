//! A gateway in a process of its own: for signals, memory, and what it prints.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use tempfile::TempDir;

use super::{
    Call, Upstream, configuration,
    raw::{DEADLINE, ask, get},
    until,
};

/// A `gatehouse run`. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    folder: TempDir,
    lines: Receiver<String>,
    address: SocketAddr,
    /// Where `/metrics` is, if the configuration has `[admin]`.
    admin: Option<SocketAddr>,
}

/// How one is started, beside its configuration.
#[derive(Default)]
pub(crate) struct Start<'a> {
    /// Further arguments.
    pub(crate) arguments: &'a [&'a str],
    /// What a shell does first, in the same process: `ulimit -n 128`.
    pub(crate) before: &'a str,
    /// A file that its standard output is appended to; else it is read by [`Process::line`].
    pub(crate) log: Option<&'a Path>,
}

/// Until a process serves: a plugin in Python takes twenty seconds to compile, the first time.
const START: Duration = Duration::from_secs(120);

impl Process {
    /// Starts one with JSON logs and waits until it serves.
    pub(crate) fn start(text: &str, upstream: &Upstream) -> Self {
        Self::start_with(text, upstream, &[])
    }

    /// Starts one with further arguments.
    pub(crate) fn start_with(text: &str, upstream: &Upstream, arguments: &[&str]) -> Self {
        Self::start_as(text, upstream, &Start { arguments, ..Start::default() })
    }

    /// Starts one as it is told.
    pub(crate) fn start_as(text: &str, upstream: &Upstream, start: &Start<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gatehouse.toml");
        fs::write(&file, with_log(text, upstream)).unwrap();
        let mut command = Self::command_after(start.before, &["run"]);
        command.arg(&file).args(start.arguments);
        let (child, lines) = match start.log {
            None => {
                let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
                let lines = follow(child.stdout.take().unwrap());
                (child, lines)
            }
            Some(log) => {
                let file = fs::OpenOptions::new().append(true).create(true).open(log).unwrap();
                (command.stdout(file).spawn().unwrap(), channel().1)
            }
        };
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut this = Self { child, folder, lines, address: nowhere, admin: None };
        match start.log {
            None => while !this.note_address(&this.next_line(START)) {},
            Some(log) => {
                until(DEADLINE, || fs::read_to_string(log).unwrap().contains("\"serving\""));
                let said = fs::read_to_string(log).unwrap();
                assert!(said.lines().any(|line| this.note_address(line)));
            }
        }
        this
    }

    /// Whether a line tells the listener's address, which is the last that is told.
    fn note_address(&mut self, line: &str) -> bool {
        let (admin, serving) = (line.contains("\"admin: "), line.contains("\"serving\""));
        if admin || serving {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let address = event["address"].as_str().unwrap().parse().unwrap();
            *(if admin { self.admin.insert(address) } else { &mut self.address }) = address;
        }
        serving
    }

    /// The binary with arguments, after a shell has done something in the same process.
    pub(crate) fn command_after(before: &str, arguments: &[&str]) -> Command {
        if before.is_empty() {
            return Self::command(arguments);
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_gatehouse")]);
        command.args(arguments);
        command
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
            let line = self.next_line(DEADLINE);
            if is(&line) {
                return line;
            }
        }
    }

    fn next_line(&self, patience: Duration) -> String {
        self.lines.recv_timeout(patience).expect("a line of the log")
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

    /// Nobody reads its standard output from here on: the pipe is closed at its next line.
    pub(crate) fn read_no_more(&mut self) {
        self.lines = channel().1;
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its metrics and its health are.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin.expect("`[admin]` is in the configuration")
    }

    /// A metric of the admin address, by the start of its line; 0 when it is not there.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let answer = ask(self.admin(), get("/metrics", "connection: close\r\n"));
        let found = answer.text().lines().find_map(|l| l.strip_prefix(line));
        found.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// The CPU time that its threads have taken so far, to the nanosecond; what ended ones took is not in it.
    pub(crate) fn cpu(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let taken = threads.filter_map(|thread| -> Option<u64> {
            let schedule = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            schedule.split(' ').next()?.parse().ok()
        });
        Duration::from_nanos(taken.sum())
    }

    /// How many descriptors it has.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
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
