//! From `[plugins.NAME]` to a plugin that is ready to be called: read, compiled, its imports held against its grants,
//! its configuration against its schema, one instance made and initialized. Nothing serves before all of it went well.

use std::{
    sync::{Arc, Mutex, atomic::AtomicUsize},
    time::Duration,
};

use tokio::sync::{Notify, Semaphore};
use wasmtime::{
    Engine, Store,
    component::{Component, InstancePre},
};

use super::{
    Plugin,
    bindings::lifecycle::Manifest,
    code::{self, Binary},
    direct::{Direct, MODULE, Shape},
    engine::{Runtime, runtime},
    hooks::{self, Hooks},
    instance::{Instance, Recipe},
    rest::Rest,
    shared::Shared,
    stage::Stage,
    state::State,
    ticker::Running,
};
use crate::{
    clock::Clock,
    config::{self, Output},
    lines::Lines,
    metrics::Metrics,
    verdict::VerdictCache,
};

/// With more of `limits.cpu`, calls are always made on a fiber: one that was always short may run that long at any time, and
/// a plain call leaves its worker to nobody.
const PLAIN: Duration = Duration::from_millis(50);

/// A reason why a plugin cannot be loaded, with where in `[plugins.NAME]` it is.
#[derive(Debug)]
pub(crate) struct Unloadable {
    /// Keys below `plugins.NAME`.
    pub(crate) at: Vec<String>,
    pub(crate) message: String,
}

fn unloadable(at: &[&str], message: impl Into<String>) -> Vec<Unloadable> {
    vec![Unloadable { at: at.iter().map(|&key| key.to_owned()).collect(), message: message.into() }]
}

/// What loading needs beside the plugin's own configuration.
pub(crate) struct Surroundings<'a> {
    pub(crate) server: &'a config::Server,
    pub(crate) metrics: &'a Metrics,
    pub(crate) clock: &'a Clock,
    /// The plugin of that name that serves now: taken over as it is when nothing about it has changed.
    pub(crate) serving: Option<Arc<Plugin>>,
    /// The double of the world outside, for a plugin that is tried on its own.
    pub(crate) stage: Option<Arc<Stage>>,
}

impl Plugin {
    /// Loads a plugin. Takes as long as compiling does: never called on a worker.
    pub(crate) fn load(config: &config::Plugin, around: &Surroundings<'_>) -> Result<Arc<Self>, Vec<Unloadable>> {
        let file = config.component.display();
        let binary =
            Binary::read(&config.component).map_err(|why| unloadable(&["component"], format!("{file} {why}")))?;
        if let Some(serving) = &around.serving
            && serving.is_same(config, &binary)
        {
            return Ok(serving.clone());
        }
        let runtime = runtime().map_err(|error| unloadable(&[], format!("the Wasm engine: {error:#}")))?;
        let (component, shape) = code::load(&runtime.engine, &binary, around.server)
            .map_err(|why| unloadable(&["component"], format!("{file} {why}")))?;
        check_versions(&runtime.engine, &component, config)?;
        check_imports(&runtime.engine, &component, config)?;
        let plugin = assemble(runtime, &component, shape.as_ref(), &binary, config, around)?;
        plugin.try_out().map_err(|mut problems| {
            problems
                .iter_mut()
                .filter(|p| p.at == ["component"])
                .for_each(|p| p.message = format!("{file} {}", p.message));
            problems
        })?;
        Ok(Arc::new(plugin))
    }

    fn is_same(&self, config: &config::Plugin, binary: &Binary) -> bool {
        let old = &self.config;
        self.digest == binary.digest
            && old.config == config.config
            && old.grants == config.grants
            && old.limits == config.limits
            && old.isolation == config.isolation
            && old.cache == config.cache
            && old.on_failure == config.on_failure
    }
}

/// What a component takes from our contract and gives to it must be of our version.
pub(super) fn check_versions(
    engine: &Engine,
    component: &Component,
    config: &config::Plugin,
) -> Result<(), Vec<Unloadable>> {
    let types = component.component_type();
    let imports = types.imports(engine).map(|(name, _)| ("imports", name));
    let exports = types.exports(engine).map(|(name, _)| ("exports", name));
    match imports.chain(exports).find(|&(how, name)| hooks::is_foreign(name, how == "exports")) {
        None => Ok(()),
        Some((how, name)) => {
            let file = config.component.display();
            Err(unloadable(
                &["component"],
                format!("{file} {how} `{name}`: this gateway has gatehouse:plugin@0.1.0, and not that"),
            ))
        }
    }
}

