//! Upstreams by name: a changed answer of the resolver is followed, all addresses are used, and one that fails changes nothing.
//!
//! The names are in a file that only the gateway's process has at `/etc/hosts`.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{Process, Start, Upstream};

/// Servers at one port of 127.0.0.1 and 127.0.0.2, which answer with their address.
struct Servers {
    port: u16,
    /// Those that answer no more, and accept nobody.
    stopped: Arc<[AtomicBool; 2]>,
    open: Arc<Mutex<Vec<(usize, TcpStream)>>>,
}

impl Servers {
    fn start(closing: bool) -> Self {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let this = Self { port, stopped: Arc::default(), open: Arc::default() };
        for (index, listener) in [first, TcpListener::bind(("127.0.0.2", port)).unwrap()].into_iter().enumerate() {
            let (stopped, open) = (this.stopped.clone(), this.open.clone());
            thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if stopped[index].load(Ordering::Relaxed) {
                        return;
                    }
                    open.lock().unwrap().push((index, stream.try_clone().unwrap()));
                    thread::spawn(move || answer(stream, closing));
                }
            });
        }
        this
    }

    /// It closes its socket and all of its connections.
    fn stop(&self, index: usize) {
        self.stopped[index].store(true, Ordering::Relaxed);
        // Who waits for a client has to see it.
        drop(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1 + index as u8], self.port))));
        for (_, stream) in self.open.lock().unwrap().iter().filter(|(other, _)| *other == index) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn answer(stream: TcpStream, closing: bool) {
    let address = stream.local_addr().unwrap().ip().to_string();
    let close = if closing { "connection: close\r\n" } else { "" };
    let mut writer = stream.try_clone().unwrap();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.is_empty() {
            let head = format!("HTTP/1.1 200 OK\r\n{close}content-length: {}\r\n\r\n{address}", address.len());
            if writer.write_all(head.as_bytes()).is_err() || closing {
                return;
            }
        }
    }
}

/// A gateway that knows `up.test` from a file; none where nobody may have a file of its own there.
struct Named {
    process: Process,
    folder: TempDir,
}

impl Named {
    fn start(addresses: &[&str], port: u16) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts");
        write(&folder, addresses);
        let mount = format!("mount --bind {} /etc/hosts", file.display());
        let alone = |then: &str| format!("exec unshare -rm sh -c '{mount} && {then}' \"$0\" \"$@\"");
        if !Process::command_after(&alone("exec true"), &[]).status().unwrap().success() {
            println!("this system lets nobody mount anything: no names of our own");
            return None;
        }
        let text = format!(
            "[upstreams.up]\nurl = \"http://up.test:{port}\"\nresolve_interval = \"1s\"\n[routes.all]\nupstream = \"up\"\n"
        );
        let start = Start { before: &alone("exec \"$0\" \"$@\""), ..Start::default() };
        Some(Self { process: Process::start_as(&text, &Upstream::start(), &start), folder })
    }

    /// Who answers.
    async fn ask(&self) -> String {
        let reply = self.process.get("/").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text().to_owned()
    }

    /// Asks until that one has answered.
    async fn until(&self, address: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        while self.ask().await != address {
            assert!(Instant::now() < end, "{address} has not come");
        }
    }
}

/// In place: what is mounted is the file, not its name.
fn write(folder: &TempDir, addresses: &[&str]) {
    let lines: String = addresses.iter().map(|address| format!("{address} up.test\n")).collect();
    fs::write(folder.path().join("hosts"), lines).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_name_is_followed_by_connections_in_use_too() {
    let servers = Servers::start(false);
    let Some(gateway) = Named::start(&["127.0.0.1"], servers.port) else { return };
    for _ in 0..5 {
        assert_eq!(gateway.ask().await, "127.0.0.1");
    }
    // The old one goes on to serve, and its connection is never idle.
    write(&gateway.folder, &["127.0.0.2"]);
    gateway.until("127.0.0.2").await;
    for _ in 0..20 {
        assert_eq!(gateway.ask().await, "127.0.0.2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_fails_leaves_the_last_addresses() {
    let servers = Servers::start(true);
    let Some(gateway) = Named::start(&["127.0.0.1"], servers.port) else { return };
    assert_eq!(gateway.ask().await, "127.0.0.1");
    write(&gateway.folder, &[]);
    // For longer than the interval, until it has been asked in vain.
    let end = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < end {
        assert_eq!(gateway.ask().await, "127.0.0.1");
    }
    gateway.process.line(|line| line.contains("cannot be resolved"));
    assert_eq!(gateway.ask().await, "127.0.0.1");
    // And once it answers again it is believed.
    write(&gateway.folder, &["127.0.0.2"]);
    gateway.until("127.0.0.2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_addresses_of_a_name_are_used_and_one_that_is_down_is_passed_over() {
    let servers = Servers::start(true);
    let Some(gateway) = Named::start(&["127.0.0.1", "127.0.0.2"], servers.port) else { return };
    let mut counts = [0, 0];
    for _ in 0..20 {
        counts[usize::from(gateway.ask().await == "127.0.0.2")] += 1;
    }
    assert_eq!(counts, [10, 10]);
    servers.stop(0);
    for _ in 0..10 {
        assert_eq!(gateway.ask().await, "127.0.0.2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_nobody_knows_is_an_upstream_out_of_reach_until_somebody_does() {
    let servers = Servers::start(false);
    let Some(gateway) = Named::start(&[], servers.port) else { return };
    let reply = gateway.process.get("/").await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (502, Some("upstream_unreachable")));
    write(&gateway.folder, &["127.0.0.1"]);
    assert_eq!(gateway.ask().await, "127.0.0.1");
}
