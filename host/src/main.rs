//! The command line.

mod command;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use command::{dev, key, plugin, serve};
use gatehouse::{compiler, config::Config, read_debug_info};

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
        /// Show lines of the plugins' sources in the stacks of traps, of components with debug information.
        ///
        /// For plugins that you trust: to find the lines takes a worker some milliseconds for each trap.
        #[arg(long)]
        debug_info: bool,
    },
    /// Checks a configuration with everything in it: loads each plugin and lets it judge its own configuration.
    ///
    /// Prints every problem with its position. Exit code 0: all is well; 1: there are problems.
    Check {
        /// The configuration, in TOML.
        #[arg(default_value = "gatehouse.toml")]
        config: PathBuf,
    },
    /// Serves a configuration while its plugins are written: one is built and loaded anew whenever its source is saved.
    ///
    /// A plugin's source is the folder `source` of its configuration, or else that of its component. What a build finds
    /// wrong is shown, and the old component serves on. Each exchange is shown with what each plugin said.
    Dev {
        /// The configuration, in TOML.
        #[arg(default_value = "gatehouse.toml")]
        config: PathBuf,
    },
    /// Makes API keys, and digests of them.
    #[command(subcommand)]
    Key(key::Command),
    /// Helps with plugins: components of the contract `gatehouse:plugin`.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Compiles a component from the standard input to the standard output. The gateway starts this by itself.
    #[command(name = compiler::COMMAND, hide = true)]
    Compile {
        /// CPU time, in seconds.
        cpu: u64,
        /// Memory, in bytes.
        memory: u64,
        /// Keep what the component says of its sources.
        #[arg(long)]
        debug_info: bool,
    },
}

impl Command {
    /// Whether stacks of traps shall have lines.
    fn is_for_author(&self) -> bool {
        match self {
            Self::Run { debug_info, .. } | Self::Compile { debug_info, .. } => *debug_info,
            Self::Dev { .. } | Self::Plugin(_) => true,
            Self::Check { .. } | Self::Key(_) => false,
        }
    }
}

fn main() -> ExitCode {
    compiler::use_child_processes();
    let command = Cli::parse().command;
    if command.is_for_author() {
        read_debug_info();
    }
    let result = match command {
        Command::Run { config, no_watch, .. } => serve::run(&config, !no_watch),
        Command::Dev { config } => dev::run(&config),
        Command::Check { config } => check(&config),
        Command::Key(command) => key::run(&command),
        Command::Plugin(command) => plugin::run(command),
        Command::Compile { cpu, memory, .. } => {
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
