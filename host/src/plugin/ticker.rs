//! The clock of epochs: what ends a guest that has run for too long.
//!
//! It ticks only while guests run. Ticking all the time costs a thousand wake-ups a second: more than a hundredth of
//! an idle gateway's core, and a microsecond of each request of a busy one. So it looks now and then whether a guest
//! runs just now, and only if so it ticks, until it finds none.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::Engine;

/// The length of an epoch: how often a guest that runs is looked at.
const TICK: Duration = Duration::from_millis(1);

/// From one look to the next. A guest may run for as long as this before its time begins to count.
const LOOK: Duration = Duration::from_millis(2);

/// Looks in a row that find that nothing has run, after which it stands until something does.
const IDLE_LOOKS: u32 = 500;

struct Ticker {
    /// Guests that run now, in the lower half; how many have begun, in the upper. It wraps.
    running: AtomicU64,
    parked: AtomicBool,
    thread: OnceLock<Thread>,
}

static TICKER: Ticker = Ticker { running: AtomicU64::new(0), parked: AtomicBool::new(false), thread: OnceLock::new() };

/// A guest that runs, for as long as this lives.
pub(super) struct Running(());

impl Running {
    pub(super) fn new() -> Self {
        TICKER.running.fetch_add((1 << 32) + 1, Ordering::SeqCst);
        // Either the ticker sees the guest before it parks, or this sees that it has parked.
        if TICKER.parked.load(Ordering::SeqCst)
            && let Some(thread) = TICKER.thread.get()
        {
            thread.unpark();
        }
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        TICKER.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Ticker {
    fn run(&self, engine: &Engine) {
        let mut seen = 0;
        let mut idle_looks = 0;
        loop {
            let now = self.running.load(Ordering::SeqCst);
            if now as u32 != 0 {
                thread::sleep(TICK);
                engine.increment_epoch();
                continue;
            }
            idle_looks = if now == seen { idle_looks + 1 } else { 0 };
            seen = now;
            if idle_looks < IDLE_LOOKS {
                thread::sleep(LOOK);
                continue;
            }
            self.parked.store(true, Ordering::SeqCst);
            if self.running.load(Ordering::SeqCst) == seen {
                thread::park();
            }
            self.parked.store(false, Ordering::SeqCst);
            idle_looks = 0;
        }
    }
}

/// Starts the ticker, which lives as long as the process.
pub(super) fn start(engine: Engine) {
    let ticker = thread::Builder::new().name("epochs".into());
    let running = ticker
        .spawn(move || TICKER.run(&engine))
        .expect("a process that cannot start one thread at its beginning cannot serve");
    TICKER.thread.get_or_init(|| running.thread().clone());
}
