//! `gatehouse plugin inspect`: what a component is and what it asks for, without a configuration and without serving it.
//! The same code loads it as for the gateway, so what is said here is what the gateway will find.

use std::{fmt, path::Path};

use serde::Serialize;
use serde_json::Value;

use super::{
    Plugin,
    bindings::lifecycle::Manifest,
    code::{self, Binary},
    engine::runtime,
    hooks::{self, Hooks},
    load::{self, Surroundings},
};
use crate::{
    clock::Clock,
    config::{Config, Source},
    metrics::Metrics,
};

/// What is known of a component.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// The file, as it was named.
    pub file: String,
    /// Of its bytes; the code cache and the verdict cache go by it.
    pub sha256: String,
    /// In bytes.
    pub size: usize,
    /// The contract that it was made for.
    pub contract: &'static str,
    /// The hooks that it exports.
    pub hooks: Vec<&'static str>,
    /// How a gateway calls it, if it loads it: `direct`, its core module itself; `component`, through the component model; `fiber`,
    /// so that it can wait.
    pub calls: Option<&'static str>,
    /// What it says of itself, if it has `lifecycle.describe`.
    pub manifest: Option<About>,
    /// What it asks for.
    pub asks: Vec<Ask>,
    /// The JSON Schema of its configuration, if it brings one.
    pub config_schema: Option<Value>,
    /// Why a gateway would not load it, whatever the configuration. Empty: it would.
    pub problems: Vec<String>,
}

/// What a plugin says of itself.
#[derive(Debug, Serialize)]
pub struct About {
    name: String,
    version: String,
    description: String,
}

/// One kind of things that a component may do, and by which imports.
#[derive(Debug, Serialize)]
pub struct Ask {
    what: &'static str,
    /// What the operator has to write into `grants`; None: every plugin has it.
    grant: Option<&'static str>,
    imports: Vec<String>,
}

/// Looks at a component's file. An error is what to say of the file: it is no component at all.
pub fn inspect(file: &Path) -> Result<Inspection, String> {
    let named = |why: String| format!("{} {why}", file.display());
    let binary = Binary::read(file).map_err(named)?;
    let config = configuration(file)?;
    let runtime = runtime().map_err(|error| format!("the Wasm engine: {error:#}"))?;
    let (component, shape) = code::load(&runtime.engine, &binary, &config.server).map_err(named)?;
    let types = component.component_type();
    let mut inspection = Inspection {
        file: file.display().to_string(),
        sha256: binary.digest.to_string(),
        size: binary.size(),
        contract: hooks::CONTRACT,
        hooks: Hooks::of(&component, false).names(),
        calls: None,
        manifest: None,
        asks: asks(types.imports(&runtime.engine).map(|(name, _)| name)),
        config_schema: None,
        problems: Vec::new(),
    };
    let around = Surroundings {
        server: &config.server,
        metrics: &Metrics::default(),
        clock: &Clock::default(),
        serving: None,
        stage: None,
    };
    let loaded = load::check_versions(&runtime.engine, &component, &config.plugins[0])
        .and_then(|()| load::assemble(runtime, &component, shape.as_ref(), &binary, &config.plugins[0], &around))
        .and_then(|plugin| Ok((plugin.calls(), plugin.manifest()?)));
    match loaded {
        Ok((calls, manifest)) => {
            inspection.calls = Some(calls);
            inspection.note(manifest);
        }
        Err(problems) => inspection.problems = problems.into_iter().map(|problem| problem.message).collect(),
    }
    Ok(inspection)
}

/// A configuration with this one plugin, for the defaults of all that is not said.
fn configuration(file: &Path) -> Result<Config, String> {
    let component = file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?;
    let component = Value::from(component.to_str().ok_or("the name of the file is not UTF-8")?);
    let text = format!(
        "[listeners.inspect]\naddress = \"127.0.0.1:0\"\n[upstreams.none]\nurl = \"http://127.0.0.1\"\n\
         [routes.none]\nupstream = \"none\"\n[plugins.inspected]\ncomponent = {component}\n"
    );
    Config::parse(Source::new("inspect.toml", &text)).map_err(|problems| problems.to_string())
}

