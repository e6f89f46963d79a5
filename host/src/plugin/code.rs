//! From a component's bytes to code: compiled once, kept on disk under the digest of its bytes and the engine.
//!
//! This is the one place of the gateway with `unsafe`: loading compiled code means trusting it.

pub mod compiler;
mod kept;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::Path,
    time::Instant,
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, component::Component};

use super::direct::{MODULE, Shape};
use crate::{config, file};

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
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// A component's bytes, read whole.
pub(super) struct Binary {
    bytes: Vec<u8>,
    pub(super) digest: Digest,
}

impl Binary {
    /// In bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Reads a file. The error says what a person can do about it.
    pub(super) fn read(file: &Path) -> Result<Self, String> {
        let bytes = file::read(file, LARGEST).map_err(|error| unreadable(&error))?;
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

/// Compiles, or takes what was compiled before, and tells the component's shape if it has the usual one. An error is what to
/// say of the file.
pub(super) fn load(
    engine: &Engine,
    binary: &Binary,
    server: &config::Server,
) -> Result<(Component, Option<Shape>), String> {
    let folder = &server.code_cache;
    let shape = Shape::of(&binary.bytes);
    let name = file_name(engine, binary, shape.is_some());
    if let Some(code) = kept::read(folder, &name) {
        match deserialize(engine, &code) {
            Ok(component) => return Ok((component, shape)),
            Err(error) => tracing::warn!("{name} is not usable and will be compiled anew: {error:#}"),
        }
    }
    let started = Instant::now();
    let with_module = shape.as_ref().map(|shape| shape.with_module(&binary.bytes));
    let code = compiler::compile(engine, with_module.as_ref().unwrap_or(&binary.bytes), &server.compile)?;
    tracing::debug!(digest = %binary.digest, "compiled in {:?}", started.elapsed());
    if let Err(error) = kept::write(folder, &name, &code) {
        tracing::warn!("compiled code is not kept in {}: {error}", folder.display());
    }
    let component =
        deserialize(engine, &code).map_err(|error| format!("was compiled to what cannot be loaded: {error:#}"))?;
    Ok((component, shape))
}

fn file_name(engine: &Engine, binary: &Binary, with_module: bool) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    with_module.then_some(MODULE).hash(&mut hasher);
    format!("{}-{:016x}.cwasm", binary.digest, hasher.finish())
}

#[allow(unsafe_code)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `precompile_component`, in this process or in one of the same program, at once or by
    // way of a file that `kept` has found unchanged. wasmtime refuses code of another version or other settings.
    unsafe { Component::deserialize(engine, code) }
}
