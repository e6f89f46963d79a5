//! A plugin: a component with its configuration, its instances and its verdict cache.
//!
//! Invariants: only this module and those below it name wasmtime. An instance serves one exchange at a time. It is out
//! of its pool while it is called and goes back only after the call ended well, so one that trapped, ran out of time or
//! whose exchange was dropped in the middle is never used again.

mod bindings;
mod budget;
mod code;
mod edit;
mod engine;
mod hooks;
mod http;
mod instance;
mod keyvalue;
mod load;
mod shared;
mod state;
mod ticker;
mod wasi;

pub use code::compiler;
pub(crate) use edit::fuzz;
pub(crate) use edit::{ChunkAction, Denial, Grant, PluginReply, RequestAction, RequestEdit, ResponseAction, Verdict};
pub(crate) use hooks::Hooks;
pub(crate) use load::{Surroundings, Unloadable};
pub(crate) use state::Reads;

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;

use crate::{
    config::{self, Isolation},
    exchange::Exchange,
    failure::Fault,
    lock::lock,
    metrics::{Alive, PluginMetrics},
    verdict::VerdictCache,
};
use code::Digest;
use edit::Checked;
use instance::{Functions, Instance};
use shared::Shared;
use state::State;

/// Crashes in a row after which a plugin rests.
const CRASH_LOOP: u32 = 10;

