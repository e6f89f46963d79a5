//! A request and its answer, for one test.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use super::{Gateway, imports};
use crate::{
    Authorizer, ChunkAction, Header, Logger, Outcome, Request, RequestAction, RequestBodyAction, RequestBodyFilter,
    RequestChunkFilter, RequestFilter, Response, ResponseAction, ResponseBodyAction, ResponseBodyFilter,
    ResponseChunkFilter, ResponseFilter, Result, Verdict,
};

/// One request and what became of it. Methods that take `self` set it up, those that take a plugin call its hook.
#[derive(Debug, Clone)]
pub struct Exchange {
    gateway: Gateway,
    data: Rc<Data>,
}

#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) path_params: BTreeMap<String, String>,
    pub(super) scheme: String,
    pub(super) authority: String,
    pub(super) protocol: String,
    pub(super) headers: Vec<Header>,
    pub(super) client_ip: String,
    pub(super) route: String,
    pub(super) id: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) status: u16,
    pub(super) response_headers: Vec<Header>,
    pub(super) started: Duration,
    pub(super) duration: Duration,
    pub(super) upstream_duration: Option<Duration>,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    pub(super) verdict: Option<String>,
    pub(super) verdict_cached: bool,
    pub(super) failure: Option<String>,
    pub(super) reads: RefCell<Vec<String>>,
}

impl Exchange {
    /// A request with this method and target (`/pets/1?x=y`), in a gateway of its own.
    pub fn new(method: impl Into<String>, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let data = Data {
            method: method.into(),
            path: path.to_owned(),
            query,
            path_params: BTreeMap::new(),
            scheme: "http".to_owned(),
            authority: "localhost".to_owned(),
            protocol: "HTTP/1.1".to_owned(),
            headers: Vec::new(),
            client_ip: "127.0.0.1".to_owned(),
            route: "route".to_owned(),
            id: "0123456789abcdef".to_owned(),
            attributes: BTreeMap::new(),
            status: 0,
            response_headers: Vec::new(),
            started: Duration::from_secs(1_750_000_000),
            duration: Duration::ZERO,
            upstream_duration: None,
            request_bytes: 0,
            response_bytes: 0,
            verdict: None,
            verdict_cached: false,
            failure: None,
            reads: RefCell::default(),
        };
        Self { gateway: Gateway::new(), data: Rc::new(data) }
    }

    /// A GET request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST request.
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// In that gateway rather than one of its own.
    pub fn within(mut self, gateway: &Gateway) -> Self {
        self.gateway = gateway.clone();
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Data)) -> Self {
        change(Rc::make_mut(&mut self.data));
        self
    }

    /// Adds a header field of the request.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(|it| it.headers.push(Header::new(name.to_ascii_lowercase(), value)))
    }

    /// What the route's path template caught.
    pub fn path_param(self, name: &str, value: &str) -> Self {
        self.with(|it| drop(it.path_params.insert(name.to_owned(), value.to_owned())))
    }

    /// An attribute by its full name: `auth.principal`.
    pub fn attribute(self, name: &str, value: &str) -> Self {
        self.with(|it| drop(it.attributes.insert(name.to_owned(), value.to_owned())))
    }

    /// The client's address.
    pub fn client_ip(self, address: &str) -> Self {
        self.with(|it| it.client_ip = address.to_owned())
    }

    /// The host that the client asked for.
    pub fn authority(self, host: &str) -> Self {
        self.with(|it| it.authority = host.to_owned())
    }

    /// The name of the matched route.
    pub fn route(self, name: &str) -> Self {
        self.with(|it| it.route = name.to_owned())
    }

    /// The status of the response.
    pub fn status(self, status: u16) -> Self {
        self.with(|it| it.status = status)
    }

    /// Adds a header field of the response.
    pub fn response_header(self, name: &str, value: &str) -> Self {
        self.with(|it| it.response_headers.push(Header::new(name.to_ascii_lowercase(), value)))
    }

    /// When the request arrived, in seconds since 1970-01-01T00:00:00Z.
    pub fn started(self, seconds: u64) -> Self {
        self.with(|it| it.started = Duration::from_secs(seconds))
    }

    /// How long it took, and how long the upstream took.
    pub fn took(self, duration: Duration, upstream: Option<Duration>) -> Self {
        self.with(|it| (it.duration, it.upstream_duration) = (duration, upstream))
    }

    /// Bytes of the bodies of the request and of the response.
    pub fn bytes(self, request: u64, response: u64) -> Self {
        self.with(|it| (it.request_bytes, it.response_bytes) = (request, response))
    }

    /// What the authorizers said, and whether the cache knew it.
    pub fn verdict(self, verdict: &str, cached: bool) -> Self {
        self.with(|it| (it.verdict, it.verdict_cached) = (Some(verdict.to_owned()), cached))
    }

    /// The failure that ended it.
    pub fn failure(self, code: &str) -> Self {
        self.with(|it| it.failure = Some(code.to_owned()))
    }

    /// The gateway that it runs in.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// What was read of the request so far, without repetition, sorted: `header:authorization`, `path`.
    pub fn reads(&self) -> Vec<String> {
        let mut reads = self.data.reads.borrow().clone();
        reads.sort();
        reads.dedup();
        reads
    }

    /// Runs code of the plugin within this exchange.
    pub fn run<T>(&self, code: impl FnOnce(&Request) -> T) -> T {
        imports::enter(&self.gateway, Some(&self.data), || code(&Request(())))
    }

    /// Calls the hook.
    pub fn authorize(&self, plugin: &impl Authorizer) -> Result<Verdict> {
        self.run(|request| plugin.authorize(request))
    }

    /// Calls the hook.
    pub fn on_request(&self, plugin: &impl RequestFilter) -> Result<RequestAction> {
        self.run(|request| plugin.on_request(request))
    }

    /// Calls the hook if the plugin wants to see the body; `Unchanged` if not.
    pub fn on_request_body(&self, plugin: &impl RequestBodyFilter, body: &[u8]) -> Result<RequestBodyAction> {
        self.run(|request| match plugin.request_body_limit(request) {
            Some(_) => plugin.on_request_body(request, body.to_vec()),
            None => Ok(RequestBodyAction::Unchanged),
        })
    }

    /// Calls the hook.
    pub fn on_request_chunk(&self, plugin: &impl RequestChunkFilter, chunk: &[u8], last: bool) -> Result<ChunkAction> {
        self.run(|request| plugin.on_request_chunk(request, chunk.to_vec(), last))
    }

    /// Calls the hook.
    pub fn on_response(&self, plugin: &impl ResponseFilter) -> Result<ResponseAction> {
        self.run(|request| plugin.on_response(request, &Response(())))
    }

    /// Calls the hook if the plugin wants to see the body; `Unchanged` if not.
    pub fn on_response_body(&self, plugin: &impl ResponseBodyFilter, body: &[u8]) -> Result<ResponseBodyAction> {
        self.run(|request| match plugin.response_body_limit(request, &Response(())) {
            Some(_) => plugin.on_response_body(request, &Response(()), body.to_vec()),
            None => Ok(ResponseBodyAction::Unchanged),
        })
    }

    /// Calls the hook.
    pub fn on_response_chunk(
        &self,
        plugin: &impl ResponseChunkFilter,
        chunk: &[u8],
        last: bool,
    ) -> Result<ChunkAction> {
        self.run(|request| plugin.on_response_chunk(request, &Response(()), chunk.to_vec(), last))
    }

    /// Calls the hook.
    pub fn log(&self, plugin: &impl Logger) -> Result<()> {
        self.run(|request| plugin.log(request, &Response(()), &Outcome(())))
    }
}
