//! From a component's bytes to code: compiled once, kept on disk under the digest of its bytes and the engine.
//!
//! This is the one place of the project with `unsafe`: reading compiled code back trusts the file. The folder is made
//! for the gateway's own user only, and a file that anyone else could have written is not read.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, component::Component};

/// The largest component that is read; those of Python are about 20 MB.
const LARGEST: u64 = 128 << 20;

/// The SHA-256 of a component's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A component's bytes, read whole.
pub(super) struct Binary {
    bytes: Vec<u8>,
    pub(super) digest: Digest,
}

impl Binary {
    /// Reads a file. The error says what a person can do about it.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let size = fs::metadata(file).map_err(|error| unreadable(&error))?.len();
        if size > LARGEST {
            return Err(format!("is {size} bytes: {LARGEST} at most"));
        }
        let bytes = fs::read(file).map_err(|error| unreadable(&error))?;
        match bytes.get(..8) {
            Some([0, b'a', b's', b'm', 0x0d, 0, 1, 0]) => {}
            Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => {
                return Err("is a core WebAssembly module: a component is needed (`wasm-tools component new`, or \
                            `cargo xtask guests` in this repository)"
                    .into());
            }
            None if bytes.is_empty() => return Err("is empty".into()),
            _ => return Err("is not a WebAssembly component".into()),
        }
        Ok(Self { digest: Digest::of(&bytes), bytes })
    }
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".into(),
        _ => format!("cannot be read: {error}"),
    }
}

/// Compiles, or takes what was compiled before.
pub(super) fn load(engine: &Engine, binary: &Binary, cache: &Path) -> Result<Component, String> {
    let kept = cache.join(file_name(engine, binary));
    if let Some(component) = read_back(engine, &kept) {
        return Ok(component);
    }
    let started = std::time::Instant::now();
    let code = engine.precompile_component(&binary.bytes).map_err(|error| format!("{error:#}"))?;
    tracing::debug!(digest = %binary.digest, "compiled in {:?}", started.elapsed());
    if let Err(error) = keep(cache, &kept, &code) {
        tracing::warn!("compiled code is not kept in {}: {error}", cache.display());
    }
    deserialize(engine, &code).map_err(|error| format!("{error:#}"))
}

fn file_name(engine: &Engine, binary: &Binary) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}.cwasm", binary.digest, hasher.finish()).into()
}

fn read_back(engine: &Engine, kept: &Path) -> Option<Component> {
    let ours = |path: &Path| {
        let meta = fs::symlink_metadata(path).ok()?;
        let me = fs::metadata("/proc/self").ok()?.uid();
        (meta.uid() == me && meta.mode() & 0o022 == 0).then_some(meta)
    };
    ours(kept.parent()?)?;
    ours(kept).filter(fs::Metadata::is_file)?;
    let code = fs::read(kept).ok()?;
    match deserialize(engine, &code) {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!("{} is not usable and will be compiled anew: {error:#}", kept.display());
            None
        }
    }
}

/// Written beside and renamed, so that a reader never sees half a file.
fn keep(cache: &Path, kept: &Path, code: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(cache)?;
    let half = kept.with_extension(format!("{}.half", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    io::Write::write_all(&mut file, code)?;
    file.sync_all()?;
    fs::rename(half, kept)
}

#[allow(unsafe_code)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `precompile_component` of this process, or from a file in a folder that only this
    // user can write to, checked in `read_back`. wasmtime refuses code of another version or other settings.
    unsafe { Component::deserialize(engine, code) }
}
