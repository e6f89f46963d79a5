//! A redis-server of Debian's on a port of its own.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{raw::DEADLINE, tls::Authority, until};

/// A running one. Killed when dropped.
pub(crate) struct Redis {
    child: Option<Child>,
    address: SocketAddr,
    arguments: Vec<String>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one that speaks TLS only, with the certificate `redis` of an authority.
    pub(crate) fn start_tls(authority: &Authority) -> Self {
        let file = |name| authority.file(name).display().to_string();
        let (certificate, key, ca) = (file("redis.pem"), file("redis.key"), file("ca.pem"));
        let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
        Self::start_with(&[&files[..], &["--tls-auth-clients", "no", "--port", "0", "--tls-port", "PORT"]].concat())
    }

    /// Starts one with further arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut this = Self { child: None, address, arguments };
        this.start_again();
        this
    }

    /// Starts it where it was, with nothing in it.
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new("redis-server");
        let port = self.address.port().to_string();
        if !self.arguments.iter().any(|argument| argument == "--port") {
            command.args(["--port", &port]);
        }
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(self.arguments.iter().map(|argument| if argument == "PORT" { &port } else { argument }));
        let child = command.stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("redis-server is missing: `cargo xtask test` installs it"));
        until(DEADLINE, || TcpStream::connect(self.address).is_ok());
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers to a command, as it comes: for answers of one piece.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let mut connection = TcpStream::connect(self.address).unwrap();
        self.ask_over(&mut connection, words)
    }

    pub(crate) fn ask_over(&self, connection: &mut TcpStream, words: &[&str]) -> String {
        connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut command = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| command += &format!("${}\r\n{word}\r\n", word.len()));
        connection.write_all(command.as_bytes()).unwrap();
        let mut answer = vec![0; 64 << 10];
        let length = connection.read(&mut answer).unwrap();
        String::from_utf8(answer[..length].to_vec()).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
