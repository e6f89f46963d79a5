//! The process's descriptors, shared out: so many for clients, so many for upstreams, and some that neither can take, for
//! the admin address, loads, files of lines, and what plugins connect to.
//!
//! A client beyond its part waits for one that leaves. There are twice as many for upstreams, and a connection is kept only
//! while as many are free as there may be clients: so each client of HTTP/1.1 can always be served.

use std::sync::Arc;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Those of the process that neither clients nor upstreams take: its own at rest are about 20, loading takes 10.
const OTHERS: usize = 64;

/// Those of a worker, and for each of its listeners the socket and a client that was taken and has to wait.
const OF_WORKER: usize = 4;
const OF_LISTENER: usize = 2;

/// More than anybody has; so many permits can be counted.
const MOST: usize = 1 << 24;

/// The parts that are counted.
#[derive(Debug)]
pub(crate) struct Descriptors {
    pub(crate) clients: Arc<Semaphore>,
    pub(crate) upstreams: Upstreams,
}

/// The part for connections to upstreams.
#[derive(Clone, Debug)]
pub(crate) struct Upstreams {
    free: Arc<Semaphore>,
    /// How many stay free of kept connections.
    clients: usize,
}

impl Descriptors {
    /// Shares out what the process may have, which is raised to what it may raise it to.
    pub(crate) fn of_process(workers: usize, listeners: usize) -> Self {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        // Whoever may not keeps what there is.
        let _ = setrlimit(Resource::Nofile, limit);
        let most = getrlimit(Resource::Nofile).current.map_or(MOST, |most| usize::try_from(most).unwrap_or(MOST));
        Self::shared_out(most.min(MOST), workers, listeners)
    }

    fn shared_out(most: usize, workers: usize, listeners: usize) -> Self {
        let others = OTHERS + workers * (OF_WORKER + listeners * OF_LISTENER);
        // With too few for anything, some is tried all the same.
        let clients = (most.saturating_sub(others) / 3).max(4);
        let upstreams = Upstreams { free: Arc::new(Semaphore::new(2 * clients)), clients };
        Self { clients: Arc::new(Semaphore::new(clients)), upstreams }
    }
}

/// The descriptor of a connection to an upstream, for as long as it lives.
pub(crate) struct Place {
    taken: OwnedSemaphorePermit,
    clients: usize,
}

impl Upstreams {
    /// One for a connection, if there is one.
    pub(crate) fn take(&self) -> Option<Place> {
        let taken = self.free.clone().try_acquire_owned().ok()?;
        Some(Place { taken, clients: self.clients })
    }
}

impl Place {
    /// Whether it may be kept while it is not used.
    pub(crate) fn may_be_kept(&self) -> bool {
        self.taken.semaphore().available_permits() >= self.clients
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_client_finds_a_connection_whatever_is_kept() {
        for most in [0, 100, 128, 1024, 20_000, MOST] {
            let shared = Descriptors::shared_out(most, 2, 1);
            let clients = shared.clients.available_permits();
            let all = clients + shared.upstreams.free.available_permits();
            assert!(clients >= 4 && (all + OTHERS <= most || most < 100), "{most}: {clients} of {all}");
            let take = || shared.upstreams.take().unwrap();
            let _kept: Vec<_> = std::iter::repeat_with(take).take_while(Place::may_be_kept).collect();
            let used: Vec<_> = (0..clients).map_while(|_| shared.upstreams.take()).collect();
            assert_eq!(used.len(), clients, "{most}");
        }
    }
}