impl Inspection {
    fn note(&mut self, manifest: Option<Manifest>) {
        let Some(Manifest { name, version, description, config_schema }) = manifest else { return };
        self.manifest = Some(About { name, version, description });
        match config_schema.map(|text| serde_json::from_str(&text)).transpose() {
            Ok(schema) => self.config_schema = schema,
            Err(error) => self.problems.push(format!("its configuration schema is no JSON: {error}")),
        }
    }
}

/// Imports by what they are for, in the order of [`what`]'s list.
fn asks<'a>(imports: impl Iterator<Item = &'a str>) -> Vec<Ask> {
    let mut asks: Vec<(usize, Ask)> = Vec::new();
    for import in imports {
        let (order, what) = what(import);
        let grant = load::grant_for(import);
        match asks.iter_mut().find(|(_, ask)| ask.what == what) {
            Some((_, ask)) => {
                ask.grant = ask.grant.or(grant);
                ask.imports.push(import.to_owned());
            }
            None => asks.push((order, Ask { what, grant, imports: vec![import.to_owned()] })),
        }
    }
    asks.sort_by_key(|(order, _)| *order);
    asks.into_iter().map(|(_, ask)| ask).collect()
}

fn what(import: &str) -> (usize, &'static str) {
    let kinds = [
        ("gatehouse:plugin/output", "lines of output"),
        ("gatehouse:plugin/log", "the log"),
        ("gatehouse:plugin/", "the exchange"),
        ("wasi:http/", "outbound HTTP"),
        ("wasi:keyvalue/", "key-value state"),
        ("wasi:clocks/", "clocks"),
        ("wasi:random/", "randomness"),
        ("wasi:cli/std", "standard output, as lines of the log"),
        ("wasi:cli/environment", "the environment, which is empty"),
        ("wasi:filesystem/", "files, of which there are none"),
        ("wasi:sockets/", "sockets, which are refused"),
        ("wasi:io/", "streams and waiting"),
        ("wasi:", "other parts of WASI"),
    ];
    let found = kinds.iter().enumerate().find(|(_, (prefix, _))| import.starts_with(prefix));
    found.map_or((kinds.len(), "what the gateway does not have"), |(order, (_, what))| (order, *what))
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.file)?;
        if let Some(About { name, version, description }) = &self.manifest {
            writeln!(f, "  plugin    {name} {version}: {description}")?;
        }
        writeln!(f, "  contract  {}", self.contract)?;
        writeln!(f, "  hooks     {}", if self.hooks.is_empty() { "none".to_owned() } else { self.hooks.join(", ") })?;
        if let Some(calls) = self.calls {
            writeln!(f, "  calls     {calls}")?;
        }
        writeln!(f, "  size      {} bytes", self.size)?;
        writeln!(f, "  sha256    {}", self.sha256)?;
        writeln!(f, "  asks for{}", if self.asks.is_empty() { " nothing" } else { "" })?;
        for Ask { what, grant, imports } in &self.asks {
            let grant = grant.map(|grant| format!(": needs `{grant}` in its `grants`")).unwrap_or_default();
            writeln!(f, "    {what}{grant}\n      {}", imports.join(", "))?;
        }
        if let Some(schema) = &self.config_schema {
            let text = format!("{schema:#}").replace('\n', "\n    ");
            writeln!(f, "  configuration (JSON Schema)\n    {text}")?;
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "  PROBLEM   {problem}"))
    }
}

impl Plugin {
    /// How its hooks are called, until one has run long.
    fn calls(&self) -> &'static str {
        let recipe = self.recipe();
        match (recipe.fiber, recipe.direct) {
            (true, _) => "fiber",
            (false, Some(_)) => "direct",
            (false, None) => "component",
        }
    }

    /// What it says of itself, by an instance made for that.
    fn manifest(&self) -> Result<Option<Manifest>, Vec<load::Unloadable>> {
        self.in_a_runtime(self.describe())
    }
}
