//! The kept connections of one worker: one pool per endpoint.
//!
//! Nobody waits on a kept connection. What happened to it is seen when it is taken, and at the latest by [`sweep`], which
//! closes those that the upstream closed, that said something unasked, or that are kept for too long.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

use tokio::{task::spawn_local, time::Instant};

use super::{connection::Connection, http2};
use crate::descriptors::Upstreams;

/// How often kept connections are looked at.
pub(super) const SWEEP: Duration = Duration::from_secs(1);

/// Buffers that wait for use, and the largest of them: those beyond go back to the allocator.
const BUFFERS: usize = 32;
const LARGEST: usize = 8 << 10;

/// The kept connections of one worker, by the endpoint's number.
pub(crate) struct Pools {
    pub(super) descriptors: Upstreams,
    pools: RefCell<Vec<Rc<Pool>>>,
    /// Buffers for header sections that leave.
    buffers: RefCell<Vec<Vec<u8>>>,
}

/// The kept connections to one endpoint.
#[derive(Default)]
pub(super) struct Pool {
    kept: RefCell<Vec<Kept>>,
    /// Those of HTTP/2.
    pub(super) http2: Rc<http2::Pool>,
    /// Whether [`sweep`] is at work.
    sweeping: Cell<bool>,
}

struct Kept {
    connection: Box<Connection>,
    until: Instant,
}

impl Pools {
    /// None is kept yet.
    pub(crate) fn new(descriptors: Upstreams) -> Self {
        Self { descriptors, pools: RefCell::default(), buffers: RefCell::default() }
    }

    /// The pool of an endpoint.
    pub(super) fn of(&self, endpoint: usize) -> Rc<Pool> {
        let mut pools = self.pools.borrow_mut();
        if pools.len() <= endpoint {
            pools.resize_with(endpoint + 1, Rc::default);
        }
        pools[endpoint].clone()
    }

    /// An empty buffer.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(super) fn recycle(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < BUFFERS && buffer.capacity() <= LARGEST {
            buffer.clear();
            buffers.push(buffer);
        }
    }
}

impl Pool {
    /// The connection used last, as it is the least likely to have been closed, to an address that may be.
    pub(super) fn take(&self, now: Instant, may: impl Fn(Option<IpAddr>) -> bool) -> Option<Box<Connection>> {
        let mut kept = self.kept.borrow_mut();
        while let Some(Kept { mut connection, until }) = kept.pop() {
            if now < until && may(connection.peer) && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection, if there is room and there are descriptors.
    pub(super) fn keep(self: &Rc<Self>, connection: Box<Connection>, time: Duration, most: usize) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < most && connection.place.may_be_kept() {
            kept.push(Kept { connection, until: Instant::now() + time });
            if !self.sweeping.replace(true) {
                spawn_local(sweep(self.clone()));
            }
        }
    }
}

/// Closes kept connections that are of no use any more, for as long as there are any.
async fn sweep(pool: Rc<Pool>) {
    while !pool.kept.borrow().is_empty() {
        tokio::time::sleep(SWEEP).await;
        let now = Instant::now();
        pool.kept.borrow_mut().retain_mut(|kept| now < kept.until && kept.connection.is_quiet());
    }
    pool.sweeping.set(false);
}
