//! An upstream of raw bytes: it answers, hangs, breaks off and counts as a test tells it to.

use std::{
    net::{TcpListener, TcpStream},
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{Message, Raw};
use crate::support::Upstream;

/// An upstream that talks raw bytes, each connection on a thread of its own. It goes where an [`Upstream`] does.
pub(crate) struct RawUpstream {
    upstream: Upstream,
    requests: Arc<Mutex<Vec<Message>>>,
    connections: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl RawUpstream {
    /// Talks on every connection as it is told.
    pub(crate) fn start(talk: impl Fn(&mut Raw) + Send + Sync + 'static) -> Self {
        Self::ending(move |mut raw| talk(&mut raw))
    }

    /// Answers every request with the same bytes, and keeps the connection.
    pub(crate) fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |raw| while raw.request().is_some() && raw.try_send(&answer).is_ok() {})
    }

    /// Talks on every connection as it is told, and ends it itself.
    pub(crate) fn ending(talk: impl Fn(Raw) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = Upstream::elsewhere(listener.local_addr().unwrap());
        let this = Self { upstream, requests: Arc::default(), connections: Arc::default(), stopped: Arc::default() };
        let (record, connections, stopped) = (this.requests.clone(), this.connections.clone(), this.stopped.clone());
        let talk = Arc::new(talk);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                connections.fetch_add(1, Ordering::Relaxed);
                let raw = Raw { record: Some(record.clone()), ..Raw::over(stream) };
                let talk = talk.clone();
                thread::spawn(move || talk(raw));
            }
        });
        this
    }

    /// The requests read so far.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.requests.lock().unwrap().clone()
    }

    /// The last of them.
    pub(crate) fn last_request(&self) -> Message {
        self.requests().pop().expect("a request reached the upstream")
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Deref for RawUpstream {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.upstream
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.upstream.address());
    }
}
