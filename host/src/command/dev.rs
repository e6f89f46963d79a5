//! `gatehouse dev`: a gateway whose plugins are built again whenever their sources are saved. That a component is new, the
//! gateway sees by itself, as always.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Instant,
};

use anyhow::Context as _;
use gatehouse::{config::Config, logs, server::Gateway, watch};
use gatehouse_kit::Project;

use super::{
    plugin, serve,
    watching::{self, Watching},
};

/// Serves, and builds.
pub(crate) fn run(file: &Path, stage: Option<&str>) -> anyhow::Result<()> {
    let config = Config::load_stage(file, stage)?;
    logs::start_for_author();
    let mut builder = Builder::new(watching::absolute(file)?, &config)?;
    if builder.sources.is_empty() {
        tracing::warn!("no plugin of this configuration has a `source` to be built from");
    }
    builder.sources.iter().for_each(Source::build);
    builder.wait_for_all()?;
    // It may have changed meanwhile.
    serve::serve(Config::load_stage(file, stage)?, true, move |gateway| {
        let gateway = gateway.clone();
        thread::spawn(move || {
            if let Err(error) = builder.go_on(&gateway) {
                tracing::error!("sources are not watched any more: {error:#}");
            }
        });
    })
}

/// A plugin that is built here.
#[derive(Clone, PartialEq)]
struct Source {
    /// The plugin's name in the configuration.
    name: String,
    /// Absolute.
    folder: PathBuf,
    component: PathBuf,
}

/// The plugins of a configuration that have one.
fn sources(config: &Config) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for plugin in &config.plugins {
        let beside = plugin.component.parent().filter(|folder| makes(folder, &plugin.component));
        let Some(folder) = plugin.source.as_deref().or(beside) else { continue };
        Project::read(folder).with_context(|| format!("the source of plugin `{}`", plugin.name))?;
        let (name, component) = (plugin.name.clone(), plugin.component.clone());
        sources.push(Source { name, folder: watching::absolute(folder)?, component });
    }
    Ok(sources)
}

/// Whether a build of the folder, if it is a plugin's, makes this component.
fn makes(folder: &Path, component: &Path) -> bool {
    Project::read(folder).is_ok_and(|project| component.file_stem().is_some_and(|stem| stem == project.name.as_str()))
}

impl Source {
    /// Builds it and says what came of that.
    fn build(&self) {
        let (started, plugin) = (Instant::now(), self.name.as_str());
        match plugin::build(&self.folder, Some(self.component.clone()), true) {
            Ok(_) => tracing::info!(plugin, "built in {:.1} s", started.elapsed().as_secs_f32()),
            Err(error) => tracing::error!(plugin, "is not built, the old component stays:\n{error:#}"),
        }
    }

    fn concerns(&self, path: &Path) -> bool {
        watching::is_source(&self.folder, path)
    }
}

/// Builds what changes.
struct Builder {
    /// The configuration's, absolute.
    file: PathBuf,
    stage: Option<String>,
    sources: Vec<Source>,
    /// Begins before anything is built or served, so that no change is missed.
    watching: Watching,
}

impl Builder {
    fn new(file: PathBuf, config: &Config) -> anyhow::Result<Self> {
        let sources = sources(config)?;
        let watching = Watching::of(&folders(&sources), std::slice::from_ref(&file))?;
        let stage = config.source.stage.as_deref().map(str::to_owned);
        Ok(Self { file, stage, sources, watching })
    }

    /// A gateway cannot begin without the components.
    fn wait_for_all(&mut self) -> anyhow::Result<()> {
        while let Some(missing) = self.sources.iter().find(|source| !source.component.exists()) {
            tracing::warn!(plugin = missing.name, "has no component yet: waiting for a source that builds");
            if self.next()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Builds what changes, as the configuration is by then.
    fn go_on(&mut self, gateway: &Arc<Gateway>) -> anyhow::Result<()> {
        while let Some(others) = self.next()? {
            if others {
                // The gateway may have looked for components that were not there yet.
                watch::reload(gateway);
            }
        }
        Ok(())
    }

    /// Waits for a change and builds what it concerns. Whether the configuration has other sources now; none when nobody
    /// watches any more.
    fn next(&mut self) -> anyhow::Result<Option<bool>> {
        let Some(changed) = self.watching.next() else { return Ok(None) };
        let concerned = |source: &&Source| changed.iter().any(|path| source.concerns(path));
        self.sources.iter().filter(concerned).for_each(Source::build);
        // A configuration that is broken is shown by the gateway's own watcher.
        let now =
            changed.contains(&self.file).then(|| sources(&Config::load_stage(&self.file, self.stage.as_deref())?));
        let Some(Ok(now)) = now.filter(|now| now.as_ref().is_ok_and(|now| *now != self.sources)) else {
            return Ok(Some(false));
        };
        self.watching.follow(&folders(&now))?;
        now.iter().filter(|source| !self.sources.contains(source)).for_each(Source::build);
        self.sources = now;
        Ok(Some(true))
    }
}

fn folders(sources: &[Source]) -> Vec<PathBuf> {
    sources.iter().map(|source| source.folder.clone()).collect()
}
