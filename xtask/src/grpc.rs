//! `cargo xtask grpc`: whether a call of gRPC through the gateway is one without. gRPC's own client makes calls of every kind
//! at its own server, and at the same server through the gateway, in clear and over TLS; what comes of them has to be equal.
//! Then what the gateway says itself has to be what such a client understands.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::{
    demo,
    guests::{self, Way},
    pip,
    process::{self, Running},
};

/// gRPC for Python, with its version.
const PACKAGE: &str = "grpcio==1.76.0";

/// For all that this makes.
const FOLDER: &str = "target/grpc";

/// The server and the client.
const CALLS: &str = include_str!("grpc/calls.py");

/// The listener of TLS.
const SECURE: &str = "localhost:8443";

pub(crate) fn run() -> Result<()> {
    guests::build(Way::Auto)?;
    demo::build(&["gatehouse"])?;
    check()
}

/// Makes the calls. The gateway and its guests must have been built.
pub(crate) fn check() -> Result<()> {
    let folder = std::path::absolute(FOLDER)?;
    let python = install(&folder)?;
    let tls = Path::new("examples/tls");
    demo::prepare(tls)?;
    let certificates = std::path::absolute(tls.join("certificates"))?;
    let [plain, secure] = [free()?, free()?];
    let calls = Calls { python, script: folder.join("calls.py"), ca: certificates.join("ca.pem") };
    let mut server = Running::start(&mut calls.command(&[
        "serve",
        &plain.to_string(),
        &format!("localhost:{}", secure.port()),
        &certificates.join("server.pem").display().to_string(),
        &certificates.join("server.key").display().to_string(),
    ]))?;
    demo::wait_for(&mut server, plain)?;
    fs::write(folder.join("gatehouse.toml"), configuration(plain, secure, &certificates))?;
    let gateway = demo::start(&folder, Stdio::null())?;
    let compared = compare(&calls, plain, secure);
    let said = compared.and_then(|()| own(&calls));
    if !gateway.stop(demo::STOP_LIMIT) {
        bail!("the gateway did not end with exit 0 after SIGTERM");
    }
    said
}

struct Calls {
    python: PathBuf,
    script: PathBuf,
    ca: PathBuf,
}

impl Calls {
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = process::command(&self.python);
        command.arg(&self.script).args(arguments);
        // Its word on forks, which there are none of.
        command.env("GRPC_VERBOSITY", "NONE");
        command
    }

    /// What came of each call.
    fn outcomes(&self, arguments: &[&str]) -> Result<BTreeMap<String, Value>> {
        println!("calls {}", arguments.join(" "));
        let output = process::output(&mut self.command(arguments))?;
        serde_json::from_str(&output).context("what the client prints is no JSON")
    }

    fn at(&self, address: &str, to: &str, secure: bool) -> Result<BTreeMap<String, Value>> {
        let ca = self.ca.display().to_string();
        self.outcomes(&["calls", address, to, if secure { &ca } else { "" }])
    }
}

/// In clear and over TLS, all the way.
fn compare(calls: &Calls, plain: SocketAddr, secure: SocketAddr) -> Result<()> {
    let direct = calls.at(&plain.to_string(), "plain", false)?;
    let through = calls.at(&demo::GATEWAY.to_string(), "plain", false)?;
    equal("in clear", &direct, &through)?;
    let direct = calls.at(&format!("localhost:{}", secure.port()), "secure", true)?;
    let through = calls.at(SECURE, "secure", true)?;
    equal("over TLS", &direct, &through)?;
    println!("{} kinds of calls, each in clear and over TLS, equal with and without the gateway", direct.len());
    Ok(())
}

fn equal(how: &str, direct: &BTreeMap<String, Value>, through: &BTreeMap<String, Value>) -> Result<()> {
    let differences: Vec<String> = (direct.iter())
        .filter(|(name, came)| through.get(*name) != Some(came))
        .map(|(name, came)| format!("  {name}: {came} without, {} with it", through.get(name).unwrap_or(&Value::Null)))
        .collect();
    match differences.is_empty() && !direct.is_empty() {
        true => Ok(()),
        false => bail!("not equal {how} with and without the gateway:\n{}", differences.join("\n")),
    }
}

