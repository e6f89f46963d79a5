//! What a plugin costs in each language: the template of an authorizer, from an empty folder to a decision in a running
//! gateway, with what is made, compiled, called and kept on the way.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use gatehouse_kit::Language;
use serde_json::Value;

use crate::{
    client::{self, Request},
    demo,
    process::{self, Running},
};

/// What is measured stands between these lines of the document.
const DOCUMENT: &str = "docs/languages.md";
const BEGIN: &str = "<!-- made by cargo xtask languages --write -->\n";
const END: &str = "<!-- end of what is measured -->\n";

/// Calls of one instance after the first.
const CALLS: &str = "1000";

/// Where the plugins are made.
const FOLDER: &str = "target/languages";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these [all]
    #[arg(value_enum)]
    languages: Vec<Language>,
    /// Puts the table into docs/languages.md
    #[arg(long)]
    write: bool,
}

/// Builds the gateway and measures. What the kit fetches must be there, so that no download is measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    demo::build(&["gatehouse"])?;
    let all = <Language as clap::ValueEnum>::value_variants();
    let languages = if options.languages.is_empty() { all } else { &options.languages };
    let mut table = String::from(
        "| | component | from `new` to a decision | `build` | of that compiling | an instance | first call | warm call | \
         memory |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for &language in languages {
        println!("measuring {language} ...");
        table += &measure(language)?.row(language);
    }
    println!("\n{table}");
    if options.write {
        let text = fs::read_to_string(DOCUMENT)?;
        let (before, rest) = text.split_once(BEGIN).context("the document has no place for the table")?;
        let (_, after) = rest.split_once(END).context("the table has no end")?;
        fs::write(DOCUMENT, format!("{before}{BEGIN}{table}{END}{after}"))?;
    }
    Ok(())
}

struct Measured {
    /// What `gatehouse plugin run --json` says of it.
    said: Value,
    build: Duration,
    decision: Duration,
}

fn measure(language: Language) -> Result<Measured> {
    let place = FOLDER.as_ref();
    if Path::exists(place) {
        fs::remove_dir_all(place).context("emptying the folder of before")?;
    }
    fs::create_dir_all(place).context("making a folder")?;
    // The first build of a language on a machine fetches tools and compiles libraries.
    make(place, language, "first")?;
    let started = Instant::now();
    let build = make(place, language, "gate")?;
    decide(place)?;
    let decision = started.elapsed();
    let mut run = gatehouse(place, &["plugin", "run", "gate/gate.wasm", "--request", "GET /", "-H", "x-key: k1"]);
    run.args(["--config", r#"{"key": "k1"}"#, "--repeat", CALLS, "--json"]);
    // Nothing is compiled there yet.
    run.env("XDG_CACHE_HOME", absolute(place).join("empty"));
    let said = serde_json::from_str(&process::output(&mut run)?).context("reading what `plugin run` says")?;
    Ok(Measured { said, build, decision })
}

/// Makes a plugin's folder and its component; what the latter took.
fn make(place: &Path, language: Language, name: &str) -> Result<Duration> {
    process::output(&mut gatehouse(place, &["plugin", "new", name, "--language", language.name()]))?;
    let started = Instant::now();
    process::output(&mut gatehouse(place, &["plugin", "build", name]))?;
    Ok(started.elapsed())
}

/// Asks a gateway that has the plugin.
fn decide(place: &Path) -> Result<()> {
    let address = demo::GATEWAY;
    let text = format!(
        "[listeners.public]\naddress = \"{address}\"\n[upstreams.none]\nurl = \"http://127.0.0.1:9\"\n\
         [plugins.gate]\ncomponent = \"gate/gate.wasm\"\nconfig = {{ key = \"k1\" }}\n\
         [routes.all]\nupstream = \"none\"\nplugins = [\"gate\"]\n"
    );
    fs::write(place.join("gatehouse.toml"), text)?;
    let mut gateway = Running::start(gatehouse(place, &["run", "gatehouse.toml"]).stdout(Stdio::null()))?;
    demo::wait_for(&mut gateway, address)?;
    let answer = client::send(&Request::get(address, "/"))?;
    ensure!(answer.status == 403 && answer.body.contains("the key is wrong"), "not the plugin's own: {answer:?}");
    Ok(())
}

fn gatehouse(place: &Path, arguments: &[&str]) -> Command {
    let mut command = process::command(absolute(&demo::gateway()));
    command.args(arguments).current_dir(place);
    command.env("GATEHOUSE_TOOLS", absolute(Path::new("target/tools")));
    command.env("XDG_CACHE_HOME", absolute(place).join("cache"));
    command
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl Measured {
    fn row(&self, language: Language) -> String {
        let [size, compile, start, first, warm, memory] =
            ["size", "compile_us", "start_us", "first_call_us", "warm_call_us", "memory"]
                .map(|name| self.said[name].as_f64().unwrap_or(f64::NAN));
        let (build, decision) = (self.build.as_secs_f64(), self.decision.as_secs_f64());
        let size = if size < 1e6 { format!("{:.0} KB", size / 1e3) } else { format!("{:.1} MB", size / 1e6) };
        format!(
            "| {language} | {size} | {decision:.1} s | {build:.1} s | {:.2} s | {:.2} ms | {:.2} ms | {warm:.0} us | {:.1} MB |\n",
            compile / 1e6,
            start / 1e3,
            first / 1e3,
            memory / 1e6,
        )
    }
}
