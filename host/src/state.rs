//! How quotas stand, kept over a restart: a small file of text in `server.state`, written aside by a thread of its own every
//! few seconds, when something has changed, and once at the end.
//!
//! What a process that was killed has counted since is lost, which is a few seconds. Keys are in it as digests only.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{file, panics, quota::Quota, server::Gateway};

/// So long what is new stays in memory only.
const EVERY: Duration = Duration::from_secs(3);

/// The largest file that is read again.
const MOST: u64 = 256 << 20;

/// The first line: what comes in another form is not read.
const FORM: &str = "gatehouse quotas 1";

/// The folder, which is this process's alone.
pub(crate) struct State {
    file: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

/// The thread that writes. It ends, and writes for the last time, when this is dropped.
pub(crate) struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl State {
    /// Takes a folder, which is made if it is not there.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = OpenOptions::new().create(true).append(true).open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { file: folder.join("quotas"), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("another gateway has it")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Lets quotas go on where they were. What cannot be read is left out, and told.
    pub(crate) fn restore<'q>(&self, quotas: impl Iterator<Item = &'q Arc<Quota>>) {
        if !self.file.exists() {
            return;
        }
        let text = file::read(&self.file, MOST).and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
        let restored =
            text.map_err(|error| error.to_string()).and_then(|text| restore(&text, &quotas.collect::<Vec<_>>()));
        if let Err(why) = restored {
            tracing::warn!("{}: {why}; quotas begin anew", self.file.display());
        }
    }

    fn write<'q>(&self, quotas: impl Iterator<Item = &'q Arc<Quota>>) -> io::Result<()> {
        let aside = self.file.with_extension("new");
        let mut out = io::BufWriter::new(File::create(&aside)?);
        writeln!(out, "{FORM}")?;
        for quota in quotas {
            writeln!(out, "quota {}", quota.identity())?;
            for (digest, start, count) in quota.counts() {
                writeln!(out, "{digest:032x} {start} {count}")?;
            }
        }
        out.into_inner()?.sync_data()?;
        fs::rename(&aside, &self.file)
    }
}

fn restore(text: &str, quotas: &[&Arc<Quota>]) -> Result<(), String> {
    let mut lines = (1..).zip(text.lines());
    if lines.next().map(|(_, line)| line) != Some(FORM) {
        return Err(format!("it does not begin with `{FORM}`"));
    }
    let mut counts = Vec::new();
    let mut quota = None;
    for (number, line) in lines {
        if let Some(identity) = line.strip_prefix("quota ") {
            quota = quotas.iter().find(|quota| quota.identity() == identity);
            continue;
        }
        let mut words = line.split(' ');
        let digest = words.next().and_then(|word| u128::from_str_radix(word, 16).ok());
        let mut number_of = || words.next().and_then(|word| word.parse::<u64>().ok());
        let (Some(digest), Some(start), Some(count)) = (digest, number_of(), number_of()) else {
            return Err(format!("line {number} is none of ours"));
        };
        counts.extend(quota.map(|quota| (quota, digest, start, count)));
    }
    counts.into_iter().for_each(|(quota, digest, start, count)| quota.restore(digest, start, count));
    Ok(())
}

impl Keeper {
    /// Begins to keep what a gateway counts.
    pub(crate) fn start(state: State, gateway: Arc<Gateway>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let keep = move || keep(&state, &gateway, &stopped);
        let thread = thread::Builder::new().name("state".into()).spawn(keep)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if let Some(Err(_)) = ended {
            tracing::error!("the thread that keeps quotas panicked");
        }
    }
}

fn keep(state: &State, gateway: &Gateway, stopped: &Receiver<()>) {
    let mut failing = false;
    loop {
        let ends = stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
        let snapshot = gateway.snapshot();
        // All are asked: what has changed is not told twice.
        let changed = snapshot.quotas().filter(|quota| quota.has_changed()).count() > 0;
        if changed {
            let written = panics::catch(|| state.write(snapshot.quotas()));
            let failed = match written {
                Ok(written) => written.err().map(|error| error.to_string()),
                Err(panicked) => Some(panicked.to_string()),
            };
            if let Some(why) = &failed {
                snapshot.quotas().for_each(|quota| quota.was_not_kept());
                if !failing {
                    tracing::warn!("how quotas stand cannot be kept in {}: {why}", state.file.display());
                }
            }
            failing = failed.is_some();
        }
        if ends {
            return;
        }
    }
}
