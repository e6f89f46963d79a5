//! The WASI base that every plugin may import: clocks, randomness, standard output to the log; an empty environment,
//! no files, no sockets. Outbound HTTP is in `http.rs`.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use rand::{Rng, SeedableRng as _, rngs::StdRng};
use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{
    WasiCtx, WasiCtxView, WasiView,
    cli::{IsTerminal, StdoutStream},
    clocks::{HostMonotonicClock, HostWallClock},
    p2::{OutputStream, Pollable, StreamResult},
};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::{bindings::gatehouse::plugin::log::Level, http::Hooks, shared::Shared, stage::Stage, state::State};

/// WASI's side of an instance.
pub(super) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    pub(super) hooks: Hooks,
    clock: Clock,
    /// Whether clock, randomness or network was used since it was last asked.
    pub(super) outside: Arc<AtomicBool>,
}

impl Wasi {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let outside = Arc::new(AtomicBool::new(false));
        let clock = Clock { outside: outside.clone(), stage: shared.stage.clone() };
        let ctx = WasiCtx::builder()
            .wall_clock(clock.clone())
            .monotonic_clock(Uptime(Instant::now()))
            .secure_random(Random::new(shared, &outside))
            .insecure_random(Random::new(shared, &outside))
            .max_random_size(64 << 10)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .stdout(Stdio(shared.clone(), Level::Info))
            .stderr(Stdio(shared.clone(), Level::Warn))
            .build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(64 << 10);
        let mut table = ResourceTable::new();
        table.set_max_capacity(shared.limits.handles);
        Self { ctx, table, http, hooks: Hooks::new(shared.clone(), outside.clone()), clock, outside }
    }
}

impl WasiView for State {
    /// Asked for by each of WASI's functions.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.budget.note_host_call();
        let wasi = self.wasi.as_mut().expect("a component that imports WASI gets it");
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.budget.note_host_call();
        let wasi = self.wasi.as_mut().expect("a component that imports WASI gets it");
        WasiHttpCtxView { hooks: &mut wasi.hooks, table: &mut wasi.table, ctx: &mut wasi.http }
    }
}

/// What the clocks' times are rounded to: finer ones tell what others do in the same caches.
const FINEST: Duration = Duration::from_micros(1);

impl State {
    /// The wall clock, for a guest that asks for it.
    pub(super) fn wall_clock(&mut self) -> &Clock {
        self.budget.note_host_call();
        &self.wasi.as_ref().expect("a component that imports WASI gets it").clock
    }
}

/// The wall clock, which notes that it was read.
#[derive(Clone)]
pub(super) struct Clock {
    outside: Arc<AtomicBool>,
    stage: Option<Arc<Stage>>,
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        FINEST
    }

    fn now(&self) -> Duration {
        self.outside.store(true, Ordering::Relaxed);
        if let Some(stage) = &self.stage {
            return stage.now();
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Duration::from_micros(now.as_micros() as u64)
    }
}

/// Time since the instance was made. Reading it is not noted: a duration says nothing that a verdict may depend on.
struct Uptime(Instant);

impl HostMonotonicClock for Uptime {
    fn resolution(&self) -> u64 {
        FINEST.as_nanos() as u64
    }

    fn now(&self) -> u64 {
        self.0.elapsed().as_micros() as u64 * 1000
    }
}

/// The system's randomness, which notes that it was read. On a stage it is the same each time.
struct Random {
    outside: Arc<AtomicBool>,
    repeating: Option<StdRng>,
}

impl Random {
    fn new(shared: &Shared, outside: &Arc<AtomicBool>) -> Self {
        let repeating = shared.stage.as_ref().map(|_| StdRng::seed_from_u64(0));
        Self { outside: outside.clone(), repeating }
    }

    fn with<T>(&mut self, make: impl FnOnce(&mut dyn Rng) -> T) -> T {
        self.outside.store(true, Ordering::Relaxed);
        match &mut self.repeating {
            Some(source) => make(source),
            None => make(&mut rand::rng()),
        }
    }
}

impl rand::TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.with(|source| source.next_u32()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.with(|source| source.next_u64()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.with(|source| source.fill_bytes(bytes));
        Ok(())
    }
}

/// Standard output and error: each line becomes a line of the log.
struct Stdio(Arc<Shared>, Level);

impl IsTerminal for Stdio {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdio {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(LogStream { shared: self.0.clone(), level: self.1, line: Vec::new() })
    }
}

struct LogStream {
    shared: Arc<Shared>,
    level: Level,
    line: Vec<u8>,
}

impl LogStream {
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.shared.log(self.level, &String::from_utf8_lossy(&self.line), None);
            self.line.clear();
        }
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        for &byte in &bytes {
            match byte {
                b'\n' => self.end_line(),
                byte => self.line.push(byte),
            }
            if self.line.len() >= 8 << 10 {
                self.end_line();
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl Drop for LogStream {
    fn drop(&mut self) {
        self.end_line();
    }
}
