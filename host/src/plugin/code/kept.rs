//! Compiled code on disk, authenticated: a file that was changed in any bit, or put in another's place, is compiled
//! anew, never loaded, since loading code means running it.
//!
//! Each file is the HMAC-SHA256 of its name and its code, and then the code. The key is random, in the same folder, for
//! the gateway's own user only. Whoever can read it, and write beside it, is that user, and has no need for it.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The file with the key.
const KEY: &str = "key";

/// The most that a folder's code may be, in bytes: some thousand components, or forty of Python.
const MOST: u64 = 2 << 30;

/// How the names of files end that are being written.
const HALF: &str = "half";

type Key = [u8; 32];

/// Length of what precedes the code.
const TAG: usize = 32;

/// The code kept under a name, if it is as it was kept.
pub(super) fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    ours(folder, 0o022)?;
    let file = folder.join(name);
    ours(&file, 0o022).filter(fs::Metadata::is_file)?;
    let kept = fs::read(&file).ok()?;
    let code = key(folder).and_then(|key| opened(&key, name, kept));
    match &code {
        // Its time says when it was used last.
        Some(_) => _ = fs::File::open(&file).and_then(|file| file.set_modified(SystemTime::now())),
        None => tracing::warn!("{} is not as it was kept, and will be compiled anew", file.display()),
    }
    code
}

/// Keeps code under a name. Written beside and renamed, so that a reader never sees half a file.
pub(super) fn write(folder: &Path, name: &str, code: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let key = key(folder).map_or_else(|| new_key(folder), Ok)?;
    let mut file = tag(&key, name, code).finalize().into_bytes().to_vec();
    file.extend_from_slice(code);
    let (whole, half) = (folder.join(name), half(&folder.join(name)));
    let written = write_new(&half, &file).and_then(|_writing| fs::rename(&half, whole));
    if written.is_err() {
        // A full disk is not to stay full for that.
        let _ = fs::remove_file(half);
    }
    sweep(folder);
    forget(folder);
    written
}

/// Takes away code that was not used for the longest time, until the rest is no more than a folder may have.
fn forget(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let code = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "cwasm"));
    let mut files: Vec<_> = code
        .filter_map(|entry| entry.metadata().ok().map(|meta| (meta.modified().ok(), meta.len(), entry.path())))
        .collect();
    files.sort();
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (_, size, file) in files {
        if total <= MOST {
            break;
        }
        total -= size;
        let _ = fs::remove_file(file);
    }
}

/// Takes away what a process that was killed while it wrote has left. Whoever still writes has its file locked.
fn sweep(folder: &Path) {
    let files = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for half in files.filter(|file| file.extension().is_some_and(|extension| extension == HALF)) {
        // Without `write`, nobody's file is changed by a look at it.
        if fs::File::open(&half).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(half);
        }
    }
}

fn key(folder: &Path) -> Option<Key> {
    let file = folder.join(KEY);
    ours(&file, 0o077).filter(fs::Metadata::is_file)?;
    fs::read(file).ok()?.try_into().ok()
}

/// Makes a key, unless another gateway has just made one. What was kept under an unusable one is compiled anew.
fn new_key(folder: &Path) -> io::Result<Key> {
    let mut random = Key::default();
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let (file, half) = (folder.join(KEY), half(&folder.join(KEY)));
    if file.exists() && key(folder).is_none() {
        fs::remove_file(&file)?;
    }
    let _writing = write_new(&half, &random)?;
    let made = fs::hard_link(&half, &file);
    fs::remove_file(half)?;
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => key(folder).ok_or_else(|| io::Error::other("its key cannot be read")),
    }
}

fn tag(key: &Key, name: &str, code: &[u8]) -> Hmac<Sha256> {
    let mut tag = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    tag.update(&(name.len() as u64).to_le_bytes());
    tag.update(name.as_bytes());
    tag.update(code);
    tag
}

fn opened(key: &Key, name: &str, mut kept: Vec<u8>) -> Option<Vec<u8>> {
    let code = (kept.len() >= TAG).then(|| kept.split_off(TAG))?;
    tag(key, name, &code).verify_slice(&kept).ok()?;
    Some(code)
}

