//! Load on a gateway: threads with a kept connection each, at full speed or at a rate, each answer looked at as a whole.

use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    connection::{Answer, Connection, Lost},
    latency::Latencies,
    lock,
};

/// So many failures are told, more only counted.
const TOLD: usize = 20;

/// What is asked, and what is thought of the answers.
pub(crate) trait Traffic: Sync {
    /// The request of a number, in the pieces that it is sent in. No two requests of a run have one number.
    fn request(&self, number: u64) -> Vec<Vec<u8>>;

    /// Looks at a whole answer; an error is why it is not good.
    fn answered(&self, number: u64, answer: &Answer) -> Result<(), String>;

    /// What is thought of a request without a whole answer; `kept` tells that the connection has had answers before. None:
    /// nothing was lost.
    fn lost(&self, _number: u64, _kept: bool, lost: &Lost) -> Option<String> {
        Some(lost.to_string())
    }
}

/// A plain GET of a path.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: soak.test\r\nuser-agent: soak/1\r\naccept: */*\r\n\r\n").into_bytes()
}

/// A load, from outside: what it found so far, and how it is told to change or to end.
#[derive(Default)]
pub(crate) struct Load {
    stop: AtomicBool,
    paused: AtomicBool,
    next: AtomicU64,
    /// The phase that latencies are counted for.
    phase: AtomicUsize,
    failed: AtomicU64,
    failures: Mutex<Vec<String>>,
    latencies: Mutex<Vec<Latencies>>,
}

impl Load {
    /// One whose requests have the numbers after those of another.
    pub(crate) fn after(other: &Self) -> Self {
        Self { next: AtomicU64::new(other.next.load(Ordering::Relaxed)), ..Self::default() }
    }

    /// Loads until it is told to stop: so many connections, so many requests a second together, or as many as go.
    pub(crate) fn run(&self, address: SocketAddr, connections: usize, rate: Option<f64>, traffic: &impl Traffic) {
        let start = Instant::now();
        thread::scope(|scope| {
            for index in 0..connections {
                let every = rate.map(|rate| Duration::from_secs_f64(connections as f64 / rate));
                let first = start + every.unwrap_or_default().mul_f64(index as f64 / connections as f64);
                scope.spawn(move || self.client(address, every.map(|every| (first, every)), traffic));
            }
        });
    }

    /// Loads at full speed for a while; the requests a second that went.
    pub(crate) fn capacity(
        address: SocketAddr,
        connections: usize,
        time: Duration,
        traffic: &impl Traffic,
    ) -> (f64, Self) {
        let load = Self::default();
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| load.run(address, connections, None, traffic));
            thread::sleep(time);
            load.stop();
        });
        (load.latencies(0).count() as f64 / start.elapsed().as_secs_f64(), load)
    }

    /// Tells it to end: requests that are under way are waited for.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Makes no request for as long as it is paused; those under way go on.
    pub(crate) fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// From here on latencies are those of another phase.
    pub(crate) fn enter(&self, phase: usize) {
        self.phase.store(phase, Ordering::Relaxed);
    }

    /// The latencies of a phase. Complete when the load has ended.
    pub(crate) fn latencies(&self, phase: usize) -> Latencies {
        lock(&self.latencies).get(phase).cloned().unwrap_or_default()
    }

    /// How many requests were made.
    pub(crate) fn made(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Waits until so many requests were made.
    pub(crate) fn wait_for(&self, requests: u64) {
        while self.made() < requests {
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many requests failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The first failures.
    pub(crate) fn failures(&self) -> Vec<String> {
        lock(&self.failures).clone()
    }

    fn client(&self, address: SocketAddr, pace: Option<(Instant, Duration)>, traffic: &impl Traffic) {
        let mut connection = None;
        let mut latencies: Vec<Latencies> = Vec::new();
        let mut due = pace.map(|(first, _)| first);
        while !self.stop.load(Ordering::Relaxed) {
            if self.paused.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
                // Nothing is made up for, and each client keeps its turn among the others.
                while let (Some(at), Some((_, every))) = (due, pace)
                    && at < Instant::now()
                {
                    due = Some(at + every);
                }
                continue;
            }
            if let (Some(at), Some((_, every))) = (due, pace) {
                let now = Instant::now();
                thread::sleep(at.saturating_duration_since(now));
                // What was missed in a long pause is not made up for.
                due = Some(if now > at + Duration::from_secs(1) { now } else { at + every });
            }
            let phase = self.phase.load(Ordering::Relaxed);
            let start = Instant::now();
            if self.one(address, &mut connection, traffic) {
                latencies.resize(latencies.len().max(phase + 1), Latencies::default());
                latencies[phase].add(start.elapsed());
            }
        }
        let mut all = lock(&self.latencies);
        let length = all.len().max(latencies.len());
        all.resize(length, Latencies::default());
        all.iter_mut().zip(latencies).for_each(|(all, own)| all.join(own));
    }

    /// Makes one request; whether it was answered well.
    fn one(&self, address: SocketAddr, connection: &mut Option<Connection>, traffic: &impl Traffic) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let pieces = traffic.request(number);
        let pieces: Vec<_> = pieces.iter().map(Vec::as_slice).collect();
        let kept = connection.is_some();
        let open = connection.take().map_or_else(|| Connection::open(address), Ok);
        let asked = open.and_then(|mut open| open.ask(&pieces).map(|answer| (open, answer)));
        let failure = match asked {
            Ok((open, answer)) => {
                *connection = (!answer.is_last()).then_some(open);
                traffic.answered(number, &answer).err()
            }
            Err(lost) => {
                let failure = traffic.lost(number, kept, &lost);
                if failure.is_none() {
                    return false;
                }
                failure
            }
        };
        let Some(failure) = failure else { return true };
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = lock(&self.failures);
        if failures.len() < TOLD {
            failures.push(format!("request {number}: {failure}"));
        }
        false
    }
}
