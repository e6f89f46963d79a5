//! A component on a stage: what `gatehouse plugin test` and `run` call hooks of. It is loaded as for a gateway, but for the
//! grants: on a stage there is nothing that would have to be kept from it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use wasmtime::component::Component;

use super::{
    Plugin,
    code::{self, Binary},
    direct::Shape,
    engine::{Runtime, runtime},
    load::{self, Surroundings, Unloadable},
};
use crate::{config, lock::lock};

/// Key-value state: by bucket, then by key.
pub(crate) type Buckets = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

/// A component in the form that instances are made of.
pub(crate) struct Compiled {
    runtime: &'static Runtime,
    component: Component,
    shape: Option<Shape>,
    binary: Binary,
    /// How long that took: next to nothing where it is kept from before.
    pub(crate) took: Duration,
}

impl Compiled {
    /// Reads and compiles a file. The error says what a person can do about it.
    pub(crate) fn read(file: &Path, server: &config::Server) -> Result<Self, String> {
        let named = |why: String| format!("{} {why}", file.display());
        let binary = Binary::read(file).map_err(named)?;
        let runtime = runtime().map_err(|error| format!("the Wasm engine: {error:#}"))?;
        let started = Instant::now();
        let (component, shape) = code::load(&runtime.engine, &binary, server).map_err(named)?;
        Ok(Self { runtime, component, shape, binary, took: started.elapsed() })
    }

    /// The bytes of its file.
    pub(crate) fn size(&self) -> usize {
        self.binary.size()
    }

    /// A plugin of it, with state of its own.
    pub(crate) fn plugin(
        &self,
        config: &config::Plugin,
        around: &Surroundings<'_>,
    ) -> Result<Arc<Plugin>, Vec<Unloadable>> {
        load::check_versions(&self.runtime.engine, &self.component, config)?;
        let plugin = load::assemble(self.runtime, &self.component, self.shape.as_ref(), &self.binary, config, around)?;
        plugin.try_out()?;
        Ok(Arc::new(plugin))
    }
}

impl Plugin {
    /// Puts key-value state there.
    pub(crate) fn fill(&self, state: &Buckets) -> Result<(), String> {
        let mut buckets = lock(&self.shared.buckets);
        for (bucket, entries) in state {
            for (key, value) in entries {
                let set = buckets.set(self.shared.limits.keyvalue_bytes, bucket, key.clone(), value.clone());
                set.map_err(|_| "the case's state is larger than `limits.keyvalue_bytes`".to_owned())?;
            }
        }
        Ok(())
    }

    /// Bytes of memory of its idle instances.
    pub(crate) fn memory(&self) -> usize {
        self.pools.iter().flat_map(|pool| lock(pool).iter().map(|instance| instance.memory()).collect::<Vec<_>>()).sum()
    }

    /// The key-value state that is there.
    pub(crate) fn state(&self) -> Buckets {
        let buckets = lock(&self.shared.buckets);
        let entries = |(name, entries): (&String, &std::collections::HashMap<String, Vec<u8>>)| {
            (name.clone(), entries.clone().into_iter().collect())
        };
        buckets.by_name.iter().map(entries).collect()
    }
}
