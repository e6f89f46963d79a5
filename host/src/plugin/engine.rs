//! The one wasmtime engine of the process: its settings and its linker.
//!
//! One engine, because compiled code and type indices belong to an engine. Concurrency support is off: hooks are
//! synchronous, and without it a call costs less (3.4 instead of 4.1 us before anything else was tuned).

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy, WasmBacktraceDetails,
    component::{HasSelf, Linker},
};

use super::{bindings, http, state::State, ticker};

/// The most memory that any instance may be granted: the size of the pool's slots.
pub(crate) const MAX_MEMORY: usize = 256 << 20;

/// Instances of all plugins together, in the process.
pub(crate) const MAX_INSTANCES: u32 = 2000;

/// Whether the stack of a trap has the lines that a component's debug information tells.
static DEBUG_INFO: AtomicBool = AtomicBool::new(false);

/// From here on stacks of traps have lines. It is called before the first plugin is loaded. To find them costs some
/// milliseconds a trap, and reads what an author may have made up: it is for who writes plugins.
pub fn read_debug_info() {
    DEBUG_INFO.store(true, Ordering::Relaxed);
}

pub(super) fn reads_debug_info() -> bool {
    DEBUG_INFO.load(Ordering::Relaxed)
}

/// The engine with its linker.
pub(super) struct Runtime {
    pub(super) engine: Engine,
    pub(super) linker: Linker<State>,
}

/// The engine and its linker, made at first use.
pub(super) fn runtime() -> Result<&'static Runtime, wasmtime::Error> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = start()?;
    Ok(RUNTIME.get_or_init(|| {
        ticker::start(runtime.engine.clone());
        runtime
    }))
}

fn start() -> Result<Runtime, wasmtime::Error> {
    let engine = Engine::new(config().allocation_strategy(InstanceAllocationStrategy::Pooling(pool())))?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    http::add_to_linker(&mut linker)?;
    bindings::Host_::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(Runtime { engine, linker })
}

/// What code is compiled for, here and in the compiler's process, which needs no pool.
pub(super) fn config() -> Config {
    let mut config = Config::new();
    let details = if reads_debug_info() { WasmBacktraceDetails::Enable } else { WasmBacktraceDetails::Disable };
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        .concurrency_support(false)
        // A smaller surface for plugins: nothing that the supported languages compile to needs these.
        .wasm_gc(false)
        .wasm_exceptions(false)
        .wasm_memory64(false)
        .gc_support(false)
        .wasm_backtrace_details(details)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(32));
    config
}

/// Every total is written out: wasmtime's defaults for a component's parts are unlimited.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(MAX_INSTANCES * 4)
        .total_memories(MAX_INSTANCES)
        .total_tables(MAX_INSTANCES * 2)
        .total_stacks(MAX_INSTANCES)
        .max_core_instances_per_component(32)
        .max_memories_per_component(4)
        .max_tables_per_component(32)
        .max_tables_per_module(4)
        .max_memories_per_module(1)
        .max_memory_size(MAX_MEMORY)
        .table_elements(20_000)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        // A fresh instance per request: 19 us with both of these, 33 us without.
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(100)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(64 << 10);
    pool
}
