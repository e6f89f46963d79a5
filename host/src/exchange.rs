//! One exchange: a request, its answer, and what the plugins said about them.
//!
//! Plugins read it through the contract and never hold it: between two hooks nobody but the gateway has a reference,
//! so edits need no lock. It knows nothing of wasmtime, sockets or configuration files.

mod field;
mod id;

pub use field::{Field, isomorphic_decode, isomorphic_encode};
pub(crate) use field::{feed, feed_all, feed_option};
pub use id::RequestId;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, uri::PathAndQuery};

use crate::{
    cache::CacheUse, compress::Negotiated, concurrency::Permit, failure::Failure, limits::Standing, route::Params,
    snapshot::Snapshot, split::Chosen, upstream::Endpoint,
};

/// A request and its answer under way.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Its id, in the log and in `x-request-id`.
    pub id: RequestId,
    /// The one configuration it is served by, from its first byte to its last log line.
    pub snapshot: Arc<Snapshot>,
    /// When the header section had arrived.
    pub started: Instant,
    /// Index of the matched route in the snapshot.
    pub route: Option<usize>,
    /// The request as the plugins have left it so far.
    pub request: Request,
    /// The head of the answer, once there is one.
    pub response: Option<Response>,
    /// What plugins have set, in order; a later one of the same name replaces the earlier.
    pub attributes: Vec<(Arc<str>, Arc<str>)>,
    /// Which origin may read the answer, where the route has a CORS policy: the value of `Access-Control-Allow-Origin`.
    pub allowed_origin: Option<Box<HeaderValue>>,
    /// Where it is a WebSocket handshake that the route lets pass: its `Sec-WebSocket-Key`.
    pub websocket_key: Option<Box<HeaderValue>>,
    /// Whether the client asked by gRPC, and reads no other answer.
    pub grpc: bool,
    /// Whether it takes trailers (`TE`).
    pub trailers: bool,
    /// What its client is to get, where its route compresses.
    pub coding: Option<Negotiated>,
    /// How it went.
    pub outcome: Outcome,
}

impl Exchange {
    /// One that begins now, with what a request says and what is known of its connection.
    pub(crate) fn new(snapshot: Arc<Snapshot>, request: Request, attributes: Vec<(Arc<str>, Arc<str>)>) -> Self {
        Self {
            id: RequestId::random(),
            snapshot,
            started: Instant::now(),
            route: None,
            request,
            response: None,
            attributes,
            allowed_origin: None,
            websocket_key: None,
            grpc: false,
            trailers: false,
            coding: None,
            outcome: Outcome::default(),
        }
    }
}

/// The head of a request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// `http` or `https`, as the client reached the listener.
    pub scheme: &'static str,
    /// The canonical authority.
    pub authority: Arc<str>,
    /// Canonical path and the query as sent.
    pub target: PathAndQuery,
    /// The path that the route matched, when a filter has changed `target` since.
    pub matched_path: Option<String>,
    /// What the client speaks.
    pub version: Version,
    /// The header section without what belongs to the connection.
    pub headers: HeaderMap,
    /// What the route's template caught.
    pub(crate) params: Params,
    /// The client's address: the peer, or what a trusted proxy says.
    pub client: IpAddr,
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header section without what belongs to the connection.
    pub headers: HeaderMap,
}

/// How an exchange went, for logs.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Bytes moved so far; shared with the bodies.
    pub progress: Arc<Progress>,
    /// What the authorizers said.
    pub verdict: Option<Verdict>,
    /// From the request's hand-over to the upstream until its header section.
    pub upstream: Option<Duration>,
    /// Who answered, where the upstream has several endpoints, and how many had been asked in vain.
    pub(crate) endpoint: Option<(Arc<Endpoint>, u32)>,
    /// How a cache took part, where the route has one.
    pub cache: Option<CacheUse>,
    /// Which upstream it went to, where that was a choice.
    pub(crate) chosen: Option<Box<Chosen>>,
    /// Time in each plugin's hooks: index of the plugin in the snapshot, and the sum.
    pub plugins: Vec<(usize, Duration)>,
    /// How it stands with the rate limits, the quotas and the usage plan of its route.
    pub standings: Vec<Standing>,
    /// What the answer to a gRPC call says of it.
    pub grpc_status: Option<u16>,
    /// What it counts in until it is closed.
    pub(crate) permits: Vec<Arc<Permit>>,
    /// What ended it, when it did not go well.
    pub failure: Option<Failure>,
    /// From start to the last byte; set at the end.
    pub duration: Duration,
}

/// What the authorizers said, and whether the cache said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request may pass.
    pub allow: bool,
    /// Whether no plugin had to be called for it.
    pub cached: bool,
}

/// Bytes of bodies moved so far.
#[derive(Debug, Default)]
pub struct Progress {
    request: AtomicU64,
    response: AtomicU64,
}

impl Progress {
    /// Counts bytes read from the client.
    pub fn add_request(&self, bytes: usize) {
        self.request.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes handed to the client's connection.
    pub fn add_response(&self, bytes: usize) {
        self.response.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of the request's body so far.
    pub fn request(&self) -> u64 {
        self.request.load(Ordering::Relaxed)
    }

    /// Bytes of the response's body so far.
    pub fn response(&self) -> u64 {
        self.response.load(Ordering::Relaxed)
    }
}

impl Exchange {
    /// When the header section had arrived, as a date.
    pub fn started_at(&self) -> SystemTime {
        SystemTime::now() - self.started.elapsed()
    }

    /// The value of an attribute by its full name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().rev().find(|(n, _)| **n == *name).map(|(_, value)| &**value)
    }

    /// Sets an attribute; the last one of a name counts.
    pub fn set_attribute(&mut self, name: Arc<str>, value: Arc<str>) {
        match self.attributes.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name, value)),
        }
    }

    /// The matched route's name; empty when none matched.
    pub fn route_name(&self) -> &str {
        self.route.map_or("", |route| &self.snapshot.config.routes[route].name)
    }

    /// What the route's template caught under a name.
    pub fn path_param(&self, name: &str) -> Option<&str> {
        let path = self.request.matched_path.as_deref().unwrap_or(self.request.target.path());
        self.request.params.get(name, path)
    }

    /// Adds to the time spent in a plugin's hooks.
    pub fn spent(&mut self, plugin: usize, time: Duration) {
        match self.outcome.plugins.iter_mut().find(|(p, _)| *p == plugin) {
            Some((_, sum)) => *sum += time,
            None => self.outcome.plugins.push((plugin, time)),
        }
    }
}
