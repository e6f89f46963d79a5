//! One running copy of a plugin, and a call into it.
//!
//! Two ways to call: a component whose imports are all plain host functions is called directly on the worker, without
//! a fiber; one with asynchronous imports (outbound HTTP, WASI's streams), or that has been seen to run long, runs on a
//! fiber: it can be suspended, and at each tick lets others run. What runs long does so beside the workers (`aside.rs`).

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{
    Store, Trap, UpdateDeadline,
    component::{ComponentNamedList, Instance as WasmInstance, InstancePre, Lift, Lower, TypedFunc},
};

use super::{
    bindings::{
        authorizer, lifecycle::Manifest, request_body_filter, request_chunk_filter, request_filter,
        response_body_filter, response_filter,
    },
    budget::{Budget, Exceeded, Time, on_fiber, plainly},
    direct::{self, Arguments, Direct, Load},
    hooks::Hooks,
    shared::Shared,
    stack,
    state::{Reads, State},
};
use crate::{exchange::Exchange, failure::Fault};

/// One of so many calls of an instance has its CPU time measured where that costs something, the first of them too.
const MEASURED: u64 = 32;

/// A function, if the component exports it.
pub(super) type Function<P, R> = Option<Callable<P, R>>;

/// A function of an instance.
pub(super) enum Callable<P: Arguments, R> {
    /// Of a component.
    Component(TypedFunc<P, (R,)>),
    /// Of a component's core module.
    Direct(direct::Function<P, R>),
}

/// The functions of an instance, for the hooks that the component exports.
#[derive(Default)]
pub(super) struct Functions {
    pub(super) authorize: Function<(), Result<authorizer::Verdict, String>>,
    pub(super) on_request: Function<(), Result<request_filter::RequestAction, String>>,
    pub(super) request_body_limit: Function<(), Option<u64>>,
    pub(super) on_request_body: Function<(Vec<u8>,), Result<request_body_filter::RequestBodyAction, String>>,
    pub(super) on_request_chunk: Function<(Vec<u8>, bool), Result<request_chunk_filter::ChunkAction, String>>,
    pub(super) on_response: Function<(), Result<response_filter::ResponseAction, String>>,
    pub(super) response_body_limit: Function<(), Option<u64>>,
    pub(super) on_response_body: Function<(Vec<u8>,), Result<response_body_filter::ResponseBodyAction, String>>,
    pub(super) on_response_chunk: Function<(Vec<u8>, bool), Result<request_chunk_filter::ChunkAction, String>>,
    pub(super) log: Function<(), Result<(), String>>,
}

/// One running copy of a plugin.
pub(crate) struct Instance {
    store: Store<State>,
    functions: Functions,
    /// Whether it is of the component's core module. Then it is called plainly, wherever that is.
    direct: bool,
    /// Whether it is called on a fiber.
    fiber: bool,
    pub(super) uses: u64,
    memory_at_start: usize,
    /// Its share of `limits.instances`; absent for the one made while loading.
    _permit: Option<OwnedSemaphorePermit>,
}

/// What an instance is made of.
pub(super) struct Recipe<'a> {
    pub(super) pre: &'a InstancePre<State>,
    /// The way to its core module, if it has one and is to be called plainly.
    pub(super) direct: Option<&'a Direct>,
    pub(super) hooks: &'a Hooks,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) config: &'a str,
    /// Whether it must be called on a fiber.
    pub(super) fiber: bool,
}

impl Recipe<'_> {
    /// Whether it is made on a fiber.
    fn starts_on_fiber(&self) -> bool {
        self.fiber || self.shared.starts.is_long()
    }
}

