//! `gatehouse check`: whether a configuration is good, in which stages, and how two of them differ.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::ValueEnum;
use gatehouse::{
    config::{Config, Source},
    diff::diff,
};

use super::stage;

/// What `gatehouse check` is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The configuration, in TOML.
    #[arg(default_value = "gatehouse.toml")]
    config: PathBuf,
    /// Only this stage, else all that the configuration has.
    #[arg(long)]
    stage: Option<String>,
    /// Shows what differs between two configurations, what a reload would do, and what would let more pass.
    ///
    /// Exit code 0: nothing; 1: something; 2: one of them cannot be read. No component is loaded.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "config")]
    diff: Option<Vec<PathBuf>>,
    /// How it is shown.
    #[arg(long, default_value = "text", requires = "diff")]
    format: Format,
}

/// How differences are shown.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A line for each.
    Text,
    /// A JSON object.
    Json,
}

/// Exit code of `--diff` when there is nothing to compare.
const TROUBLE: u8 = 2;

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some([old, new]) = args.diff.as_deref() {
        return Ok(compare(old, new, args).unwrap_or_else(|error| {
            eprintln!("{error:#}");
            ExitCode::from(TROUBLE)
        }));
    }
    let file = &args.config;
    let stages = match stage(args.stage.as_ref()) {
        Some(stage) => vec![Some(stage)],
        None => {
            let stages = Source::open(file)?.stages();
            if stages.is_empty() { vec![None] } else { stages.into_iter().map(Some).collect() }
        }
    };
    let mut good = true;
    for stage in stages {
        let named = stage.as_ref().map(|stage| format!(" (stage `{stage}`)")).unwrap_or_default();
        match check(file, stage.as_deref()) {
            Ok((routes, plugins)) => {
                println!("{}{named}: {routes} routes, {plugins} plugins, no problems", file.display());
            }
            Err(problems) => {
                good = false;
                let of = stage.map(|stage| format!("at the stage `{stage}`:\n")).unwrap_or_default();
                eprintln!("{of}{problems:#}");
            }
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many routes and plugins it has.
fn check(file: &Path, stage: Option<&str>) -> anyhow::Result<(usize, usize)> {
    let config = Config::load_stage(file, stage)?;
    let (routes, plugins) = (config.routes.len(), config.plugins.len());
    gatehouse::check(config)?;
    Ok((routes, plugins))
}

fn compare(old: &Path, new: &Path, args: &Args) -> anyhow::Result<ExitCode> {
    let stage = stage(args.stage.as_ref());
    let load = |file| Config::load_stage(file, stage.as_deref());
    let difference = diff(&load(old)?, &load(new)?);
    match args.format {
        Format::Text => print!("{difference}"),
        Format::Json => println!("{:#}", difference.json()),
    }
    Ok(if difference.changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
