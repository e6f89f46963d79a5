//! Components that nobody wrote: hooks with random code in them, our own plugins after random changes, and what is not
//! even meant to be a plugin.

use std::fs;

use anyhow::{Context as _, Result, bail};
use wasm_mutate::WasmMutate;
use wasm_smith::Config;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve, WorldId};

use crate::{guests, soak::chance::Chance};

/// The worlds of `wit/worlds.wit` with one hook each.
const WORLDS: [&str; 8] = [
    "authorizer-plugin",
    "request-filter-plugin",
    "request-body-filter-plugin",
    "request-chunk-filter-plugin",
    "response-filter-plugin",
    "response-body-filter-plugin",
    "response-chunk-filter-plugin",
    "logger-plugin",
];

/// How a component came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Random functions with the signatures of a hook.
    Hook,
    /// One of our plugins after some changes.
    Mutant,
    /// A random component or core module, or random bytes.
    Stray,
}

/// What components are made of.
pub(super) struct Maker {
    resolve: Resolve,
    worlds: Vec<WorldId>,
    plugins: Vec<Vec<u8>>,
}

impl Maker {
    pub(super) fn new() -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir("wit").context("reading the contract")?;
        let world = |name: &&str| resolve.select_world(&[package], Some(name));
        let worlds = WORLDS.iter().map(world).collect::<Result<_>>()?;
        let mut plugins = Vec::new();
        for file in fs::read_dir(guests::modules())?.collect::<Result<Vec<_>, _>>()? {
            if file.path().extension().is_some_and(|found| found == "wasm") {
                plugins.push((file.path(), fs::read(file.path())?));
            }
        }
        // The order of a folder differs from machine to machine; a seed is to make the same everywhere.
        plugins.sort();
        if plugins.is_empty() {
            bail!("there are no guests in {}", guests::modules().display());
        }
        Ok(Self { resolve, worlds, plugins: plugins.into_iter().map(|(_, bytes)| bytes).collect() })
    }

    /// Another one. What can not be made a component is used as it is: the gateway must bear that too.
    pub(super) fn make(&self, chance: &Chance) -> (Kind, Vec<u8>) {
        match chance.below(10) {
            0..5 => (Kind::Hook, self.hook(chance)),
            5..9 => (Kind::Mutant, self.mutant(chance)),
            _ => (Kind::Stray, stray(chance)),
        }
    }

    fn hook(&self, chance: &Chance) -> Vec<u8> {
        let world = self.worlds[chance.below(self.worlds.len() as u64) as usize];
        let signatures = dummy_module(&self.resolve, world, ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync));
        let signatures = with_memory(signatures, chance.below(64) as u8);
        let dna = dna(chance, 16_000);
        let config = Config {
            exports: Some(signatures.clone()),
            available_imports: Some(signatures),
            // What an instance may have by default, so that most of them run. The one memory is that of the signatures: with
            // a second, the pool takes no module.
            max_memories: 0,
            // Most random code traps or loops; at the start it would keep the component from being loaded.
            allow_start_export: chance.once_in(4),
            max_table_elements: 1_000,
            ..engine(chance)
        };
        let Ok(module) = wasm_smith::Module::new(config, &mut arbitrary::Unstructured::new(&dna)) else { return dna };
        let mut module = module.to_bytes();
        let embedded = embed_component_metadata(&mut module, &self.resolve, world, StringEncoding::UTF8, true);
        if embedded.is_ok() { encoded(module) } else { module }
    }

    fn mutant(&self, chance: &Chance) -> Vec<u8> {
        let mut module = self.plugins[chance.below(self.plugins.len() as u64) as usize].clone();
        for _ in 0..1 + chance.below(5) {
            let mut mutate = WasmMutate::default();
            mutate.seed(chance.below(u64::MAX)).preserve_semantics(chance.once_in(4)).fuel(1_000);
            let Ok(mut mutants) = mutate.run(&module) else { continue };
            let next = mutants.next();
            drop(mutants);
            if let Some(Ok(next)) = next {
                module = next;
            }
        }
        encoded(module)
    }
}

/// Gives the memory of a module of signatures so many pages to begin with: it has none, and whatever touched it would trap.
fn with_memory(mut signatures: Vec<u8>, pages: u8) -> Vec<u8> {
    // A section of memories, three bytes long, with one memory that has no maximum.
    const MEMORY: [u8; 5] = [5, 3, 1, 0, 0];
    if let Some(at) = signatures.windows(MEMORY.len()).position(|bytes| bytes == MEMORY) {
        signatures[at + MEMORY.len() - 1] = pages;
    }
    signatures
}

fn encoded(module: Vec<u8>) -> Vec<u8> {
    let component = ComponentEncoder::default().module(&module).and_then(|encoder| encoder.encode());
    component.unwrap_or(module)
}

fn stray(chance: &Chance) -> Vec<u8> {
    let dna = dna(chance, 4_000);
    let mut unstructured = arbitrary::Unstructured::new(&dna);
    match chance.below(3) {
        0 => wasm_smith::Component::new(engine(chance), &mut unstructured).map_or(dna, |made| made.to_bytes()),
        1 => wasm_smith::Module::new(engine(chance), &mut unstructured).map_or(dna, |made| made.to_bytes()),
        _ => [&b"\0asm\r\0\x01\0"[..], &dna].concat(),
    }
}

/// Mostly what the gateway's engine has, in one of eight what it has not.
fn engine(chance: &Chance) -> Config {
    let foreign = chance.once_in(8);
    Config {
        gc_enabled: foreign,
        // `externref` is one of the collector's types to the engine.
        reference_types_enabled: foreign,
        exceptions_enabled: foreign,
        threads_enabled: foreign,
        memory64_enabled: foreign,
        wide_arithmetic_enabled: foreign,
        compact_imports_enabled: foreign,
        generate_custom_sections: chance.once_in(2),
        ..Config::default()
    }
}

fn dna(chance: &Chance, most: u64) -> Vec<u8> {
    (0..200 + chance.below(most)).map(|_| chance.below(256) as u8).collect()
}
