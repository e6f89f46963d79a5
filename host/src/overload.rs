//! Overload: how much a worker has to do, and what it refuses when that is too much: new requests, before anybody has worked
//! on them. What is under way goes on.
//!
//! Three signs, each with a bound of its own: exchanges under way, how late the worker's loop is, and the memory of the
//! process. The request path looks at what is kept here; looking closer is done by `watch`, ten times a second, and for the memory by
//! a thread.

mod memory;
mod pressure;

pub(crate) use memory::watch as watch_memory;

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use self::pressure::Pressure;
use crate::{
    config::{Overload, Priority},
    failure::Failure,
    worker::Worker,
};

/// So often a worker looks how late it is.
const TICK: Duration = Duration::from_millis(100);

/// Exchanges that a worker may have although there is too little memory: what it had may never come back to the system.
const FEW: usize = 8;

/// How the process stands.
#[derive(Debug)]
pub(crate) struct Loads {
    workers: Box<[Load]>,
    /// Bytes, where they are looked at.
    pub(crate) memory: AtomicU64,
    too_much_memory: AtomicBool,
}

/// How a worker stands. Written by it alone, and far enough from others' that nobody waits for a cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Load {
    under_way: AtomicUsize,
    late_us: AtomicU64,
    shedding: AtomicU32,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// `overload.max_requests` are under way.
    Requests,
    /// The worker is later than `overload.max_delay`.
    Delay,
    /// The process has more than `overload.max_memory`.
    Memory,
}

impl Shed {
    /// As metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Delay => "delay",
            Self::Memory => "memory",
        }
    }
}

/// What a worker keeps at hand.
#[derive(Debug, Default)]
pub(crate) struct Strain {
    /// Of a thousand requests, how many are refused.
    shedding: Cell<u32>,
    /// Adds them up to whole ones.
    sum: Cell<u32>,
    memory: Cell<bool>,
}

impl Loads {
    pub(crate) fn new(workers: usize) -> Arc<Self> {
        let workers = (0..workers).map(|_| Load::default()).collect();
        Arc::new(Self { workers, memory: AtomicU64::new(0), too_much_memory: AtomicBool::new(false) })
    }

    /// An exchange of a worker begins.
    pub(crate) fn begin(&self, worker: usize) {
        let count = &self.workers[worker].under_way;
        // Nobody else writes it.
        count.store(count.load(Relaxed) + 1, Relaxed);
    }

    /// One is over.
    pub(crate) fn end(&self, worker: usize) {
        let count = &self.workers[worker].under_way;
        count.store(count.load(Relaxed).saturating_sub(1), Relaxed);
    }

    /// Exchanges of all workers.
    pub(crate) fn under_way(&self) -> usize {
        self.workers.iter().map(|load| load.under_way.load(Relaxed)).sum()
    }

    /// How late the latest worker is.
    pub(crate) fn late(&self) -> Duration {
        let late = self.workers.iter().map(|load| load.late_us.load(Relaxed)).max();
        Duration::from_micros(late.unwrap_or(0))
    }

    /// The largest part of requests that a worker refuses, from 0 to 1.
    pub(crate) fn shedding(&self) -> f64 {
        let most = self.workers.iter().map(|load| load.shedding.load(Relaxed)).max();
        f64::from(most.unwrap_or(0)) / 1000.0
    }
}

/// Whether a request, which counts as under way, may go on.
pub(crate) fn admit(worker: &Worker, config: &Overload, priority: Priority) -> Result<(), Failure> {
    let strain = &worker.strain;
    if config.max_requests.is_none() && strain.shedding.get() == 0 && !strain.memory.get() {
        return Ok(());
    }
    closer(worker, config, priority)
}

#[cold]
fn closer(worker: &Worker, config: &Overload, priority: Priority) -> Result<(), Failure> {
    let loads = &worker.gateway.loads;
    let strain = &worker.strain;
    let shed = if priority == Priority::Critical {
        None
    } else if config.max_requests.is_some_and(|most| loads.under_way() > most) {
        Some(Shed::Requests)
    } else if strain.memory.get() && loads.workers[worker.index].under_way.load(Relaxed) > FEW {
        Some(Shed::Memory)
    } else {
        strain.is_next().then_some(Shed::Delay)
    };
    let Some(why) = shed else { return Ok(()) };
    worker.gateway.metrics.shed(why);
    Err(Failure::Overloaded { why, wait: config.retry_after.as_secs() })
}

impl Strain {
    /// Spreads those that are refused evenly.
    fn is_next(&self) -> bool {
        let sum = self.sum.get() + self.shedding.get();
        self.sum.set(sum % 1000);
        sum >= 1000
    }
}

/// Keeps looking how late the worker is: how long what is ready has to wait for its turn.
pub(crate) async fn watch(worker: &Worker) {
    let mut pressure = Pressure::default();
    loop {
        let due = Instant::now() + TICK;
        sleep_until(due).await;
        let now = Instant::now();
        let late = now.saturating_duration_since(due);
        let shedding = pressure.seen(late, now, worker.gateway.snapshot().config.overload.max_delay);
        let load = &worker.gateway.loads.workers[worker.index];
        load.late_us.store(late.as_micros() as u64, Relaxed);
        load.shedding.store(shedding, Relaxed);
        let memory = worker.gateway.loads.too_much_memory.load(Relaxed);
        let before = (worker.strain.shedding.replace(shedding), worker.strain.memory.replace(memory));
        if (before.0 > 0, before.1) != (shedding > 0, memory) {
            let (worker, late) = (worker.index, late.as_millis() as u64);
            match shedding > 0 || memory {
                true => tracing::warn!(worker, late_ms = late, memory, "overloaded: new requests are refused"),
                false => tracing::info!(worker, "no longer overloaded"),
            }
        }
    }
}
