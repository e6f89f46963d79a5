//! Seeing that files change: those of a plugin's folder that people write, and others by name.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use anyhow::Context as _;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// So long must it be quiet: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// What toolchains write, and nobody else.
const NOT_SOURCES: [&str; 5] = ["build", "target", "node_modules", "__pycache__", ".git"];

/// A watcher at work.
pub(super) struct Watching {
    /// Whatever changes around.
    changes: Receiver<PathBuf>,
    watcher: RecommendedWatcher,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Watching {
    /// Watches the sources in folders, and files. All are absolute.
    pub(super) fn of(folders: &[PathBuf], files: &[PathBuf]) -> anyhow::Result<Self> {
        let (sender, changes) = channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let Ok(event) = event else { return };
            if !matches!(event.kind, EventKind::Access(_)) {
                // Who waits for it lives as long as the watcher does.
                event.paths.into_iter().for_each(|path| _ = sender.send(path));
            }
        })?;
        let mut watching = Self { changes, watcher, folders: Vec::new(), files: files.to_vec() };
        watching.follow(folders)?;
        // A file that is replaced is another one: its folder is watched.
        let around: HashSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
        for folder in around.into_iter().filter(|around| !folders.iter().any(|folder| folder == around)) {
            watching.watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(watching)
    }

    /// From here on the folders are these. What has changed and was not waited for yet is not lost.
    pub(super) fn follow(&mut self, folders: &[PathBuf]) -> anyhow::Result<()> {
        for folder in folders.iter().filter(|folder| !self.folders.contains(folder)) {
            self.watcher.watch(folder, RecursiveMode::Recursive)?;
        }
        self.folders = folders.to_vec();
        Ok(())
    }

    /// Waits until something has changed and it is quiet again. None: nobody watches any more.
    pub(super) fn next(&self) -> Option<HashSet<PathBuf>> {
        let mut changed = HashSet::new();
        while changed.is_empty() {
            changed.extend(Some(self.changes.recv().ok()?).filter(|path| self.concerns(path)));
        }
        while let Ok(path) = self.changes.recv_timeout(QUIET) {
            changed.extend(Some(path).filter(|path| self.concerns(path)));
        }
        Some(changed)
    }

    fn concerns(&self, path: &PathBuf) -> bool {
        self.files.contains(path) || self.folders.iter().any(|folder| is_source(folder, path))
    }
}

/// As the watcher names it.
pub(super) fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    let named = path.canonicalize().or_else(|_| std::path::absolute(path));
    named.with_context(|| format!("naming {}", path.display()))
}

/// Whether people write it. What is built in the folder must not let it be built again.
pub(super) fn is_source(folder: &Path, path: &Path) -> bool {
    let Ok(inner) = path.strip_prefix(folder) else { return false };
    let built = inner.components().any(|part| NOT_SOURCES.iter().any(|name| part.as_os_str() == *name));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !built && !name.ends_with(".wasm") && !name.ends_with(".wasm.new") && name != "Cargo.lock" && !name.ends_with('~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_no_source() {
        let is = |path: &str| is_source(Path::new("/p"), Path::new(path));
        assert!(is("/p/plugin.js") && is("/p/src/lib.rs") && is("/p/cases.toml"));
        assert!(!is("/p/gate.wasm") && !is("/p/gate.wasm.new") && !is("/p/build/x.js") && !is("/p/target/a/b"));
        assert!(!is("/q/plugin.js") && !is("/p/node_modules/x/index.js"));
    }
}
