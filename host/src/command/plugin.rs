//! `gatehouse plugin ...`: from an empty folder to a component that is known to do what it should.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use gatehouse::trial::{Cases, Setting, Step, Trial};
use gatehouse_kit::{Hook, Language, Project, Tools};

use super::{
    report::{self, Report},
    request,
    watching::{self, Watching},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes a folder for a new plugin: code, tests, the SDK, and a README with the commands.
    New {
        /// Its name, and the folder's: letters, digits and `-`.
        name: String,
        /// What it is written in.
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
        /// Keep debug information, of C and Rust: in the stacks of traps are lines of the source.
        ///
        /// They are shown by `plugin test`, `plugin run`, `dev`, and `run --debug-info`. The component is larger.
        #[arg(long)]
        debug_info: bool,
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
    /// Runs a component on cases: requests with what must come of them.
    ///
    /// The component's own bytes run in the gateway's runtime and chain, without a gateway and without a socket: the clock
    /// stands at what the case says, randomness repeats, and outbound requests get the answers that the case has for them.
    /// docs/testing.md tells what a case may say. Exit code 0: all cases came out as expected; 1: not all.
    Test(Test),
    /// Makes one exchange with a component and prints what came of it, in the words of a case for `test`.
    ///
    /// It runs as in `test`: outbound requests are refused, the clock stands at 2026-01-01T00:00:00Z.
    Run(Run),
}

#[derive(Args)]
pub(crate) struct Test {
    /// The component, or a plugin's folder, which is built first.
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// The file of cases [cases.toml beside the component, or in the folder].
    #[arg(long)]
    cases: Option<PathBuf>,
    /// Only cases with this in their names.
    #[arg(long)]
    only: Option<String>,
    /// Also write what came out to this file, as JUnit XML.
    #[arg(long)]
    junit: Option<PathBuf>,
    /// Stay, and run them again whenever the cases, the component or the folder's sources change.
    #[arg(long)]
    watch: bool,
}

#[derive(Args)]
pub(crate) struct Run {
    /// The component, or a plugin's folder, which is built first.
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// The request's line.
    #[arg(long, default_value = "GET /", value_name = "METHOD PATH")]
    request: String,
    /// A header of the request; may be given more than once.
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The request's body.
    #[arg(long, short, value_name = "TEXT")]
    data: Option<String>,
    /// The client's address.
    #[arg(long, default_value = "127.0.0.1")]
    client: std::net::IpAddr,
    /// What an earlier plugin has set, by full name; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE")]
    attribute: Vec<String>,
    /// The plugin's configuration, as JSON.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    config: String,
    /// The path template of the route, such as `/pets/{id}`.
    #[arg(long)]
    route: Option<String>,
    /// Make the exchange so many times more with the same instance, for the times of warm calls.
    #[arg(long, default_value_t = 0)]
    repeat: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::New { name, language, hook } => new(&name, language, hook),
        Command::Build { folder, output, debug_info } => {
            let component = build(&folder, output, debug_info)?;
            inspect(&component, false)
        }
        Command::Inspect { file, json } => inspect(&file, json),
        Command::Test(test) => self::test(&test),
        Command::Run(run) => once(&run),
    }
}

fn new(name: &str, language: Language, hook: Hook) -> anyhow::Result<()> {
    gatehouse_kit::new(language, hook, name, Path::new(name))?;
    println!("{name}/ is a plugin in {language}. Read {name}/README.md, then: gatehouse plugin build {name}");
    Ok(())
}

/// Where the component is.
pub(super) fn build(folder: &Path, output: Option<PathBuf>, debug_info: bool) -> anyhow::Result<PathBuf> {
    let mut project = Project::read(folder)?;
    project.debug_info = debug_info;
    let component = gatehouse_kit::build(&project, &project.folder.join("build"), &Tools::of_user()?)?;
    let output = output.unwrap_or_else(|| component_of(folder, &project));
    // A gateway may be watching it: in one step.
    let half = output.with_extension("wasm.new");
    fs::write(&half, component)
        .and_then(|()| fs::rename(&half, &output))
        .with_context(|| format!("writing {}", output.display()))?;
    Ok(output)
}

