//! The folder where tools are kept that the kit fetches: each by a lock file of its own, by its ecosystem's own installer.

use std::{
    env,
    fs::{self, File},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};

use crate::Missing;

/// Names the folder for tools, in the place of the default.
const VARIABLE: &str = "GATEHOUSE_TOOLS";

/// Where tools are kept.
#[derive(Debug, Clone)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// In that folder.
    pub fn within(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// In `$GATEHOUSE_TOOLS`, else in the user's folder of caches.
    pub fn of_user() -> Result<Self> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let caches = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        let folder = set(VARIABLE).or_else(|| Some(caches()?.join("gatehouse/tools")));
        folder.map(Self::within).with_context(|| format!("there is no HOME: say in {VARIABLE} where tools may be kept"))
    }

    /// A folder of tools that `fill` fills once for all builds with the same `lock`, the text that pins their versions.
    pub(crate) fn fetched(&self, name: &str, lock: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let mut hasher = DefaultHasher::new();
        lock.hash(&mut hasher);
        let folder = self.folder.join(format!("{name}-{:016x}", hasher.finish()));
        let complete = folder.join("complete");
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        // Held until this returns: two builds at once fetch once.
        let lock = File::create(folder.join("lock")).context("making a lock for the tools")?;
        lock.lock().context("waiting for another build to fetch the tools")?;
        if !complete.exists() {
            eprintln!("fetching the tools for {name} (once, to {}) ...", folder.display());
            let start = Instant::now();
            fill(&folder).with_context(|| format!("fetching the tools for {name}"))?;
            fs::write(&complete, "").context("noting that the tools are there")?;
            eprintln!("fetched in {:.0} s", start.elapsed().as_secs_f32());
        }
        folder.canonicalize().context("naming the folder of the tools")
    }
}

/// A program by its name on the `PATH`, or what to install.
pub(crate) fn program(name: &str, missing: impl FnOnce() -> Missing) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    Ok(found.ok_or_else(missing)?)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn tools_are_fetched_once_a_lock_and_again_after_a_failure() {
        let folder = tempfile::tempdir().expect("a folder");
        let (tools, times) = (Tools::within(folder.path()), Cell::new(0));
        let fill = |well: bool| {
            let times = &times;
            move |_: &Path| {
                times.set(times.get() + 1);
                if well { Ok(()) } else { anyhow::bail!("no network") }
            }
        };
        assert!(tools.fetched("x", "1", fill(false)).is_err());
        let first = tools.fetched("x", "1", fill(true)).expect("filled");
        assert_eq!(tools.fetched("x", "1", fill(true)).expect("kept"), first);
        assert_ne!(tools.fetched("x", "2", fill(true)).expect("filled"), first);
        assert_eq!(times.get(), 3);
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_its_package() {
        let missing = || Missing {
            purpose: "building X",
            what: "xc".to_owned(),
            packages: &["xc-dev"],
            elsewhere: "from its makers",
        };
        let error = program("no-such-program", missing).expect_err("not there").to_string();
        assert_eq!(error, "building X needs xc: on Debian `apt-get install xc-dev`, or get it from its makers");
        assert!(program("sh", missing).is_ok());
    }
}
