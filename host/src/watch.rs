//! Hot load: the configuration and the components are watched; a change is loaded and, if good, served.
//!
//! A file counts as changed when its writer has closed it or it was moved into place, so half a file is never read. A
//! file that is broken all the same is refused by the loader, and the old state serves on.

use std::{
    collections::HashSet,
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};

use crate::{panics, server::Gateway};

/// So long must it be quiet: several files are often replaced together.
const QUIET: Duration = Duration::from_millis(50);

/// But no longer than this from the first change.
const LONGEST: Duration = Duration::from_secs(2);

/// A watcher at work.
pub struct Watch(Sender<Word>);

/// What it is told.
enum Word {
    Changed(Event),
    Load,
}

impl Watch {
    /// Lets it load now, and watch the folders that are there now: one that was replaced is another.
    pub fn load(&self) {
        // The receiver lives as long as the process.
        let _ = self.0.send(Word::Load);
    }
}

/// Watches for as long as the process lives.
pub fn start(gateway: Arc<Gateway>) -> notify::Result<Watch> {
    let (sender, words) = channel();
    let watch = Watch(sender.clone());
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if let Ok(event) = event {
            // As above.
            let _ = sender.send(Word::Changed(event));
        }
    })?;
    let mut watched = Watched::default();
    watched.update(&mut watcher, &gateway)?;
    let mut next = move || {
        let Some(why) = wait_for_reason(&words, &watched) else { return false };
        if why == Reason::Told {
            watched.forget_all(&mut watcher);
            watched.update_or_warn(&mut watcher, &gateway);
        }
        reload(&gateway);
        watched.update_or_warn(&mut watcher, &gateway);
        true
    };
    // What a panic has left undone, the next change does.
    let run = move || while panics::catch(&mut next).unwrap_or_else(went_wrong) {};
    thread::Builder::new().name("watch".into()).spawn(run).map_err(notify::Error::io)?;
    Ok(watch)
}

/// Whoever panicked goes on watching.
fn went_wrong(panicked: panics::Panicked) -> bool {
    tracing::error!("the watcher {panicked}");
    true
}

/// Reloads and says in the log what came of it.
pub fn reload(gateway: &Gateway) {
    let started = gateway.now();
    match gateway.reload() {
        Ok(generation) => {
            tracing::info!(generation, "loaded the configuration in {:?}", gateway.now().saturating_sub(started))
        }
        Err(problems) => {
            let generation = gateway.snapshot().generation;
            tracing::error!(
                generation,
                "the new configuration is not loaded, generation {generation} serves on:\n{problems}"
            );
        }
    }
}

/// The files of the configuration, and the folders they are in: a file that is replaced by renaming is a new file, so
/// folders are what can be watched.
#[derive(Default)]
struct Watched {
    files: HashSet<PathBuf>,
    folders: HashSet<PathBuf>,
}

impl Watched {
    fn update(&mut self, watcher: &mut RecommendedWatcher, gateway: &Gateway) -> notify::Result<()> {
        self.files = gateway.files().iter().filter_map(|file| std::path::absolute(file).ok()).collect();
        let folders: HashSet<PathBuf> =
            self.files.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
        for gone in self.folders.difference(&folders) {
            // It may be gone altogether.
            let _ = watcher.unwatch(gone);
        }
        // One that cannot be watched is tried again after the next load, and keeps no other from being watched.
        let mut failed = HashSet::new();
        let mut result = Ok(());
        for new in folders.difference(&self.folders) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                failed.insert(new.clone());
                result = Err(error);
            }
        }
        self.folders = &folders - &failed;
        result
    }

    fn update_or_warn(&mut self, watcher: &mut RecommendedWatcher, gateway: &Gateway) {
        if let Err(error) = self.update(watcher, gateway) {
            tracing::warn!("cannot watch for changes: {error}");
        }
    }

    fn forget_all(&mut self, watcher: &mut RecommendedWatcher) {
        for folder in self.folders.drain() {
            // It may be gone altogether.
            let _ = watcher.unwatch(&folder);
        }
    }

    fn concerns(&self, event: &Event) -> bool {
        let settled = matches!(
            event.kind,
            EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Modify(ModifyKind::Name(_))
                | EventKind::Remove(_)
        );
        // Kubernetes replaces a mounted folder's files by moving the link `..data`.
        let ours = |path: &PathBuf| self.files.contains(path) || path.file_name() == Some(OsStr::new("..data"));
        settled && event.paths.iter().any(ours)
    }
}

/// Why it is time to load.
#[derive(PartialEq)]
enum Reason {
    Changed,
    Told,
}

/// Waits until something has changed and it is quiet again, or until it is told. None: nobody watches any more.
fn wait_for_reason(words: &Receiver<Word>, watched: &Watched) -> Option<Reason> {
    loop {
        match words.recv() {
            Ok(Word::Changed(event)) if watched.concerns(&event) => break,
            Ok(Word::Changed(_)) => {}
            Ok(Word::Load) => return Some(Reason::Told),
            Err(_) => return None,
        }
    }
    let end = Instant::now() + LONGEST;
    let mut quiet_at = Instant::now() + QUIET;
    loop {
        let left = quiet_at.min(end).saturating_duration_since(Instant::now());
        match words.recv_timeout(left) {
            Ok(Word::Changed(event)) if watched.concerns(&event) => quiet_at = Instant::now() + QUIET,
            Ok(Word::Changed(_)) => {}
            Ok(Word::Load) => return Some(Reason::Told),
            Err(RecvTimeoutError::Timeout) => return Some(Reason::Changed),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}
