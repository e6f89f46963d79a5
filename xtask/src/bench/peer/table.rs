//! All peers. Their configurations are in `bench/peers/`, or made in `configuration.rs`, with the ports that are here.

use std::process::Command;

use anyhow::Result;

use super::{BOTH, PROXY_CORE, Peer, UPSTREAM, configured, debian, envoy, gateway, local, nginx, pingora};
use crate::{
    bench::configuration::{self, Configuration},
    process,
};

pub(in crate::bench) const PEERS: [Peer; 16] = [
    Peer { port: 19001, command: bare, ..peer("bare") },
    Peer { port: 19002, http2: 19002, command: || gatehouse("gatehouse.toml"), ..ours("gatehouse") },
    Peer { port: 19003, http2: 19103, install: debian::nginx, command: || nginx("nginx.conf"), ..peer("nginx") },
    Peer { port: 19004, install: debian::nginx_lua, command: || nginx("nginx-lua.conf"), ..peer("nginx-lua") },
    Peer { port: 19005, http2: 19105, install: debian::haproxy, command: haproxy, ..peer("haproxy") },
    Peer { port: 19006, http2: 19006, command: || envoy::command("envoy.yaml"), ..envoy("envoy") },
    Peer { port: 19007, command: || envoy::command("envoy-lua.yaml"), ..envoy("envoy-lua") },
    Peer { port: 19008, command: || envoy::command("envoy-wasm.yaml"), ..envoy_with_filter("envoy-wasm") },
    Peer { port: 19009, command: || envoy::command("envoy-wasm-3.yaml"), ..envoy_with_filter("envoy-wasm-3") },
    Peer { port: 19010, install: pingora::install, command: pingora::command, ..peer("pingora") },
    Peer { port: 19012, command: || generated(&configuration::routes(19012, 10_000)), ..ours("routes") },
    Peer { port: 19013, command: || generated(&configuration::plugins(19013, 1_000)), ..ours("1000-plugins") },
    Peer { port: 19014, cores: BOTH, command: || generated(&configuration::workers(19014, 1)), ..ours("1-worker") },
    Peer { port: 19015, cores: BOTH, command: || generated(&configuration::workers(19015, 2)), ..ours("2-workers") },
    Peer { port: 19022, command: || gatehouse("languages.toml"), ..ours("languages") },
    Peer {
        port: 19021,
        cores: BOTH,
        command: || generated(&configuration::workers(19021, 1)),
        ..ours("another-worker")
    },
];

/// What is usual.
const fn peer(name: &'static str) -> Peer {
    Peer { name, port: 0, http2: 0, cores: PROXY_CORE, gateway: false, install: || Ok(()), command: bare }
}

/// The gateway.
const fn ours(name: &'static str) -> Peer {
    Peer { gateway: true, ..peer(name) }
}

const fn envoy(name: &'static str) -> Peer {
    Peer { install: envoy::install, ..peer(name) }
}

const fn envoy_with_filter(name: &'static str) -> Peer {
    Peer { install: envoy::install_with_filter, ..peer(name) }
}

fn bare() -> Result<Command> {
    let mut command = process::command(process::release_dir().join("bare-proxy"));
    command.args([local(19001).to_string(), local(UPSTREAM).to_string()]);
    Ok(command)
}

fn gatehouse(name: &str) -> Result<Command> {
    let mut command = process::command(gateway());
    command.arg("run").arg(configured(name));
    Ok(command)
}

fn generated(configuration: &Configuration) -> Result<Command> {
    let mut command = process::command(gateway());
    command.arg("run").arg(configuration.write()?);
    Ok(command)
}

fn haproxy() -> Result<Command> {
    let mut command = process::command(debian::HAPROXY);
    command.arg("-db").arg("-f").arg(configured("haproxy.cfg"));
    Ok(command)
}