impl Instance {
    /// Makes one and runs its `init`.
    pub(super) async fn start(recipe: Recipe<'_>, permit: Option<OwnedSemaphorePermit>) -> Result<Box<Self>, Fault> {
        let on_fiber = recipe.starts_on_fiber();
        let (mut store, instance) = instantiate(&recipe, recipe.direct, on_fiber).await?;
        let Recipe { hooks, shared, config, fiber, .. } = recipe;
        let wrong = |error: wasmtime::Error| Fault::Start(format!("{error:#}"));
        let direct = matches!(instance, Made::Direct(..));
        let (functions, init) = match instance {
            Made::Component(instance) => {
                let init = hooks.init(&mut store, &instance).map_err(wrong)?;
                (hooks.functions(&mut store, &instance).map_err(wrong)?, init.map(Callable::Component))
            }
            Made::Direct(direct, instance) => {
                let (functions, init) = direct.functions(&mut store, &instance).map_err(wrong)?;
                (functions, init.map(Callable::Direct))
            }
        };
        shared.metrics.instances.inc();
        let mut this =
            Box::new(Self { store, functions, direct, fiber: on_fiber, uses: 0, memory_at_start: 0, _permit: permit });
        if let Some(init) = init {
            let config = (config.to_owned(),);
            match invoke(&mut this.store, &init, config, Time::of_start(&shared.limits), on_fiber, true).await {
                Ok(Ok(())) => {}
                Ok(Err(text)) => return Err(Fault::Start(format!("`init` refused its configuration: {text}"))),
                Err(fault) => return Err(at_start("`init` ", fault)),
            }
        }
        if on_fiber && !fiber {
            this.fiber = false;
            go_on(&mut this.store);
        }
        this.memory_at_start = this.memory();
        Ok(this)
    }

    /// Makes one only to ask it for its manifest.
    pub(super) async fn describe(recipe: Recipe<'_>) -> Result<Option<Manifest>, Fault> {
        let fiber = recipe.starts_on_fiber();
        let (mut store, instance) = instantiate(&recipe, None, fiber).await?;
        let Made::Component(instance) = instance else { return Ok(None) };
        let wrong = |error: wasmtime::Error| Fault::Start(format!("{error:#}"));
        let Some(describe) = recipe.hooks.describe(&mut store, &instance).map_err(wrong)? else { return Ok(None) };
        let time = Time::of_start(&recipe.shared.limits);
        let manifest = called(&mut store, &describe, (), time, fiber, true).await;
        manifest.map(Some).map_err(|fault| at_start("`describe` ", fault))
    }

    /// Whether it has such a function.
    pub(super) fn has<P: Arguments, R>(&self, of: impl FnOnce(&Functions) -> &Function<P, R>) -> bool {
        of(&self.functions).is_some()
    }

    /// Calls a hook for an exchange, if it has it; with `aside`, on another thread than a worker's. After a fault of the
    /// instance (anything but an `err` that it returned) it must not be used again: the caller drops it.
    pub(super) async fn call<P, R>(
        &mut self,
        exchange: &Arc<Exchange>,
        of: impl Fn(&Functions) -> &Function<P, R>,
        params: P,
        aside: bool,
    ) -> Option<Result<R, Fault>>
    where
        P: ComponentNamedList + Lower + Arguments + Send + Sync + 'static,
        R: Load + Send + Sync + 'static,
        (R,): ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let Self { store, functions, fiber, direct, uses, .. } = self;
        let function = of(functions).as_ref()?;
        let state = store.data_mut();
        state.exchange = Some(exchange.clone());
        if let Some(wasi) = &mut state.wasi {
            wasi.hooks.calls_left = state.shared.limits.http_calls;
            wasi.outside.store(false, Ordering::Relaxed);
        }
        let time = Time::of_hook(&state.shared.limits);
        let back_to_plain = aside && !*fiber && !*direct;
        if back_to_plain {
            yield_at_ticks(store);
        }
        let measured = aside || uses.is_multiple_of(MEASURED);
        let result = invoke(store, function, params, time, *fiber || back_to_plain, measured).await;
        if back_to_plain {
            go_on(store);
        }
        store.data_mut().exchange = None;
        Some(result)
    }

    /// Whether it is called directly, and so never on a fiber.
    pub(super) fn is_direct(&self) -> bool {
        self.direct
    }

    /// Lets the next call note what it reads.
    pub(super) fn watch_reads(&mut self) {
        self.store.data_mut().reads = Reads::On { fields: Vec::with_capacity(4), outside: false };
    }

    /// What was read since `watch_reads`.
    pub(super) fn take_reads(&mut self) -> Reads {
        self.store.data_mut().take_reads()
    }

    /// Bytes of its linear memories.
    pub(super) fn memory(&self) -> usize {
        self.store.data().memory
    }

    /// Whether it has served long enough, or grown so far that it would soon fail: linear memory never shrinks.
    pub(super) fn is_worn(&self) -> bool {
        let limits = &self.store.data().shared.limits;
        self.uses >= limits.uses || (self.memory() > self.memory_at_start && self.memory() > limits.memory / 4 * 3)
    }
}

