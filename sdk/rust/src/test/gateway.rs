//! What is around the exchanges: time, other servers, state, the log.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    rc::Rc,
    time::Duration,
};

use super::imports;
use crate::{Plugin, Result, http, log::Level};

/// The gateway around the exchanges of a test: the time, other servers, key-value state, log lines, output lines. Clones
/// are the same gateway.
#[derive(Clone, Default)]
pub struct Gateway(pub(super) Rc<State>);

type Server = Box<dyn Fn(&http::Request) -> Result<http::Response>>;

pub(super) struct State {
    pub(super) now: Cell<Duration>,
    pub(super) random: Cell<u64>,
    pub(super) server: RefCell<Option<Server>>,
    pub(super) sent: RefCell<Vec<http::Request>>,
    pub(super) buckets: RefCell<BTreeMap<String, BTreeMap<String, Vec<u8>>>>,
    pub(super) log: RefCell<Vec<(Level, String)>>,
    pub(super) output: RefCell<Vec<String>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            now: Cell::new(Duration::from_secs(1_750_000_000)),
            random: Cell::new(1),
            server: RefCell::default(),
            sent: RefCell::default(),
            buckets: RefCell::default(),
            log: RefCell::default(),
            output: RefCell::default(),
        }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("now", &self.0.now).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway at 2025-06-15T15:06:40Z, with no other server, no state, and randomness that repeats.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the clock, in seconds since 1970-01-01T00:00:00Z.
    pub fn at(self, seconds: u64) -> Self {
        self.0.now.set(Duration::from_secs(seconds));
        self
    }

    /// Moves the clock on.
    pub fn pass(&self, time: Duration) {
        self.0.now.set(self.0.now.get() + time);
    }

    /// Answers what the plugin sends with `http`; without this, sending fails.
    pub fn server(self, answer: impl Fn(&http::Request) -> Result<http::Response> + 'static) -> Self {
        *self.0.server.borrow_mut() = Some(Box::new(answer));
        self
    }

    /// The requests that the plugin has sent.
    pub fn sent(&self) -> Vec<http::Request> {
        self.0.sent.borrow().clone()
    }

    /// The lines that the plugin has logged.
    pub fn log(&self) -> Vec<(Level, String)> {
        self.0.log.borrow().clone()
    }

    /// The lines that the plugin has written to `output`.
    pub fn output(&self) -> Vec<String> {
        self.0.output.borrow().clone()
    }

    /// Makes a plugin of its configuration.
    pub fn start<P: Plugin>(&self, config: serde_json::Value) -> Result<P> {
        imports::enter(self, None, || crate::export::start(&config.to_string()))
    }

    /// Runs code of the plugin outside of an exchange.
    pub fn run<T>(&self, code: impl FnOnce() -> T) -> T {
        imports::enter(self, None, code)
    }
}
