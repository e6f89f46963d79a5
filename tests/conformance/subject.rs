//! A gateway with the subject in one language, and what reaches its upstream.

use std::process::Output;

use http::{Response, header::HeaderValue};

use crate::support::{
    Process, Upstream, configuration, guest,
    raw::{Message, ask, get},
};

/// The subject behind a gateway of its own.
pub(super) struct Subject {
    /// The name of its component.
    name: &'static str,
    pub(super) process: Process,
    pub(super) upstream: Upstream,
    /// Whom it may ask by HTTP.
    pub(super) granted: Upstream,
}

impl Subject {
    pub(super) fn start(name: &'static str) -> Self {
        let upstream = Upstream::answering(|seen| {
            let body = if seen.body.is_empty() { "hello".into() } else { seen.body.clone() };
            let mut answer = Response::new(body.into());
            answer.headers_mut().insert("x-gone", HeaderValue::from_static("1"));
            answer
        });
        let granted =
            Upstream::answering(|seen| Response::new(format!("from {}", seen.header("x-from").unwrap_or("?")).into()));
        let process = Process::start(&text(name, &granted), &upstream);
        Self { name, process, upstream, granted }
    }

    /// The answer to a GET with header lines, each ended by CR and LF.
    pub(super) fn get(&self, path: &str, lines: &str) -> Message {
        ask(self.process.address(), get(path, lines))
    }

    /// The answer to a POST.
    pub(super) fn post(&self, lines: &str, body: &[u8]) -> Message {
        let head = format!("POST /x/7 HTTP/1.1\r\nhost: a\r\n{lines}content-length: {}\r\n\r\n", body.len());
        ask(self.process.address(), [head.as_bytes(), body].concat())
    }

    /// The answer to bytes on a connection of their own.
    pub(super) fn raw(&self, request: impl AsRef<[u8]>) -> Message {
        ask(self.process.address(), request)
    }

    /// A header as it reached the upstream last, a character per byte; empty when it did not.
    pub(super) fn sent(&self, name: &str) -> String {
        let value = self.upstream.last().headers.get(name).cloned();
        value.map(|value| value.as_bytes().iter().copied().map(char::from).collect()).unwrap_or_default()
    }

    /// What `gatehouse check` says of it with a configuration and grants.
    pub(super) fn check(&self, config: &str, grants: &str) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gatehouse.toml");
        let component = guest(self.name).display().to_string();
        let plugin = format!(
            "[plugins.x]\ncomponent = \"{component}\"\nconfig = {config}\ngrants = {grants}\n\
             [routes.x]\nupstream = \"up\"\nplugins = [\"x\"]\n"
        );
        std::fs::write(&file, configuration(&plugin, None)).unwrap();
        Process::command(&["check"]).arg(&file).output().unwrap()
    }

    /// Waits for a line of the log with a text.
    pub(super) fn line(&self, text: &str) -> String {
        self.process.line(|line| line.contains(text))
    }
}

fn text(component: &str, granted: &Upstream) -> String {
    let origin = granted.address();
    let component = guest(component).display().to_string();
    let subject = |name: &str, grant: &str, more: &str| {
        format!(
            r#"
            [plugins.{name}]
            component = "{component}"
            config = {{ secret = "open sesame", url = "http://{origin}/hello" }}
            grants = {{ http = ["{grant}"] }}
            {more}
            [routes.{name}]
            path = "/{name}/{{p}}"
            upstream = "up"
            plugins = ["{name}"]
            [routes.{name}.upstream_headers]
            x-principal = "${{auth.principal}}"
            x-plan = "${{auth.plan}}"
            x-seen = "${{auth.seen}}"
            x-note = "${{{name}.note}}"
            "#
        )
    };
    "[log]\nformat = \"json\"\nlevel = \"debug\"\n".to_owned()
        + &subject("x", &format!("http://{origin}"), "")
        + &subject("elsewhere", "http://127.0.0.1:1", "")
        + &subject("fresh", &format!("http://{origin}"), "isolation = \"request\"")
}