/// What the gateway says itself.
fn own(calls: &Calls) -> Result<()> {
    let said = calls.outcomes(&["own", &demo::GATEWAY.to_string()])?;
    let expected = [
        ("denied", json!("UNAUTHENTICATED")),
        ("allowed", json!("OK")),
        ("limited", json!("RESOURCE_EXHAUSTED")),
        ("down", json!("UNAVAILABLE")),
        ("late", json!("UNAVAILABLE")),
        ("no route", json!("UNIMPLEMENTED")),
    ];
    for (name, code) in expected {
        let came = &said[name];
        if came[0] != code {
            bail!("{name}: {code} expected, {came} received");
        }
        println!("  {name}: {came}");
    }
    // The server died in the middle: whatever that is called, it is no good end.
    match said["gone"].as_str() {
        None | Some("OK") => bail!("a call whose server has died came to {}", said["gone"]),
        Some(code) => println!("  gone: {code}"),
    }
    Ok(())
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn configuration(plain: SocketAddr, secure: SocketAddr, certificates: &Path) -> String {
    let certificates = certificates.display();
    let guests = Path::new(guests::FOLDER).file_name().unwrap_or_default().display().to_string();
    format!(
        r#"
[listeners.public]
address = "{gateway}"
[listeners.secure]
address = "127.0.0.1:8443"
tls = {{ certificates = [{{ certificate = "{certificates}/server.pem", key = "{certificates}/server.key" }}] }}
[log]
access = false
[limits]
body_bytes = "64MiB"
[upstreams.plain]
url = "http://{plain}"
protocol = "http2"
[upstreams.secure]
url = "https://localhost:{port}"
protocol = "http2"
tls = {{ ca = "{certificates}/ca.pem" }}
[upstreams.down]
url = "http://127.0.0.1:1"
protocol = "http2"
[rate_limits.few]
rate = "1/h"
[plugins.api-key]
component = "../{guests}/api-key.wasm"
[plugins.api-key.config]
in = ["header:x-api-key"]
[[plugins.api-key.config.keys]]
id = "alice-2026"
hash = "sha256:6e5d35a55b80d29164c5e6576b4dbe50836237a17b5b4af841b091e25f6132b4"
principal = "alice"
[routes]
plain = {{ headers = {{ x-to = "plain" }}, upstream = "plain" }}
secure = {{ headers = {{ x-to = "secure" }}, upstream = "secure" }}
keyed = {{ headers = {{ x-to = "keyed" }}, upstream = "plain", plugins = ["api-key"] }}
limited = {{ headers = {{ x-to = "limited" }}, upstream = "plain", rate_limits = ["few"] }}
down = {{ headers = {{ x-to = "down" }}, upstream = "down" }}
late = {{ headers = {{ x-to = "late" }}, upstream = "plain", timeouts = {{ first_byte = "300ms" }} }}
"#,
        gateway = demo::GATEWAY,
        port = secure.port(),
    )
}

fn install(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("python");
    let done = folder.join(PACKAGE);
    if !done.exists() {
        pip::install(&python, PACKAGE, &["--prefer-binary"], "calling by gRPC")?;
        fs::write(&done, "")?;
    }
    fs::write(folder.join("calls.py"), CALLS)?;
    Ok(python.join("bin/python"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_differs_or_is_missing_is_told() {
        let one = |value: Value| BTreeMap::from([("unary".to_owned(), value)]);
        assert!(equal("", &one(json!(["OK"])), &one(json!(["OK"]))).is_ok());
        assert!(equal("", &one(json!(["OK"])), &one(json!(["INTERNAL"]))).is_err());
        assert!(equal("", &one(json!(["OK"])), &BTreeMap::new()).is_err());
        assert!(equal("", &BTreeMap::new(), &BTreeMap::new()).is_err());
    }
}