/// The first rest; each further crash doubles it.
const FIRST_REST: Duration = Duration::from_secs(1);

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(60);

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
    shared: Arc<Shared>,
    permits: Arc<Semaphore>,
    /// Idle instances, by worker. A worker takes from its own; only when no instance may be made, from another's.
    #[expect(clippy::vec_box, reason = "an instance goes from hand to hand as it is, and is too large to be moved")]
    pools: Box<[Mutex<Vec<Box<Instance>>>]>,
    /// Requests that wait for an instance; rung for one of them when an instance is back in its pool.
    waiting: AtomicUsize,
    returned: Notify,
    crashes: AtomicU32,
    /// Milliseconds of the process's life.
    rest_until: AtomicU64,
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
        if self.rests() {
            return Err(Fault::Resting);
        }
        let instance = match self.idle(worker) {
            Some(instance) => instance,
            // Boxed: the room for making one is paid by nobody who finds one.
            None => Box::pin(self.another(worker)).await?,
        };
        Ok(Session { instance: Some(instance), plugin: self.clone(), worker, usable: true })
    }

    fn idle(&self, worker: usize) -> Option<Box<Instance>> {
        let mut pool = lock(&self.pools[worker % self.pools.len()]);
        std::iter::from_fn(|| pool.pop()).find(|instance| instance.suits())
    }

    async fn another(&self, worker: usize) -> Result<Box<Instance>, Fault> {
        let free = tokio::time::timeout(self.config.limits.time, self.free(worker));
        match free.await.map_err(|_| Fault::Busy)? {
            Free::Instance(instance) => Ok(instance),
            Free::Room(permit) => {
                let started = Instance::start(self.recipe(), Some(permit)).await;
                started.inspect_err(|fault| self.crashed(fault))
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
        if self.config.isolation == Isolation::Request || instance.is_worn() || !instance.suits() {
            return;
        }
        lock(&self.pools[worker % self.pools.len()]).push(instance);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.returned.notify_one();
        }
    }

    fn rests(&self) -> bool {
        self.crashes.load(Ordering::Relaxed) >= CRASH_LOOP && uptime() < self.rest_until.load(Ordering::Relaxed)
    }

    fn crashed(&self, fault: &Fault) {
        self.shared.metrics.faults.inc();
        if !fault.is_crash() {
            return;
        }
        let crashes = self.crashes.fetch_add(1, Ordering::Relaxed) + 1;
        if crashes < CRASH_LOOP {
            return;
        }
        let doublings = (crashes - CRASH_LOOP).min(6);
        let rest = (FIRST_REST * 2u32.pow(doublings)).min(LONGEST_REST);
        self.rest_until.store(uptime() + rest.as_millis() as u64, Ordering::Relaxed);
        let plugin = self.name();
        tracing::warn!(target: "plugin", plugin, "has crashed {crashes} times in a row and rests for {rest:?}");
    }

    fn went_well(&self) {
        if self.crashes.load(Ordering::Relaxed) != 0 {
            self.crashes.store(0, Ordering::Relaxed);
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

/// Milliseconds since the process first asked.
fn uptime() -> u64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64
}

/// An instance in the hands of one exchange.
pub(crate) struct Session {
    plugin: Arc<Plugin>,
    instance: Option<Box<Instance>>,
    worker: usize,
    /// False from the start of a call until it has ended well.
    usable: bool,
}

/// Calls a function of the instance, if the component exports it.
macro_rules! hook {
    ($session:ident, $exchange:ident, $function:ident, $params:expr) => {{
        let Self { plugin, instance, usable, .. } = $session;
        let instance = instance.as_mut().expect("a session has its instance until it is dropped");
        let Functions { $function: function, .. } = &instance.functions;
        match function.clone() {
            None => None,
            Some(function) => {
                *usable = false;
                plugin.shared.metrics.calls.inc();
                let result = instance.call($exchange, &function, $params).await;
                *usable = result.is_ok();
                match &result {
                    Ok(_) => plugin.went_well(),
                    Err(fault) => plugin.crashed(fault),
                }
                Some(result)
            }
        }
    }};
}

impl Session {
    /// Calls `authorizer.authorize`; with `watch`, says what it read.
    pub(crate) async fn authorize(&mut self, exchange: &Arc<Exchange>, watch: bool) -> Result<(Verdict, Reads), Fault> {
        if watch && let Some(instance) = &mut self.instance {
            instance.watch_reads();
        }
        let Some(result) = hook!(self, exchange, authorize, ()) else {
            return Ok((Verdict::Abstain, Reads::Off));
        };
        let verdict = self.checked(result?)?;
        let reads = self.instance.as_mut().map_or(Reads::Off, |instance| instance.take_reads());
        Ok((verdict, reads))
    }

    /// Calls `request-filter.on-request`.
    pub(crate) async fn on_request(&mut self, exchange: &Arc<Exchange>) -> Result<RequestAction, Fault> {
        match hook!(self, exchange, on_request, ()) {
            None => Ok(RequestAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `request-body-filter.request-body-limit`; capped by `limits.body`.
    pub(crate) async fn request_body_limit(&mut self, exchange: &Arc<Exchange>) -> Result<Option<u64>, Fault> {
        let limit = hook!(self, exchange, request_body_limit, ()).transpose()?.flatten();
        Ok(limit.map(|limit| limit.min(self.plugin.config.limits.body)))
    }

    /// Calls `request-body-filter.on-request-body`.
    pub(crate) async fn on_request_body(
        &mut self,
        exchange: &Arc<Exchange>,
        body: Vec<u8>,
    ) -> Result<RequestAction, Fault> {
        match hook!(self, exchange, on_request_body, (body,)) {
            None => Ok(RequestAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `request-chunk-filter.on-request-chunk`.
    pub(crate) async fn on_request_chunk(
        &mut self,
        exchange: &Arc<Exchange>,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<ChunkAction, Fault> {
        match hook!(self, exchange, on_request_chunk, (chunk, last)) {
            None => Ok(ChunkAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `response-filter.on-response`.
    pub(crate) async fn on_response(&mut self, exchange: &Arc<Exchange>) -> Result<ResponseAction, Fault> {
        match hook!(self, exchange, on_response, ()) {
            None => Ok(ResponseAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `response-body-filter.response-body-limit`; capped by `limits.body`.
    pub(crate) async fn response_body_limit(&mut self, exchange: &Arc<Exchange>) -> Result<Option<u64>, Fault> {
        let limit = hook!(self, exchange, response_body_limit, ()).transpose()?.flatten();
        Ok(limit.map(|limit| limit.min(self.plugin.config.limits.body)))
    }

    /// Calls `response-body-filter.on-response-body`.
    pub(crate) async fn on_response_body(
        &mut self,
        exchange: &Arc<Exchange>,
        body: Vec<u8>,
    ) -> Result<ResponseAction, Fault> {
        match hook!(self, exchange, on_response_body, (body,)) {
            None => Ok(ResponseAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `response-chunk-filter.on-response-chunk`.
    pub(crate) async fn on_response_chunk(
        &mut self,
        exchange: &Arc<Exchange>,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<ChunkAction, Fault> {
        match hook!(self, exchange, on_response_chunk, (chunk, last)) {
            None => Ok(ChunkAction::Unchanged),
            Some(result) => self.checked(result?),
        }
    }

    /// Calls `logger.log`.
    pub(crate) async fn log(&mut self, exchange: &Arc<Exchange>) -> Result<(), Fault> {
        match hook!(self, exchange, log, ()) {
            None => Ok(()),
            Some(result) => result?.map_err(|text| self.faulty(Fault::Error(text))),
        }
    }

    /// Keeps the instance from being used again: its exchange ends with state of its own left in it.
    pub(crate) fn spoil(&mut self) {
        self.usable = false;
    }

    fn checked<T, C: Checked<T>>(&self, result: Result<C, String>) -> Result<T, Fault> {
        let value = result.map_err(|text| self.faulty(Fault::Error(text)))?;
        value.checked().map_err(|why| self.faulty(Fault::Invalid(why)))
    }

    /// Counts a fault that shows only in what the caller wanted to do with an answer.
    pub(crate) fn faulty(&self, fault: Fault) -> Fault {
        self.plugin.shared.metrics.faults.inc();
        fault
    }

    /// The plugin.
    pub(crate) fn plugin(&self) -> &Arc<Plugin> {
        &self.plugin
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(instance) = mem::take(&mut self.instance)
            && self.usable
        {
            self.plugin.give_back(self.worker, instance);
        }
    }
}
