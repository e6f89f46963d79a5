//! What one call of a guest may still use: CPU time, wall time, host calls, bytes handed to the host.
//!
//! CPU time is the thread's own clock, read only when a tick finds the guest running: a machine that is busy elsewhere
//! ends no innocent call, and a guest that spends its ticks in instructions longer than one (`memory.fill`) or in host
//! calls pays for them.

use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::Trap;

use super::ticker::Running;
use crate::config::PluginLimits;

thread_local! {
    /// What the thread's clock showed when the guest that runs now began, less what it had used before; `UNKNOWN` until
    /// the first tick that finds a plain call running that is not measured: reading the clock at each call would cost it
    /// a tenth more.
    static BEGAN: Cell<i64> = const { Cell::new(UNKNOWN) };
}

const UNKNOWN: i64 = i64::MIN;

/// The time that one call may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    pub(super) cpu: Duration,
    pub(super) wall: Duration,
}

impl Time {
    /// Of a hook.
    pub(super) fn of_hook(limits: &PluginLimits) -> Self {
        Self { cpu: limits.cpu, wall: limits.time }
    }

    /// Of making an instance. Its wall time is more than enough where others want the processor too.
    pub(super) fn of_start(limits: &PluginLimits) -> Self {
        Self { cpu: limits.init, wall: limits.time.max(limits.init * 5) }
    }
}

/// What a call may still use.
#[derive(Debug, Default)]
pub(super) struct Budget {
    cpu: Duration,
    /// From the first tick that has found it running.
    wall: Duration,
    end: Option<Instant>,
    host_calls: u32,
    host_bytes: usize,
    /// What was used up, other than CPU time.
    exceeded: Option<Exceeded>,
}

/// A limit, other than CPU time, that a call of a guest has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    /// `limits.host_calls`
    Calls,
    /// `limits.host_bytes`
    Bytes,
    /// `limits.time`
    WallTime,
}

impl Budget {
    /// For one call with so much time.
    pub(super) fn new(limits: &PluginLimits, time: Time) -> Self {
        Self {
            cpu: time.cpu,
            wall: time.wall,
            end: None,
            host_calls: limits.host_calls,
            host_bytes: limits.host_bytes,
            exceeded: None,
        }
    }

    /// Takes one host call that hands over so many bytes.
    pub(super) fn host_call(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.note_host_call();
        match self.host_bytes.checked_sub(bytes) {
            Some(left) => self.host_bytes = left,
            None => self.exceeded = self.exceeded.or(Some(Exceeded::Bytes)),
        }
        self.checked()
    }

    /// Takes a host call where it cannot be refused; the next tick or host call of ours ends the guest.
    pub(super) fn note_host_call(&mut self) {
        match self.host_calls.checked_sub(1) {
            Some(left) => self.host_calls = left,
            None => self.exceeded = self.exceeded.or(Some(Exceeded::Calls)),
        }
    }

    /// A tick has found the guest running. How much CPU time it has used, as far as is known.
    pub(super) fn tick(&mut self) -> wasmtime::Result<Duration> {
        self.checked()?;
        let now = Instant::now();
        let end = *self.end.get_or_insert(now + self.wall);
        let used = used();
        if used < self.cpu && now < end {
            return Ok(used);
        }
        if used < self.cpu {
            self.exceeded = Some(Exceeded::WallTime);
        }
        Err(Trap::Interrupt.into())
    }

    /// What was used up, other than CPU time.
    pub(super) fn exceeded(&self) -> Option<Exceeded> {
        self.exceeded
    }

    fn checked(&self) -> wasmtime::Result<()> {
        match self.exceeded {
            None => Ok(()),
            Some(_) => Err(Trap::Interrupt.into()),
        }
    }
}

/// Runs a plain call. Its time counts from its beginning if it is `measured`, and is told then; else from the first tick
/// that finds it running.
pub(super) fn plainly<T>(measured: bool, guest: impl FnOnce() -> T) -> (T, Option<Duration>) {
    BEGAN.set(if measured { thread_time() } else { UNKNOWN });
    let running = Running::new();
    let value = guest();
    drop(running);
    (value, measured.then(used))
}

/// Runs a call on a fiber, and tells its time: only that in which it is polled counts.
pub(super) async fn on_fiber<T>(guest: impl Future<Output = T>) -> (T, Duration) {
    let mut guest = pin!(guest);
    let mut used = 0;
    poll_fn(|context| {
        let began = thread_time() - used;
        BEGAN.set(began);
        let running = Running::new();
        let polled = guest.as_mut().poll(context);
        drop(running);
        used = thread_time() - began;
        polled.map(|value| (value, nanoseconds(used)))
    })
    .await
}

/// CPU time of the guest that runs on this thread.
fn used() -> Duration {
    let now = thread_time();
    if BEGAN.get() == UNKNOWN {
        BEGAN.set(now);
    }
    nanoseconds(now - BEGAN.get())
}

fn nanoseconds(number: i64) -> Duration {
    Duration::from_nanos(u64::try_from(number).unwrap_or(0))
}

/// CPU time of this thread in nanoseconds.
fn thread_time() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Budget {
        let (cpu, wall) = (Duration::from_millis(5), Duration::from_secs(60));
        Budget { cpu, wall, end: None, host_calls: 2, host_bytes: 10, exceeded: None }
    }

    #[test]
    fn host_calls_and_their_bytes_are_counted() {
        let mut budget = limits();
        budget.host_call(4).unwrap();
        budget.host_call(6).unwrap();
        assert!(budget.host_call(0).is_err() && budget.exceeded() == Some(Exceeded::Calls));
        let mut budget = limits();
        assert!(budget.host_call(11).is_err() && budget.exceeded() == Some(Exceeded::Bytes));
        assert!(budget.host_call(0).is_err(), "what is used up stays used up");
    }

    #[test]
    fn a_call_that_could_not_be_refused_ends_at_the_next_tick() {
        let mut budget = limits();
        (0..3).for_each(|_| budget.note_host_call());
        assert!(budget.tick().is_err());
    }

    #[test]
    fn a_call_that_gets_no_processor_ends_with_its_wall_time() {
        let mut budget = Budget { wall: Duration::from_millis(10), ..limits() };
        plainly(false, || {
            budget.tick().unwrap();
            std::thread::sleep(Duration::from_millis(20));
            assert!(budget.tick().is_err() && budget.exceeded() == Some(Exceeded::WallTime));
        });
    }

    #[test]
    fn only_time_on_the_processor_counts() {
        let mut budget = limits();
        plainly(false, || {
            budget.tick().unwrap();
            std::thread::sleep(Duration::from_millis(20));
            budget.tick().unwrap();
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(100) && budget.tick().is_ok() {}
            assert!(budget.tick().is_err());
        });
    }
}