fn component_of(folder: &Path, project: &Project) -> PathBuf {
    folder.join(format!("{}.wasm", project.name))
}

fn inspect(file: &Path, json: bool) -> anyhow::Result<()> {
    let inspection = gatehouse::inspect(file).map_err(anyhow::Error::msg)?;
    match json {
        true => println!("{}", serde_json::to_string_pretty(&inspection)?),
        false => print!("{inspection}"),
    }
    ensure!(inspection.problems.is_empty(), "{} would not be loaded", file.display());
    Ok(())
}

/// The component of what was named: of a folder, the one that is made of it now.
fn component(plugin: &Path) -> anyhow::Result<PathBuf> {
    match plugin.is_dir() {
        true => build(plugin, None, false),
        false => Ok(plugin.to_owned()),
    }
}

fn test(test: &Test) -> anyhow::Result<()> {
    if !test.watch {
        return tested(test);
    }
    let plugin = watching::absolute(&test.plugin)?;
    let mut files = vec![watching::absolute(&cases_of(test))?];
    let folders = if plugin.is_dir() {
        vec![plugin]
    } else {
        files.push(plugin);
        vec![]
    };
    let watching = Watching::of(&folders, &files)?;
    loop {
        if let Err(error) = tested(test) {
            report::say_error(&error);
        }
        if watching.next().is_none() {
            return Ok(());
        }
    }
}

fn cases_of(test: &Test) -> PathBuf {
    let folder = if test.plugin.is_dir() { Some(test.plugin.as_path()) } else { test.plugin.parent() };
    test.cases.clone().unwrap_or_else(|| folder.unwrap_or(Path::new(".")).join("cases.toml"))
}

fn tested(test: &Test) -> anyhow::Result<()> {
    let file = cases_of(test);
    let cases = Cases::read(&file)?;
    let trial = Trial::load(&component(&test.plugin)?).map_err(anyhow::Error::msg)?;
    let mut report = Report::new(&file);
    let asked = |name: &str| test.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    for case in cases.cases.iter().filter(|case| asked(&case.name)) {
        let setting = Setting {
            config: case.config.clone().unwrap_or_else(|| cases.config.clone()),
            limits: cases.limits.clone(),
            route: case.route.clone(),
            state: case.state.clone(),
        };
        report.add(case, trial.run(&setting, &case.steps()));
    }
    ensure!(!report.is_empty(), "no case of {} has that in its name", file.display());
    if let Some(junit) = &test.junit {
        fs::write(junit, report.junit()?).with_context(|| format!("writing {}", junit.display()))?;
    }
    ensure!(report.is_good(), "{report}");
    report.summary();
    Ok(())
}

fn once(run: &Run) -> anyhow::Result<()> {
    let config = serde_json::from_str(&run.config).context("`--config` is no object of JSON")?;
    let mut route = gatehouse::trial::Route::default();
    route.path.clone_from(&run.route);
    let setting = Setting { config, route, ..Setting::default() };
    let step = Step {
        request: request::parse(&run.request, &run.header, run.data.as_deref(), run.client)?,
        attributes: request::attributes(&run.attribute)?,
        ..Step::default()
    };
    let trial = Trial::load(&component(&run.plugin)?).map_err(anyhow::Error::msg)?;
    let mut tried = trial.run(&setting, std::slice::from_ref(&step)).map_err(anyhow::Error::msg)?;
    if let Some(why) = tried.refused {
        bail!("the plugin does not start: {why}");
    }
    let outcome = tried.outcomes.pop().context("an exchange has an outcome")?;
    let more = match run.repeat {
        0 => Vec::new(),
        times => trial.repeat(&setting, &step, times + 1).map_err(anyhow::Error::msg)?,
    };
    report::once(&trial, tried.start, &outcome, more.get(1..).unwrap_or_default(), run.json)
}
