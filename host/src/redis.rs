//! Limits that several gateways share, in Redis: one round trip a decision, by a script that takes from all meters of a
//! request or from none, by the clock of the server.
//!
//! No request waits for it longer than `timeout`. One that did not get an answer in time says that Redis is away: then none
//! waits, until one task that asks again and again, ever more seldom, has got an answer. What decides meanwhile is
//! `when_away`. Each worker has connections of its own.

mod connection;
mod script;

pub(crate) use script::{Asked, Meter};

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::{config, limits::Taken, lock::lock, tls::Connector};
use connection::{Answer, Connection};

/// Connections of one worker. Decisions beyond wait for each other, within `timeout`.
const CONNECTIONS: usize = 16;

/// Between two attempts to reach a Redis that is away: at first, and at the most.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// What one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(1);

/// A Redis.
pub(crate) struct Redis {
    pub(crate) config: config::Redis,
    connector: Option<Connector>,
    /// By worker.
    lanes: Vec<Lane>,
    away: AtomicBool,
    /// When it came back, and how long the next rest is if it goes again soon.
    rest: Mutex<(Instant, Duration)>,
    answered: Counter,
    unanswered: Counter,
    available: Gauge,
}

/// The connections of one worker.
struct Lane {
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

/// There was no answer.
#[derive(Debug)]
pub(crate) struct Away;

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Redis {
    /// One that is taken to be there until it is not; `workers` may ask it.
    pub(crate) fn new(
        config: config::Redis,
        connector: Option<Connector>,
        workers: usize,
        (answered, unanswered, available): (Counter, Counter, Gauge),
    ) -> Arc<Self> {
        let lane = || Lane { idle: Mutex::default(), places: Semaphore::new(CONNECTIONS) };
        let lanes = std::iter::repeat_with(lane).take(workers).collect();
        available.set(1);
        let rest = Mutex::new((Instant::now(), FIRST));
        Arc::new(Self { config, connector, lanes, away: false.into(), rest, answered, unanswered, available })
    }

    /// Whether it is the same as another that is to be.
    pub(crate) fn is_same(&self, config: &config::Redis, connector: Option<&Connector>) -> bool {
        let digest = |of: Option<&Connector>| of.map(|connector| connector.digest);
        self.config == *config && digest(self.connector.as_ref()) == digest(connector)
    }

    /// Takes from all that are asked for, or from none; what each says, up to the first that refuses.
    pub(crate) async fn take(self: &Arc<Self>, worker: usize, asked: &[Asked<'_>]) -> Result<Vec<Taken>, Away> {
        let unanswered = || {
            self.unanswered.inc();
            Away
        };
        let lane = self.lanes.get(worker).ok_or_else(unanswered)?;
        if self.away.load(Ordering::Relaxed) {
            return Err(unanswered());
        }
        let why = match timeout(self.config.timeout, self.ask(lane, asked)).await {
            Ok(Ok(taken)) => {
                self.answered.inc();
                return Ok(taken);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.config.timeout),
        };
        self.lost(worker, &why);
        Err(unanswered())
    }

    async fn ask(&self, lane: &Lane, asked: &[Asked<'_>]) -> io::Result<Vec<Taken>> {
        let _place = lane.places.acquire().await.map_err(io::Error::other)?;
        let kept = lock(&lane.idle).pop();
        if let Some(mut connection) = kept {
            if let Ok(taken) = self.ask_over(&mut connection, asked).await {
                lock(&lane.idle).push(connection);
                return Ok(taken);
            }
            // It may have been closed while nobody used it, and so may the others.
            lock(&lane.idle).clear();
        }
        let mut connection = Connection::open(&self.config, self.connector.as_ref()).await?;
        let taken = self.ask_over(&mut connection, asked).await?;
        lock(&lane.idle).push(connection);
        Ok(taken)
    }

    async fn ask_over(&self, connection: &mut Connection, asked: &[Asked<'_>]) -> io::Result<Vec<Taken>> {
        let words = script::words(&self.config.prefix, asked);
        let mut answer = connection.ask(&script::by_digest(&words)).await?;
        if let Answer::NoScript = answer {
            answer = connection.ask(&script::whole(&words)).await?;
        }
        match answer {
            Answer::Numbers(numbers) => script::taken(&numbers, asked),
            Answer::NoScript => Err(io::Error::other("it does not keep the script that it was sent")),
        }
    }

    /// Nobody waits for it from here on, until it answers again.
    fn lost(self: &Arc<Self>, worker: usize, why: &str) {
        if self.away.swap(true, Ordering::Relaxed) {
            return;
        }
        self.available.set(0);
        let (name, when) = (&self.config.name, self.config.when_away.name());
        tracing::warn!(redis = name, "redis is away: {why}; limits are {when} until it is back");
        // It has come back just now: it rests for longer, whether it answers or not.
        let rest = {
            let mut rest = lock(&self.rest);
            if rest.0.elapsed() > 2 * LONGEST {
                rest.1 = FIRST;
            }
            rest.1
        };
        tokio::task::spawn_local(come_back(Arc::downgrade(self), worker, rest));
    }

    /// Asks it for what nobody needs.
    async fn attempt(&self, worker: usize) -> io::Result<()> {
        let probe = [Asked::probe()];
        let lane = self.lanes.get(worker).ok_or(io::ErrorKind::NotFound)?;
        lock(&lane.idle).clear();
        self.ask(lane, &probe).await.map(drop)
    }
}

/// Tries to reach it until it is there, or nobody has it any more.
async fn come_back(redis: Weak<Redis>, worker: usize, mut rest: Duration) {
    let begun = Instant::now();
    loop {
        // Not all gateways at once.
        tokio::time::sleep(rest.mul_f64(rand::random_range(1.0..1.5))).await;
        let Some(redis) = redis.upgrade() else { return };
        rest = LONGEST.min(rest * 2);
        if let Ok(Ok(())) = timeout(ATTEMPT, redis.attempt(worker)).await {
            *lock(&redis.rest) = (Instant::now(), rest);
            redis.available.set(1);
            redis.away.store(false, Ordering::Relaxed);
            tracing::info!(redis = redis.config.name, "redis is back after {:?}", begun.elapsed());
            return;
        }
    }
}