/// What is there, if it is this user's, and nobody else has one of these permissions.
fn ours(path: &Path, forbidden: u32) -> Option<fs::Metadata> {
    let meta = fs::symlink_metadata(path).ok()?;
    let me = fs::metadata("/proc/self").ok()?.uid();
    (meta.uid() == me && meta.mode() & forbidden == 0).then_some(meta)
}

/// Where a file is written before it has its name.
fn half(file: &Path) -> PathBuf {
    file.with_extension(format!("{}.{HALF}", std::process::id()))
}

/// Writes a file, and keeps it locked until the answer is dropped. When another gateway sweeps in the moment before it is
/// locked, the file has no name any more, and what was to be kept is not.
fn write_new(file: &Path, bytes: &[u8]) -> io::Result<fs::File> {
    let mut writer = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    // Where files cannot be locked, none is swept away either.
    let _ = writer.lock();
    io::Write::write_all(&mut writer, bytes)?;
    writer.sync_all()?;
    Ok(writer)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_bit_is_noticed_and_so_is_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(folder, "a.cwasm", b"some code").unwrap();
        assert_eq!(read(folder, "a.cwasm").unwrap(), b"some code");
        let good = fs::read(folder.join("a.cwasm")).unwrap();
        for bit in 0..good.len() * 8 {
            let mut changed = good.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            fs::write(folder.join("a.cwasm"), changed).unwrap();
            assert_eq!(read(folder, "a.cwasm"), None, "bit {bit}");
        }
        for length in 0..good.len() {
            fs::write(folder.join("a.cwasm"), &good[..length]).unwrap();
            assert_eq!(read(folder, "a.cwasm"), None, "{length} bytes");
        }
        fs::write(folder.join("a.cwasm"), &good).unwrap();
        assert_eq!(read(folder, "a.cwasm").unwrap(), b"some code");
        fs::rename(folder.join("a.cwasm"), folder.join("b.cwasm")).unwrap();
        assert_eq!(read(folder, "b.cwasm"), None);
    }

    #[test]
    fn what_a_killed_process_has_left_is_swept_away_and_what_is_being_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("a.1.half"), b"some c").unwrap();
        let writing = write_new(&folder.join("b.2.half"), b"some c").unwrap();
        write(folder, "c.cwasm", b"some code").unwrap();
        let there = |name: &str| folder.join(name).exists();
        assert!(!there("a.1.half") && there("b.2.half") && there(KEY) && read(folder, "c.cwasm").is_some());
        drop(writing);
        write(folder, "c.cwasm", b"some code").unwrap();
        assert!(!there("b.2.half"));
    }

    #[test]
    fn a_write_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::create_dir_all(folder.join("a.cwasm/b")).unwrap();
        assert!(write(folder, "a.cwasm", b"some code").is_err());
        let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn code_that_was_not_used_for_longest_goes_when_there_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(folder, "used.cwasm", b"some code").unwrap();
        for (age, name) in ["new.cwasm", "old.cwasm", "older.cwasm"].into_iter().enumerate() {
            let file = fs::File::create(folder.join(name)).unwrap();
            // Holes, which take no room.
            file.set_len(MOST / 2 - 1000).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(3600 * (1 + age as u64))).unwrap();
        }
        fs::File::open(folder.join("used.cwasm")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(read(folder, "used.cwasm").is_some());
        write(folder, "another.cwasm", b"some code").unwrap();
        let there =
            ["used", "another", "new", "old", "older"].map(|name| folder.join(format!("{name}.cwasm")).exists());
        assert_eq!(there, [true, true, true, true, false]);
    }

    #[test]
    fn of_many_that_make_a_key_all_have_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let keys: Vec<_> = (0..20).map(|_| new_key(folder.path()).unwrap()).collect();
        assert!(keys.iter().all(|key| *key == keys[0] && *key != Key::default()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_may_read_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(folder, "a.cwasm", b"some code").unwrap();
        let key = folder.join(KEY);
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(read(folder, "a.cwasm"), None);
        write(folder, "a.cwasm", b"some code").unwrap();
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read(folder, "a.cwasm").unwrap(), b"some code");
    }
}
