//! What became of each request: what its client, the upstream and the gateway's access log know of it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use super::Sum;
use crate::soak::{
    connection::{Answer, Connection, Lost},
    load::{Traffic, get},
    lock,
    upstream::{Received, Reply},
};

/// The path of the exchange that hangs. It has no number, so nobody misses it.
const HANGING: &str = "/hanging";

/// Longer than any drain.
const HANG: Duration = Duration::from_secs(8);

/// How long a client rests that cannot connect.
const REST: Duration = Duration::from_millis(2);

/// Bytes of a body that is not small.
const LARGE: usize = 64 << 10;

/// A request.
#[derive(Default)]
struct Fate {
    reached: bool,
    logged: bool,
    answered: bool,
    /// Why it has no answer; whether a connection was closed on it unread, as far as its client can tell.
    lost: Option<(String, Unread)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unread {
    No,
    OnKept,
    OnNew,
    /// There was no connection.
    Unconnected,
}

/// All requests of one life of the gateway.
#[derive(Default)]
pub(super) struct Fates {
    by_number: Mutex<HashMap<u64, Fate>>,
    /// Whether the exchange that hangs does so.
    hanging: Mutex<bool>,
    hangs: Condvar,
}

impl Fates {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Fate>> {
        lock(&self.by_number)
    }

    /// What the upstream does when a request reaches it: it is slow, quick, or streams.
    pub(super) fn reached(&self, received: &Received<'_>) -> Reply {
        let Some(number) = received.target.rsplit('/').next().and_then(|number| number.parse().ok()) else {
            *lock(&self.hanging) = true;
            self.hangs.notify_all();
            return Reply { delay: HANG, ..Reply::default() };
        };
        self.lock().entry(number).or_default().reached = true;
        let body = Kind::of(number).body(number, received.length);
        match Kind::of(number) {
            Kind::Quick | Kind::Large | Kind::Upload => Reply { body, ..Reply::default() },
            Kind::Slow => Reply { delay: Duration::from_millis(number % 300), body, ..Reply::default() },
            Kind::Streamed => Reply { delay: Duration::from_millis(number % 20), body, chunks: 10, ..Reply::default() },
        }
    }

    /// An access line was written.
    pub(super) fn logged(&self, number: u64) {
        self.lock().entry(number).or_default().logged = true;
    }

    /// Has an exchange under way that does not end.
    pub(super) fn hang(&self, address: SocketAddr) {
        // It is cut off.
        let _ = Connection::open(address).and_then(|mut connection| connection.ask(&[&get(HANGING)]));
    }

    /// Waits until that exchange has reached the upstream.
    pub(super) fn wait_for_hanging(&self) {
        let hanging = lock(&self.hanging);
        let waited = self.hangs.wait_timeout_while(hanging, HANG, |hanging| !*hanging);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    /// Adds up what became of all, and forgets them.
    pub(super) fn judge(&self, sum: &mut Sum) {
        for (number, fate) in self.lock().drain() {
            let Fate { reached, logged, answered, lost } = fate;
            sum.answered += u64::from(answered);
            sum.unlogged += u64::from(answered && !logged);
            let Some((why, unread)) = lost else { continue };
            match unread {
                Unread::OnKept if !reached && !logged => sum.idle += 1,
                Unread::OnNew if !reached && !logged => sum.new += 1,
                Unread::Unconnected => {}
                _ => sum.lost.push(format!("request {number}, reached {reached}, logged {logged}: {why}")),
            }
        }
    }
}

/// What a request is like, by its number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Quick,
    Slow,
    Streamed,
    Large,
    Upload,
}

impl Kind {
    fn of(number: u64) -> Self {
        match number % 64 {
            0 => Self::Slow,
            1 => Self::Streamed,
            2 => Self::Large,
            3 => Self::Upload,
            _ => Self::Quick,
        }
    }

    /// The answer's body, which nothing else has.
    fn body(self, number: u64, uploaded: usize) -> Vec<u8> {
        let mut body = format!("{number} {uploaded} ").into_bytes();
        if matches!(self, Self::Streamed | Self::Large) {
            body.resize(LARGE, b'a' + (number % 26) as u8);
        }
        body
    }
}

/// Requests of all kinds.
pub(super) struct Kinds<'a>(&'a Fates);

impl<'a> Kinds<'a> {
    pub(super) fn new(fates: &'a Fates) -> Self {
        Self(fates)
    }
}

impl Traffic for Kinds<'_> {
    fn request(&self, number: u64) -> Vec<Vec<u8>> {
        if Kind::of(number) != Kind::Upload {
            return vec![get(&format!("/stop/{number}"))];
        }
        let head = format!("POST /stop/{number} HTTP/1.1\r\nhost: soak.test\r\ncontent-length: {LARGE}\r\n\r\n");
        let half = vec![b'u'; LARGE / 2];
        vec![head.into_bytes(), half.clone(), half]
    }

    fn answered(&self, number: u64, answer: &Answer) -> Result<(), String> {
        self.0.lock().entry(number).or_default().answered = true;
        let kind = Kind::of(number);
        let uploaded = if kind == Kind::Upload { LARGE } else { 0 };
        match answer.status == 200 && answer.body == kind.body(number, uploaded) && answer.header("x-probe").is_some() {
            true => Ok(()),
            false => Err(format!(
                "{}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)])
            )),
        }
    }

    fn lost(&self, number: u64, kept: bool, lost: &Lost) -> Option<String> {
        let unread = match lost {
            Lost::Unconnected(_) => Unread::Unconnected,
            Lost::Unanswered(_) if kept => Unread::OnKept,
            Lost::Unanswered(_) => Unread::OnNew,
            _ => Unread::No,
        };
        self.0.lock().entry(number).or_default().lost = Some((lost.to_string(), unread));
        if unread == Unread::Unconnected {
            thread::sleep(REST);
        }
        None
    }
}
