//! An upstream that tells of each request and answers it when it is let.

use std::{
    ops::Deref,
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
};

use super::{
    Upstream,
    raw::{DEADLINE, RawUpstream, ok},
};

/// A running one. It goes where an [`Upstream`] does.
pub(crate) struct Held {
    upstream: RawUpstream,
    arrivals: Receiver<()>,
    gate: Sender<()>,
}

impl Held {
    pub(crate) fn start() -> Self {
        let (arrived, arrivals) = channel();
        let (gate, let_go) = channel();
        let let_go = Mutex::new(let_go);
        let upstream = RawUpstream::start(move |raw| {
            while raw.request().is_some() {
                // The test may be over.
                if arrived.send(()).is_err() || let_go.lock().unwrap().recv().is_err() {
                    return;
                }
                let _ = raw.try_send(ok("hello"));
            }
        });
        Self { upstream, arrivals, gate }
    }

    /// Waits until a request is there.
    pub(crate) fn arrival(&self) {
        self.arrivals.recv_timeout(DEADLINE).expect("a request");
    }

    /// Lets so many requests be answered, those to come included.
    pub(crate) fn release(&self, requests: usize) {
        (0..requests).for_each(|_| self.gate.send(()).unwrap());
    }
}

impl Deref for Held {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.upstream
    }
}
