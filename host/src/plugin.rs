//! A plugin: a component with its configuration, its instances and its verdict cache.
//!
//! Invariants: only this module and those below it name wasmtime. An instance serves one exchange at a time. It is out
//! of its pool while it is called and goes back only after the call ended well, so one that trapped, ran out of time or
//! whose exchange was dropped in the middle is never used again.

mod aside;
mod bindings;
mod budget;
mod code;
mod direct;
mod edit;
mod engine;
mod hooks;
mod http;
mod inspect;
mod instance;
mod keyvalue;
mod load;
mod pace;
mod rest;
mod session;
mod shared;
mod stack;
mod stage;
mod state;
mod ticker;
mod trial;
mod wasi;

pub use code::compiler;
pub(crate) use edit::fuzz;
pub(crate) use edit::{ChunkAction, Denial, Grant, PluginReply, RequestAction, RequestEdit, ResponseAction, Verdict};
pub use engine::read_debug_info;
pub(crate) use hooks::Hooks;
pub use inspect::{Inspection, inspect};
pub(crate) use load::{Surroundings, Unloadable};
pub(crate) use session::Session;
pub(crate) use stage::{Answer, Heard, Stage};
pub(crate) use state::Reads;
pub(crate) use trial::Compiled;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;

use crate::{
    config::{self, Isolation},
    failure::Fault,
    lock::lock,
    metrics::{Alive, PluginMetrics},
    verdict::VerdictCache,
};
use code::Digest;
use direct::Direct;
use hooks::Entry;
use instance::Instance;
use rest::Rest;
use shared::Shared;
use state::State;

/// A loaded plugin.
pub(crate) struct Plugin {
    pub(crate) config: config::Plugin,
    pub(crate) hooks: Hooks,
    pub(crate) cache: Option<VerdictCache>,
    digest: Digest,
    config_json: String,
    pre: InstancePre<State>,
    /// Whether its instances must be called on a fiber.
    fiber: bool,
    /// The way to its core module, if it can be called directly.
    direct: Option<Direct>,
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
    /// Idle instances, by worker. A worker takes from its own; only when no instance may be made, from another's.
    #[expect(clippy::vec_box, reason = "an instance goes from hand to hand as it is, and is too large to be moved")]
    pools: Box<[Mutex<Vec<Box<Instance>>>]>,
    /// Requests that wait for an instance; rung for one of them when an instance is back in its pool.
    waiting: AtomicUsize,
    returned: Notify,
    rest: Rest,
    _alive: Alive,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.config.name).field("digest", &self.digest.to_string()).finish()
    }
}

impl Plugin {
    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// Its counters.
    pub(crate) fn metrics(&self) -> &PluginMetrics {
        &self.shared.metrics
    }

    /// Waits until the lines that it has handed over are written. For the end of the process.
    pub(crate) fn flush(&self) {
        self.shared.flush();
    }

    /// An instance to call hooks on; back to the pool when dropped, if it is still good.
    pub(crate) async fn session(self: &Arc<Self>, worker: usize) -> Result<Session, Fault> {
        if self.rest.rests() {
            return Err(Fault::Resting);
        }
        let instance = match self.idle(worker) {
            Some(instance) => instance,
            // Boxed: the room for making one is paid by nobody who finds one.
            None => Box::pin(self.another(worker)).await?,
        };
        Ok(Session::new(self.clone(), instance, worker))
    }

    fn idle(&self, worker: usize) -> Option<Box<Instance>> {
        let mut pool = lock(&self.pools[worker % self.pools.len()]);
        // Long calls are made on fibers, which those that are called directly are not.
        while let Some(instance) = pool.pop() {
            if !(instance.is_direct() && self.shared.calls.is_long()) {
                return Some(instance);
            }
            aside::discard(instance);
        }
        None
    }

    async fn another(self: &Arc<Self>, worker: usize) -> Result<Box<Instance>, Fault> {
        let free = tokio::time::timeout(self.config.limits.time, self.free(worker));
        match free.await.map_err(|_| Fault::Busy)? {
            Free::Instance(instance) => Ok(instance),
            Free::Room(permit) => {
                let started = match self.shared.starts.is_long() {
                    true => {
                        let this = self.clone();
                        aside::run(async move { Instance::start(this.recipe(), Some(permit)).await }).await
                    }
                    false => Instance::start(self.recipe(), Some(permit)).await,
                };
                match &started {
                    Ok(_) => self.rest.went_well(Entry::Start),
                    Err(fault) => self.crashed(Entry::Start, fault),
                }
                started
            }
        }
    }

    /// Waits for room for a new instance, or for one that is given back.
    async fn free(&self, worker: usize) -> Free {
        // Before the pools are looked at: whoever gives back after that sees it.
        let _waiting = Waiting::new(&self.waiting);
        loop {
            if let Ok(permit) = self.permits.clone().try_acquire_owned() {
                return Free::Room(permit);
            }
            if let Some(instance) = (0..self.pools.len()).find_map(|other| self.idle(worker + other)) {
                return Free::Instance(instance);
            }
            tokio::select! {
                Ok(permit) = self.permits.clone().acquire_owned() => return Free::Room(permit),
                () = self.returned.notified() => {}
            }
        }
    }

    fn give_back(&self, worker: usize, mut instance: Box<Instance>) {
        instance.uses += 1;
        if self.config.isolation == Isolation::Request || instance.is_worn() {
            return self.discard(instance);
        }
        lock(&self.pools[worker % self.pools.len()]).push(instance);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.returned.notify_one();
        }
    }

    fn discard(&self, instance: Box<Instance>) {
        match self.shared.calls.is_long() {
            true => aside::discard(instance),
            false => drop(instance),
        }
    }

    fn crashed(&self, entry: Entry, fault: &Fault) {
        self.shared.metrics.faults.inc();
        if !fault.is_crash() {
            return;
        }
        if let Some((crashes, rest)) = self.rest.crashed(entry) {
            let plugin = self.name();
            tracing::warn!(target: "plugin", plugin, "has crashed {crashes} times in a row and rests for {rest:?}");
        }
    }
}

/// What a request that has no instance may get.
enum Free {
    Instance(Box<Instance>),
    Room(OwnedSemaphorePermit),
}

/// A request that waits, for as long as it does.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
