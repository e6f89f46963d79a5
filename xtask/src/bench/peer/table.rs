//! All peers. Their configurations are in `bench/peers/`, with the ports that are here.

use std::process::Command;

use anyhow::Result;

use super::{PROXY_CORE, Peer, UPSTREAM, configured, debian, local, nginx};
use crate::{demo, process};

pub(in crate::bench) const PEERS: [Peer; 5] = [
    Peer { port: 19001, command: bare, ..peer("bare") },
    Peer { port: 19002, http2: 19002, command: gatehouse, ..peer("gatehouse") },
    Peer { port: 19003, http2: 19103, install: debian::nginx, command: || nginx("nginx.conf"), ..peer("nginx") },
    Peer { port: 19004, install: debian::nginx_lua, command: || nginx("nginx-lua.conf"), ..peer("nginx-lua") },
    Peer { port: 19005, http2: 19105, install: debian::haproxy, command: haproxy, ..peer("haproxy") },
];

/// What is usual.
const fn peer(name: &'static str) -> Peer {
    Peer { name, port: 0, http2: 0, cores: PROXY_CORE, install: || Ok(()), command: bare }
}

fn bare() -> Result<Command> {
    let mut command = process::command(process::release_dir().join("bare-proxy"));
    command.args([local(19001).to_string(), local(UPSTREAM).to_string()]);
    Ok(command)
}

fn gatehouse() -> Result<Command> {
    let mut command = process::command(demo::gateway());
    command.arg("run").arg(configured("gatehouse.toml"));
    Ok(command)
}

fn haproxy() -> Result<Command> {
    let mut command = process::command(debian::HAPROXY);
    command.arg("-db").arg("-f").arg(configured("haproxy.cfg"));
    Ok(command)
}
