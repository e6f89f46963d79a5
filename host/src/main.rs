//! The command line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use gatehouse::{Server, admin, clock::Clock, compiler, config::Config, logs, server::Gateway, watch, watch::Watch};
use gatehouse_kit::{Hook, Language, Project, Tools};
use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

/// A programmable API gateway: every request goes through a chain of sandboxed WebAssembly plugins (authorizers,
/// transformers, loggers) and then to its upstream.
#[derive(Parser)]
#[command(
    name = "gatehouse",
    version,
    after_help = "Try it: `gatehouse check gatehouse.toml`, then `gatehouse run gatehouse.toml`.\n\
    Signals: SIGHUP reloads, SIGTERM and SIGINT drain and stop."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a configuration until it is told to stop.
    ///
    /// The configuration and the plugins' files are watched: a change is loaded and served without a restart and
    /// without losing a request; a bad one is refused, the log says why and where, and the old state serves on.
    Run {
        /// The configuration, in TOML.
        #[arg(default_value = "gatehouse.toml")]
        config: PathBuf,
        /// Reload only on SIGHUP, not when a file changes.
        #[arg(long)]
        no_watch: bool,
    },
    /// Checks a configuration with everything in it: loads each plugin and lets it judge its own configuration.
    ///
    /// Prints every problem with its position. Exit code 0: all is well; 1: there are problems.
    Check {
        /// The configuration, in TOML.
        #[arg(default_value = "gatehouse.toml")]
        config: PathBuf,
    },
    /// Helps with plugins: components of the contract `gatehouse:plugin`.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Compiles a component from the standard input to the standard output. The gateway starts this by itself.
    #[command(name = compiler::COMMAND, hide = true)]
    Compile {
        /// CPU time, in seconds.
        cpu: u64,
        /// Memory, in bytes.
        memory: u64,
    },
}

#[derive(Subcommand)]
enum PluginCommand {
    /// Makes a folder for a new plugin: code, a test, the SDK, and a README with the commands.
    New {
        /// Its name, and the folder's: letters, digits and `-`.
        name: String,
        /// What it is written in: so far javascript, typescript and c.
        #[arg(long)]
        language: Language,
        /// What it does. `plugin.toml` may list more.
        #[arg(long, default_value = "authorizer")]
        hook: Hook,
    },
    /// Makes the component of a plugin's folder, and checks it against the contract.
    ///
    /// The language's own tools are used; what is not there is fetched once at the version that this program knows, to
    /// $GATEHOUSE_TOOLS or else ~/.cache/gatehouse/tools.
    Build {
        /// The plugin's folder, with plugin.toml, or with Cargo.toml for Rust.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Where the component goes [NAME.wasm in the plugin's folder].
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Tells what a component is: hooks, what it asks for, what it says of itself, its configuration's schema.
    ///
    /// Exit code 0: a gateway would load it; 1: it would not, whatever the configuration.
    Inspect {
        /// The component.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    compiler::use_child_processes();
    let result = match Cli::parse().command {
        Command::Run { config, no_watch } => run(&config, !no_watch),
        Command::Check { config } => check(&config),
        Command::Plugin(PluginCommand::New { name, language, hook }) => new(&name, language, hook),
        Command::Plugin(PluginCommand::Build { folder, output }) => build(&folder, output),
        Command::Plugin(PluginCommand::Inspect { file, json }) => inspect(&file, json),
        Command::Compile { cpu, memory } => {
            compiler::serve(Duration::from_secs(cpu), memory).map_err(anyhow::Error::msg)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(file: &Path) -> anyhow::Result<()> {
    let config = Config::load(file)?;
    let (plugins, routes) = (config.plugins.len(), config.routes.len());
    gatehouse::check(config)?;
    println!("{}: {routes} routes, {plugins} plugins, no problems", file.display());
    Ok(())
}

fn new(name: &str, language: Language, hook: Hook) -> anyhow::Result<()> {
    gatehouse_kit::new(language, hook, name, Path::new(name))?;
    println!("{name}/ is a plugin in {language}. Read {name}/README.md, then: gatehouse plugin build {name}");
    Ok(())
}

fn build(folder: &Path, output: Option<PathBuf>) -> anyhow::Result<()> {
    let project = Project::read(folder)?;
    let component = gatehouse_kit::build(&project, &project.folder.join("build"), &Tools::of_user()?)?;
    let output = output.unwrap_or_else(|| folder.join(format!("{}.wasm", project.name)));
    // A gateway may be watching it: in one step.
    let half = output.with_extension("wasm.new");
    fs::write(&half, component)
        .and_then(|()| fs::rename(&half, &output))
        .with_context(|| format!("writing {}", output.display()))?;
    inspect(&output, false)
}

fn inspect(file: &Path, json: bool) -> anyhow::Result<()> {
    let inspection = gatehouse::inspect(file).map_err(anyhow::Error::msg)?;
    match json {
        true => println!("{}", serde_json::to_string_pretty(&inspection)?),
        false => print!("{inspection}"),
    }
    anyhow::ensure!(inspection.problems.is_empty(), "{} would not be loaded", file.display());
    Ok(())
}

fn run(file: &Path, watching: bool) -> anyhow::Result<()> {
    let config = Config::load(file)?;
    logs::start(&config.log);
    let admin_address = config.admin;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // What is written past the limit of a file's size (`ulimit -f`) is an error as on a full disk, and no end.
    let _too_large = runtime.block_on(async { signal(SignalKind::from_raw(Signal::XFSZ.as_raw())) })?;
    let server = Server::start(config, Clock::default())?;
    let gateway = server.gateway().clone();
    // Before anybody is told that it serves: who is told may send a signal.
    let signals = runtime.block_on(async { Signals::new() })?;
    if let Some(address) = admin_address {
        let address = admin::start(address, gateway.clone())
            .with_context(|| format!("the admin address {address} cannot be had"))?;
        tracing::info!(%address, "admin: /metrics, /healthz, /readyz");
    }
    let watch = watching
        .then(|| watch::start(gateway.clone()))
        .transpose()
        .context("the configuration cannot be watched: `--no-watch` goes without")?;
    for (name, address) in server.addresses() {
        tracing::info!(%address, listener = name, "serving");
    }
    runtime.block_on(signals.serve(gateway, watch));
    tracing::info!("stopping: no new connections, exchanges under way may end");
    server.stop();
    tracing::info!("stopped");
    logs::finish();
    Ok(())
}

/// The signals that the gateway listens to.
struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    /// From here on they do not end the process. Needs a runtime around it.
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Reloads on SIGHUP; returns on SIGTERM or SIGINT.
    async fn serve(mut self, gateway: Arc<Gateway>, watch: Option<Watch>) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => match &watch {
                    Some(watch) => watch.load(),
                    None => {
                        let gateway = gateway.clone();
                        std::thread::spawn(move || watch::reload(&gateway));
                    }
                },
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
            }
        }
    }
}