/// Lines of `grants`, as an operator may write them.
const HTTP: &str = "http = [\"https://...\"]";
const KEYVALUE: &str = "keyvalue = true";
const OUTPUT: &str = "output = \"stdout\"";

/// The grant that an import needs; None: it is of the base that all plugins get, or not there at all.
pub(super) fn grant_for(import: &str) -> Option<&'static str> {
    match import.split('@').next().unwrap_or(import) {
        "wasi:http/outgoing-handler" => Some(HTTP),
        "wasi:keyvalue/store" | "wasi:keyvalue/atomics" => Some(KEYVALUE),
        "gatehouse:plugin/output" => Some(OUTPUT),
        _ => None,
    }
}

/// Every import is either the base that all plugins get, or needs a grant.
fn check_imports(engine: &Engine, component: &Component, config: &config::Plugin) -> Result<(), Vec<Unloadable>> {
    let mut problems = Vec::new();
    let grants = &config.grants;
    let granted = [(HTTP, !grants.http.is_empty()), (KEYVALUE, grants.keyvalue), (OUTPUT, grants.output.is_some())];
    for (name, _) in component.component_type().imports(engine) {
        let missing = grant_for(name).filter(|grant| granted.contains(&(*grant, false)));
        if let Some(grant) = missing {
            let message = format!("the plugin imports `{name}`, which is not granted: add `{grant}` to its `grants`");
            problems.extend(unloadable(&["grants"], message));
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}

pub(super) fn assemble(
    runtime: &Runtime,
    component: &Component,
    shape: Option<&Shape>,
    binary: &Binary,
    config: &config::Plugin,
    around: &Surroundings<'_>,
) -> Result<Plugin, Vec<Unloadable>> {
    let pre = runtime.linker.instantiate_pre(component).map_err(|error| {
        unloadable(
            &["component"],
            format!("{} asks for what the gateway does not have: {error:#}", config.component.display()),
        )
    })?;
    let types = component.component_type();
    let wasi = types
        .imports(&runtime.engine)
        .any(|(name, _)| name.starts_with("wasi:") && !name.starts_with("wasi:keyvalue/"));
    let hooks = Hooks::of(component, wasi);
    if !hooks.any() {
        let exports: Vec<String> = types.exports(&runtime.engine).map(|(name, _)| format!("`{name}`")).collect();
        let found = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        let message = format!(
            "{} exports no hook of gatehouse:plugin@0.1.0 (authorizer, request-filter, response-filter, logger, ...), but {found}",
            config.component.display()
        );
        return Err(unloadable(&["component"], message));
    }
    if hooks.has_both_body_modes() {
        return Err(unloadable(
            &["component"],
            "exports a body filter and a chunk filter for one direction: one of them is possible",
        ));
    }
    let output = open_output(config)?;
    let shared = Shared::new(config, output, around);
    let cache = hooks.is_authorizer().then(|| VerdictCache::new(&config.cache, around.clock.clone())).flatten();
    let permits = Arc::new(Semaphore::new(config.limits.instances));
    let (fiber, direct) = ways(&pre, &hooks, &shared, shape);
    tracing::debug!(plugin = config.name, fiber, direct = direct.is_some(), "how it is called");
    Ok(Plugin {
        _alive: around.metrics.plugin_alive(&config.name, &permits, config.limits.instances),
        digest: binary.digest,
        fiber,
        direct,
        pre,
        hooks,
        config_json: config.config.to_string(),
        permits,
        pools: (0..around.server.workers).map(|_| Mutex::default()).collect(),
        waiting: AtomicUsize::new(0),
        returned: Notify::new(),
        cache,
        rest: Rest::default(),
        shared,
        config: config.clone(),
    })
}

fn open_output(config: &config::Plugin) -> Result<Option<Lines>, Vec<Unloadable>> {
    Ok(match &config.grants.output {
        None => None,
        Some(Output::Stdout) => Some(Lines::stdout()),
        Some(Output::Stderr) => Some(Lines::stderr()),
        Some(Output::File(path)) => Some(Lines::file(path).map_err(|error| {
            unloadable(&["grants", "output"], format!("{} cannot be opened: {error}", path.display()))
        })?),
    })
}

/// How a component may be called: whether it must be on a fiber, and the way to its core module, if there is one.
///
/// wasmtime refuses a plain call into a component with an asynchronous import, and has no question for it but the try.
fn ways(
    pre: &InstancePre<State>,
    hooks: &Hooks,
    shared: &Arc<Shared>,
    shape: Option<&Shape>,
) -> (bool, Option<Direct>) {
    let mut store = Store::new(pre.engine(), State::new(shared.clone(), hooks.wasi));
    store.limiter(|state| state);
    store.epoch_deadline_trap();
    let _running = Running::new();
    store.set_epoch_deadline(shared.limits.init.as_millis() as u64 + 1);
    let Ok(instance) = pre.instantiate(&mut store) else { return (true, None) };
    let direct = shape.and_then(|shape| {
        // Functions of other types than the contract's are refused when an instance of the component is made.
        hooks.functions(&mut store, &instance).ok()?;
        hooks.init(&mut store, &instance).ok()?;
        Direct::to(&instance.get_module(&mut store, MODULE)?, shape)
    });
    (false, direct)
}

impl Plugin {
    /// Makes one instance as a request would, so that what cannot work is known before anything serves.
    pub(super) fn try_out(&self) -> Result<(), Vec<Unloadable>> {
        self.in_a_runtime(async {
            match self.describe().await? {
                Some(manifest) => check_schema(&manifest, &self.config.config)?,
                None if !self.hooks.has_lifecycle() && !is_empty(&self.config.config) => {
                    return Err(unloadable(
                        &["config"],
                        "this plugin takes no configuration: it exports no `lifecycle`",
                    ));
                }
                None => {}
            }
            let instance = Instance::start(self.recipe(), None).await;
            instance.map(drop).map_err(|fault| unloadable(&["config"], fault.to_string()))
        })
    }

    /// What the plugin says of itself, by an instance made for that.
    pub(super) async fn describe(&self) -> Result<Option<Manifest>, Vec<Unloadable>> {
        Instance::describe(self.recipe()).await.map_err(|fault| unloadable(&["component"], fault.to_string()))
    }

    /// On a thread of its own: whoever loads may be inside a runtime, in which another cannot be entered.
    pub(super) fn in_a_runtime<T: Send>(
        &self,
        tries: impl Future<Output = Result<T, Vec<Unloadable>>> + Send,
    ) -> Result<T, Vec<Unloadable>> {
        let try_out = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| unloadable(&[], format!("no runtime to try the plugin in: {error}")))?;
            runtime.block_on(tries)
        };
        std::thread::scope(|scope| {
            let tried = scope.spawn(try_out).join();
            tried.unwrap_or_else(|_| Err(unloadable(&[], "the gateway failed while trying the plugin")))
        })
    }

    pub(super) fn recipe(&self) -> Recipe<'_> {
        let fiber = self.fiber || self.config.limits.cpu > PLAIN;
        Recipe {
            pre: &self.pre,
            // Long calls are made on fibers.
            direct: self.direct.as_ref().filter(|_| !fiber && !self.shared.calls.is_long()),
            hooks: &self.hooks,
            shared: &self.shared,
            config: &self.config_json,
            fiber,
        }
    }
}

fn is_empty(config: &serde_json::Value) -> bool {
    config.as_object().is_none_or(serde_json::Map::is_empty)
}

/// Holds the configuration against the schema that the plugin brings.
fn check_schema(manifest: &Manifest, config: &serde_json::Value) -> Result<(), Vec<Unloadable>> {
    let Some(text) = &manifest.config_schema else { return Ok(()) };
    let broken =
        |why: String| unloadable(&["component"], format!("brings a configuration schema that is not usable: {why}"));
    let schema: serde_json::Value = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    let validator = jsonschema::validator_for(&schema).map_err(|error| broken(error.to_string()))?;
    let problems: Vec<Unloadable> = validator
        .iter_errors(config)
        .map(|error| {
            let pointer = error.instance_path().to_string();
            let keys = pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"));
            Unloadable { at: std::iter::once("config".to_owned()).chain(keys).collect(), message: error.to_string() }
        })
        .collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}