/// How often making an instance is begun anew where the system could not make its memory's image at that moment.
const TRIES: u32 = 4;

/// A new instance.
enum Made<'a> {
    Component(WasmInstance),
    Direct(&'a Direct, wasmtime::Instance),
}

async fn instantiate<'a>(
    recipe: &Recipe<'_>,
    direct: Option<&'a Direct>,
    fiber: bool,
) -> Result<(Store<State>, Made<'a>), Fault> {
    let Recipe { pre, hooks, shared, .. } = *recipe;
    let time = Time::of_start(&shared.limits);
    let mut tries = 1;
    loop {
        let mut store = Store::new(pre.engine(), State::new(shared.clone(), hooks.wasi));
        store.limiter(|state| state);
        store.set_hostcall_fuel(shared.most_handed_over());
        match fiber {
            true => yield_at_ticks(&mut store),
            false => go_on(&mut store),
        }
        arm(&mut store, time);
        let (started, took) = match (direct, fiber) {
            (None, true) => timely(time.wall, component_on_fiber(pre, &mut store)).await,
            (Some(direct), true) => timely(time.wall, direct_on_fiber(direct, &mut store)).await,
            (None, false) => {
                let (started, took) = plainly(true, || pre.instantiate(&mut store));
                (started.map(Made::Component).map_err(Raw::Wasm), took)
            }
            (Some(direct), false) => {
                let (started, took) = plainly(true, || direct.pre().instantiate(&mut store));
                (started.map(|instance| Made::Direct(direct, instance)).map_err(Raw::Wasm), took)
            }
        };
        if let Some(took) = took {
            store.data().took(took);
        }
        match started {
            Ok(instance) => return Ok((store, instance)),
            Err(raw) if tries < TRIES && is_passing(&raw) => tries += 1,
            Err(raw) => return Err(at_start("", fault(raw, &store))),
        }
    }
}

async fn component_on_fiber<'a>(pre: &InstancePre<State>, store: &mut Store<State>) -> wasmtime::Result<Made<'a>> {
    pre.instantiate_async(store).await.map(Made::Component)
}

async fn direct_on_fiber<'a>(direct: &'a Direct, store: &mut Store<State>) -> wasmtime::Result<Made<'a>> {
    direct.pre().instantiate_async(store).await.map(|instance| Made::Direct(direct, instance))
}

/// Whether the system was only busy: Linux refuses to seal a component's memory image (`EBUSY`, fcntl(2)) for as long as
/// it moves one of its pages, which happens on a crowded machine. wasmtime makes the image anew then.
fn is_passing(raw: &Raw) -> bool {
    let Raw::Wasm(error) = raw else { return false };
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::ResourceBusy)
}

/// Lets others of its thread run at each tick.
fn yield_at_ticks(store: &mut Store<State>) {
    store.epoch_deadline_callback(|mut store| {
        // tokio's way to yield: wasmtime's own would wake at once, and sockets be looked at only after 61 ticks.
        let yielding = Box::pin(tokio::task::yield_now());
        store.data_mut().tick().map(|()| UpdateDeadline::YieldCustom(1, yielding))
    });
}

/// Lets a guest that is called plainly go on at each tick, within its budget.
fn go_on(store: &mut Store<State>) {
    store.epoch_deadline_callback(|mut store| store.data_mut().tick().map(|()| UpdateDeadline::Continue(1)));
}

/// What became of an instance before it served.
fn at_start(function: &str, fault: Fault) -> Fault {
    Fault::Start(match fault {
        Fault::CpuTime => format!("{function}used up its CPU time (`limits.init`)"),
        Fault::WallTime => {
            format!("{function}used up its time (five times `limits.init`, or `limits.time` where that is longer)")
        }
        fault => format!("{function}{fault}"),
    })
}

