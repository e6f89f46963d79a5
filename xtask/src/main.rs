//! The one place that knows how guests are built, and the project's other chores: demo, tests, tidy checks, release, bench, soak,
//! fuzzing, audit.
//!
//! Every command works in the root folder of the project, prints what it is doing, and needs nothing installed by hand:
//! what Debian has, it installs itself when it runs as root, else it says in one sentence what to install.

mod apt;
mod audit;
mod bench;
mod client;
mod component;
mod demo;
mod figure;
mod fuzz;
mod grpc;
mod guests;
mod languages;
mod parsers;
mod pip;
mod process;
mod release;
mod requests;
mod slow;
mod soak;
mod test;
mod tidy;
mod tls;
mod tool;
mod upstream;
mod usage;
mod websocket;

use std::{env, net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

/// Builds the guests; runs the demo, the tests, the tidy checks, the bench and the soak.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds all plugins and test guests to components in target/guests
    Guests(guests::Options),
    /// Runs an example with a small upstream and prints the requests to try
    Demo(demo::Options),
    /// Builds what the tests need and runs all of them
    Test(test::Options),
    /// Checks the rules of the code that the compiler does not know
    Tidy(tidy::Options),
    /// Measures what the gateway costs per request, beside other proxies
    Bench(bench::Options),
    /// Builds the gateway by profile-guided optimization, trained by the bench's load: target/guided/gatehouse
    Release,
    /// Measures what a plugin costs in each language, from an empty folder to a decision
    Languages(languages::Options),
    /// Runs a real gateway long and hard, and prints what was lost: nothing
    Soak(soak::Options),
    /// Lets slowhttptest be slow with the gateway, in each of its modes
    Slow(slow::Options),
    /// Runs the fuzz targets under libFuzzer, each from its corpus
    Fuzz(fuzz::Options),
    /// Holds our TLS against Mozilla's "intermediate" configuration, by sslyze
    Tls,
    /// Holds a WebSocket through the gateway against one without it, by the cases of Autobahn
    Websocket(websocket::Options),
    /// Holds a call of gRPC through the gateway against one without it, by gRPC's own client and server
    Grpc,
    /// Holds what the gateway forwards of the edge suite against the parsers of other servers
    Parsers(parsers::Options),
    /// Holds the dependencies against deny.toml: advisories, licences, bans, sources
    Audit(audit::Options),
    /// Serves the example upstream alone
    #[command(hide = true)]
    Upstream { address: SocketAddr },
}

fn main() -> ExitCode {
    if let Some(error) = release::stand_in() {
        eprintln!("error: starting rustc: {error}");
        return ExitCode::FAILURE;
    }
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    env::set_current_dir(root()?).context("entering the project's folder")?;
    match cli.command {
        Command::Guests(options) => guests::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Tidy(options) => tidy::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Release => release::run(),
        Command::Languages(options) => languages::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Slow(options) => slow::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Tls => tls::run(),
        Command::Websocket(options) => websocket::run(&options),
        Command::Grpc => grpc::run(),
        Command::Parsers(options) => parsers::run(&options),
        Command::Audit(options) => audit::run(&options),
        Command::Upstream { address } => upstream::serve(address),
    }
}

/// The project's folder. Cargo tells where this package lies; without cargo it is the folder one is in.
fn root() -> Result<PathBuf> {
    match env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => Ok(PathBuf::from(package).join("..").canonicalize()?),
        None => Ok(env::current_dir()?),
    }
}
