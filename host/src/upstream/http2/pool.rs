//! A worker's connections of HTTP/2 to one endpoint, and who has a request on which.
//!
//! A connection is opened when none has room. Who comes while one is being opened waits for it: as many as it will have room
//! for.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::spawn_local,
    time::{Instant, timeout_at},
};

use super::channel::{Channel, STREAMS};
use crate::{
    config::Upstream,
    descriptors::Upstreams,
    failure::Failure,
    upstream::{endpoint::Endpoint, pool::SWEEP},
};

/// The connections to one endpoint.
#[derive(Default)]
pub(in crate::upstream) struct Pool {
    channels: RefCell<Vec<Rc<Channel>>>,
    opening: Cell<usize>,
    waiting: Cell<usize>,
    /// Somebody has left, or a connection was opened, or could not be.
    changed: Notify,
    /// Whether [`sweep`] is at work.
    sweeping: Cell<bool>,
}

/// A request's place on a connection.
pub(super) struct Seat {
    pub(super) channel: Rc<Channel>,
    /// Whether the connection had been there before.
    pub(super) was_there: bool,
    pool: Rc<Pool>,
    keepalive: Duration,
    most: usize,
}

/// Counts one for as long as it lives; then whoever waits looks again.
struct Counted<'a>(&'a Cell<usize>, &'a Notify);

impl<'a> Counted<'a> {
    fn new(count: &'a Cell<usize>, changed: &'a Notify) -> Self {
        count.set(count.get() + 1);
        Self(count, changed)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
        self.1.notify_waiters();
    }
}

impl Pool {
    /// Finds a place for a request, within `connect_timeout`; on a `fresh` connection if it must be.
    pub(super) async fn enter(
        self: &Rc<Self>,
        endpoint: &Endpoint,
        upstream: &Upstream,
        descriptors: &Upstreams,
        fresh: bool,
    ) -> Result<Seat, Failure> {
        let until = Instant::now() + upstream.connect_timeout;
        loop {
            if !fresh && let Some(channel) = self.with_room(endpoint) {
                return Ok(self.seat(channel, upstream, true));
            }
            if fresh || self.waiting.get() >= self.opening.get() * STREAMS {
                let opening = Counted::new(&self.opening, &self.changed);
                let channel = Channel::open(endpoint, upstream.connect_timeout, descriptors).await?;
                self.channels.borrow_mut().push(channel.clone());
                let seat = self.seat(channel, upstream, false);
                drop(opening);
                if !self.sweeping.replace(true) {
                    spawn_local(sweep(self.clone()));
                }
                return Ok(seat);
            }
            let changed = self.changed.notified();
            // Whoever leaves does not have to be told.
            self.waiting.set(self.waiting.get() + 1);
            let _waiting = Waiting(&self.waiting);
            timeout_at(until, changed).await.map_err(|_| Failure::UpstreamConnectTimeout)?;
        }
    }

    /// The first that takes a request, so that those behind it become idle and go.
    fn with_room(&self, endpoint: &Endpoint) -> Option<Rc<Channel>> {
        let mut channels = self.channels.borrow_mut();
        if let Some(names) = &endpoint.names {
            names.keep_up(Instant::now());
            // What is on them goes on.
            channels.retain(|channel| names.has(channel.peer));
        }
        channels.iter().find(|channel| channel.has_room()).cloned()
    }

    fn seat(self: &Rc<Self>, channel: Rc<Channel>, upstream: &Upstream, was_there: bool) -> Seat {
        channel.active.set(channel.active.get() + 1);
        let (keepalive, most) = (upstream.keepalive_timeout, upstream.max_idle);
        Seat { channel, was_there, pool: self.clone(), keepalive, most }
    }

    fn idle(&self) -> usize {
        self.channels.borrow().iter().filter(|channel| channel.active.get() == 0).count()
    }
}

struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let channel = &self.channel;
        channel.active.set(channel.active.get() - 1);
        self.pool.changed.notify_waiters();
        if channel.active.get() > 0 {
            return;
        }
        channel.until.set(Instant::now() + self.keepalive);
        if !channel.is_open() || !channel.may_be_kept() || self.pool.idle() > self.most {
            // With its last owner it says GOAWAY and closes.
            self.pool.channels.borrow_mut().retain(|other| !Rc::ptr_eq(other, channel));
        }
    }
}

/// Closes connections that are of no use any more, for as long as there are any.
async fn sweep(pool: Rc<Pool>) {
    while !pool.channels.borrow().is_empty() {
        tokio::time::sleep(SWEEP).await;
        let now = Instant::now();
        pool.channels
            .borrow_mut()
            .retain(|channel| channel.is_open() && (channel.active.get() > 0 || now < channel.until.get()));
    }
    pool.sweeping.set(false);
}
