//! What a kept connection and a warm instance take: differences of one gateway's resident memory, divided.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::super::{
    Plan,
    configuration::Configuration,
    figure::{Bound, Figure},
    load::Wrk,
    peer::{self, local},
};
use crate::{
    client::{self, Request},
    process::Running,
    usage,
};

const PORT: u16 = 19017;
const ADMIN: u16 = 19018;

/// Idle connections.
const CONNECTIONS: usize = 2_000;

/// Exchanges at the same time that hold an instance each; below the default of `limits.instances`.
const INSTANCES: usize = 64;

pub(super) fn measure(_plan: &Plan) -> Result<Vec<Figure>> {
    let connection = per_connection()?;
    let instance = per_instance()?;
    Ok(vec![
        Figure { name: "an idle kept connection", value: connection, unit: "KiB", bound: Bound::AtMost(16.0) },
        Figure { name: "a warm Rust instance", value: instance, unit: "KiB", bound: Bound::AtMost(100.0) },
    ])
}

fn gateway() -> Result<Running> {
    let configuration = Configuration::new("memory", PORT, 1).with(&format!(
        "\n[limits]\nconnections_per_client = {}\n\n[admin]\naddress = \"127.0.0.1:{ADMIN}\"\n\n\
         [plugins.chunks]\ncomponent = \"../guests/bench-chunks.wasm\"\n\n\
         [routes.plain]\npath = \"/plain\"\nupstream = \"json\"\n\n\
         [routes.slow]\npath = \"/slow/{{size}}\"\nupstream = \"json\"\n\n\
         [routes.held]\npath = \"/slow/{{size}}\"\nheaders = {{ x-held = \"*\" }}\nplugins = [\"chunks\"]\n\
         upstream = \"json\"\n",
        2 * CONNECTIONS
    ));
    peer::start_gateway(&configuration, PORT)
}

/// KiB for a connection that has made one request. Load has been there before, so what is shared is not counted.
fn per_connection() -> Result<f64> {
    let gateway = gateway()?;
    let url = format!("http://{}/plain", local(PORT));
    Wrk { connections: 64, ..Wrk::default() }.run(&url, Duration::from_secs(1))?;
    let before = settled(&gateway)?;
    let connections = (0..CONNECTIONS).map(|_| kept_connection(local(PORT))).collect::<Result<Vec<_>>>()?;
    let after = settled(&gateway)?;
    Ok((after - before) / connections.len() as f64)
}

/// A connection after its first answer.
fn kept_connection(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).context("opening thousands of connections")?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET /plain HTTP/1.1\r\nhost: {address}\r\n\r\n")?;
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer)?;
    if !answer[..length].starts_with(b"HTTP/1.1 200") {
        bail!("a connection is not answered well");
    }
    Ok(stream)
}

/// KiB for an instance beside the first. A filter of chunks has its instance for itself while a body is under way, and
/// the upstream sends these bodies slowly. The same exchanges without the plugin come first, and then one with it, so
/// that what they need themselves and what all instances share is not counted.
fn per_instance() -> Result<f64> {
    let gateway = gateway()?;
    for _ in 0..2 {
        slow_bodies(INSTANCES, false)?;
    }
    slow_bodies(1, true)?;
    let (before, first) = (settled(&gateway)?, instances_made()?);
    for _ in 0..2 {
        slow_bodies(INSTANCES, true)?;
    }
    let (after, all) = (settled(&gateway)?, instances_made()?);
    if all - first != INSTANCES - 1 {
        bail!("{} instances were made beside the first, and not {}", all - first, INSTANCES - 1);
    }
    Ok((after - before) / (INSTANCES - 1) as f64)
}

/// Takes so many bodies at the same time.
fn slow_bodies(count: usize, held: bool) -> Result<()> {
    let mut request = Request::get(local(PORT), "/slow/16KiB");
    if held {
        request.headers.push(("x-held".to_owned(), "yes".to_owned()));
    }
    thread::scope(|scope| {
        let requests: Vec<_> = (0..count).map(|_| scope.spawn(|| client::send(&request))).collect();
        for answer in requests {
            let answer = answer.join().expect("a request does not panic")?;
            if answer.status != 200 {
                bail!("a slow body is answered with {}", answer.status);
            }
        }
        Ok(())
    })
}

/// What the gateway counts.
fn instances_made() -> Result<usize> {
    let metrics = client::send(&Request::get(local(ADMIN), "/metrics"))?.body;
    let name = "gatehouse_plugin_instances_total{plugin=\"chunks\"} ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(name)).context("no count of instances")?;
    Ok(count.trim().parse()?)
}

/// Resident memory in KiB, a little after the last event.
fn settled(gateway: &Running) -> Result<f64> {
    thread::sleep(Duration::from_millis(300));
    Ok(usage::memory(gateway.id())? * 1e6 / 1024.0)
}