/// Calls a function, on a fiber or plainly; plainly, it may be measured.
async fn invoke<P, R>(
    store: &mut Store<State>,
    function: &Callable<P, R>,
    params: P,
    time: Time,
    fiber: bool,
    measured: bool,
) -> Result<R, Fault>
where
    P: ComponentNamedList + Lower + Arguments + Send + Sync + 'static,
    R: Load + Send + Sync + 'static,
    (R,): ComponentNamedList + Lift + Send + Sync + 'static,
{
    match function {
        Callable::Direct(function) => {
            arm(store, time);
            let called = match fiber {
                // Boxed, so that a plain call does not carry the room for it.
                true => Box::pin(timely(time.wall, function.call_async(store, &params))).await,
                false => {
                    let (result, took) = plainly(measured, || function.call(store, &params));
                    (result.map_err(Raw::Wasm), took)
                }
            };
            ended(store, called)
        }
        Callable::Component(function) => called(store, function, params, time, fiber, measured).await,
    }
}

/// As `invoke`, for a function of a component.
async fn called<P, R>(
    store: &mut Store<State>,
    function: &TypedFunc<P, (R,)>,
    params: P,
    time: Time,
    fiber: bool,
    measured: bool,
) -> Result<R, Fault>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    R: Send + Sync + 'static,
    (R,): ComponentNamedList + Lift + Send + Sync + 'static,
{
    arm(store, time);
    let (result, took) = match fiber {
        true => Box::pin(timely(time.wall, function.call_async(&mut *store, params))).await,
        false => {
            let (result, took) = plainly(measured, || function.call(&mut *store, params));
            (result.map_err(Raw::Wasm), took)
        }
    };
    ended(store, (result.map(|(value,)| value), took))
}

/// Notes how long a call has taken. What became of it.
fn ended<R>(store: &Store<State>, (result, took): (Result<R, Raw>, Option<Duration>)) -> Result<R, Fault> {
    if let Some(took) = took {
        store.data().took(took);
    }
    result.map_err(|raw| fault(raw, store))
}

/// Gives the next call what it may use.
fn arm(store: &mut Store<State>, time: Time) {
    let state = store.data_mut();
    state.budget = Budget::new(&state.shared.limits, time);
    store.set_epoch_deadline(1);
}

enum Raw {
    Wasm(wasmtime::Error),
    WallTime,
}

async fn timely<T>(
    limit: Duration,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> (Result<T, Raw>, Option<Duration>) {
    match tokio::time::timeout(limit, on_fiber(call)).await {
        Ok((result, time)) => (result.map_err(Raw::Wasm), Some(time)),
        Err(_) => (Err(Raw::WallTime), None),
    }
}

fn fault(raw: Raw, store: &Store<State>) -> Fault {
    match raw {
        Raw::WallTime => Fault::WallTime,
        Raw::Wasm(error) if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) => {
            match store.data().budget.exceeded() {
                None => Fault::CpuTime,
                Some(Exceeded::Calls) => Fault::HostCalls,
                Some(Exceeded::Bytes) => Fault::HostBytes,
                Some(Exceeded::WallTime) => Fault::WallTime,
            }
        }
        Raw::Wasm(error) => {
            let state = store.data();
            let memory = match state.memory_refused {
                true => {
                    format!(" (it asked for more memory than `limits.memory`, {} bytes)", state.shared.limits.memory)
                }
                false => String::new(),
            };
            let (why, stack) = stack::told(&error);
            Fault::Trap { why: why + &memory, stack }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_system_that_was_busy_is_asked_again() {
        let of = |kind| Raw::Wasm(wasmtime::Error::new(io::Error::from(kind)).context("cannot add seals"));
        assert!(is_passing(&of(io::ErrorKind::ResourceBusy)));
        assert!(!is_passing(&of(io::ErrorKind::OutOfMemory)));
        assert!(!is_passing(&Raw::Wasm(Trap::Interrupt.into())) && !is_passing(&Raw::WallTime));
    }
}
