//! The command line.

mod command;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use command::{check, dev, import, key, plugin, serve, stage};
use gatehouse::{compiler, read_debug_info};

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
        /// The stage whose variables are put in; else that of the environment variable `GATEHOUSE_STAGE`.
        #[arg(long)]
        stage: Option<String>,
    },
    /// Checks a configuration with everything in it: loads each plugin and lets it judge its own configuration.
    ///
    /// Prints every problem with its position, of each stage. Exit code 0: all is well; 1: there are problems.
    Check(check::Args),
    /// Serves a configuration while its plugins are written: one is built and loaded anew whenever its source is saved.
    ///
    /// A plugin's source is the folder `source` of its configuration, or else that of its component. What a build finds
    /// wrong is shown, and the old component serves on. Each exchange is shown with what each plugin said.
    Dev {
        /// The configuration, in TOML.
        #[arg(default_value = "gatehouse.toml")]
        config: PathBuf,
        /// The stage whose variables are put in; else that of the environment variable `GATEHOUSE_STAGE`.
        #[arg(long)]
        stage: Option<String>,
    },
    /// Makes API keys, and digests of them.
    #[command(subcommand)]
    Key(key::Command),

    /// Writes a configuration from an OpenAPI document, AWS's extensions included.
    ///
    /// What a configuration cannot say is left out and listed on standard error, each as `FILE:LINE:POINTER: WHAT`, and at
    /// the end of the configuration. docs/openapi.md has what is mapped.
    Import(import::Args),
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
            Self::Check(_) | Self::Import(_) | Self::Key(_) => false,
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
        Command::Key(command) => key::run(&command),
        Command::Run { config, no_watch, stage: asked, .. } => {
            serve::run(&config, stage(asked.as_ref()).as_deref(), !no_watch)
        }
        Command::Dev { config, stage: asked } => dev::run(&config, stage(asked.as_ref()).as_deref()),
        Command::Check(args) => match check::run(&args) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Command::Import(args) => match import::run(args) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(import::LEFT_OUT),
            Err(error) => Err(error),
        },
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
