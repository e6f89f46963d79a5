//! Where calls that run long are made: on threads beside the workers, of a lower priority and only half as many as there
//! are processors, so that a worker that has something to do finds one. One set of threads for the process; their calls
//! are on fibers, and each lets the others of its thread run at every tick.

use std::{num::NonZero, panic::resume_unwind, sync::LazyLock, thread::available_parallelism};

use tokio::{runtime::Runtime, task::JoinHandle};

/// How much the threads give way: a tenth of what a worker gets, where both want all of a processor.
const NICE: i32 = 10;

static THREADS: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads((available_parallelism().map_or(1, NonZero::get) / 2).max(1))
        .thread_name("beside")
        .on_thread_start(|| {
            // Of the calling thread, on Linux. Where it is refused, they run as the workers do.
            let _ = rustix::process::nice(NICE);
        })
        .enable_all()
        .build()
        .expect("a process that cannot start its threads cannot serve")
});

/// Runs something there, and waits for it. It ends where it waits when nobody wants it any more.
pub(super) async fn run<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
    let mut task = Task(THREADS.spawn(call));
    match (&mut task.0).await {
        Ok(value) => value,
        Err(error) => resume_unwind(error.into_panic()),
    }
}

/// Drops something there: what a guest had in memory may take a while to be given back.
pub(super) fn discard<T: Send + 'static>(value: T) {
    THREADS.spawn(async { drop(value) });
}

struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
