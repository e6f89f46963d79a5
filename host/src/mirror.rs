//! Copies of requests, sent beside them: their answers are read and forgotten, and whatever becomes of them, the request
//! does not see it. How many are under way, and what they hold of bodies, is bounded.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Method};
use http_body::{Body, Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::spawn_local,
    time::Instant,
};

use crate::{
    body::{Broken, RequestBody},
    config,
    edge::write_field,
    exchange::{Exchange, Progress},
    metrics::Metrics,
    snapshot::Snapshot,
    upstream::{self, Outgoing, discard, hash, write_framing},
    worker::Worker,
};

/// Tells a copy from a request. No client can say it to an upstream of a route with a mirror.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-gatehouse-mirror");

/// The mirror of a route.
#[derive(Debug)]
pub(crate) struct Mirror {
    config: config::Mirror,
    room: Arc<Semaphore>,
    answered: Counter,
    failed: Counter,
    dropped: Counter,
}

/// A copy before it is sent.
struct Copied {
    snapshot: Arc<Snapshot>,
    route: usize,
    method: Method,
    /// All of the header section but the framing and the end.
    head: Vec<u8>,
    key: Option<u64>,
    _room: OwnedSemaphorePermit,
}

impl Mirror {
    pub(crate) fn new(config: &config::Mirror, route: &str, metrics: &Metrics) -> Self {
        let [answered, failed, dropped] =
            ["answered", "failed", "dropped"].map(|result| metrics.mirrored(route, result));
        Self { config: config.clone(), room: Arc::new(Semaphore::new(config.max_requests)), answered, failed, dropped }
    }

    /// Whether a request is one of those that are copied.
    fn takes(&self, exchange: &Exchange) -> bool {
        let drawn = hash(&("mirror", exchange.id.as_str())) % 1_000_000;
        drawn < u64::from(self.config.per_million) && exchange.websocket_key.is_none()
    }

    /// The header section of a copy.
    fn head(&self, head: &[u8]) -> Vec<u8> {
        let mut copy = Vec::with_capacity(head.len() + 64);
        for (at, line) in head.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
            let left_out = |header: &HeaderName| header.as_str().as_bytes() == name;
            if at == 0 || !self.config.remove_headers.iter().any(left_out) {
                copy.extend_from_slice(line);
            }
        }
        write_field(&mut copy, HEADER.as_str(), b"true");
        copy
    }
}

/// Has a request copied, if the mirror of its route takes it, with a body as it passes; `head` is its header section but for the
/// framing. `key` says where in the mirror's upstream it belongs.
pub(crate) fn copy(
    worker: &Rc<Worker>,
    exchange: &Exchange,
    route: usize,
    head: &[u8],
    body: &mut RequestBody,
    key: impl FnOnce(&config::Balance) -> Option<u64>,
) {
    let snapshot = &exchange.snapshot;
    let Some(mirror) = snapshot.chains[route].mirror.as_deref().filter(|mirror| mirror.takes(exchange)) else { return };
    let too_long = body.size_hint().lower() > mirror.config.body_bytes;
    let Some(room) = mirror.room.clone().try_acquire_owned().ok().filter(|_| !too_long) else {
        mirror.dropped.inc();
        return;
    };
    let copied = Copied {
        snapshot: snapshot.clone(),
        route,
        method: exchange.request.method.clone(),
        head: mirror.head(head),
        key: key(&snapshot.config.upstreams[mirror.config.upstream].balance),
        _room: room,
    };
    let whole = tee(body, mirror.config.body_bytes);
    spawn_local(copied.send(worker.clone(), whole));
}

/// A body's bytes, once all of them have passed.
fn tee(body: &mut RequestBody, most: u64) -> oneshot::Receiver<Bytes> {
    let (told, whole) = oneshot::channel();
    match body {
        RequestBody::Whole(bytes) => drop(told.send(bytes.clone().unwrap_or_default())),
        body if body.is_end_stream() => drop(told.send(Bytes::new())),
        _ => {
            let passing = std::mem::replace(body, RequestBody::Empty);
            *body = RequestBody::Piped(Box::pin(Tee { body: passing, told: Some(told), seen: BytesMut::new(), most }));
        }
    }
    whole
}

impl Copied {
    /// Sends it once its body is known. Every wait has an end: that of the client's body, the upstream's time-outs, and
    /// that of [`discard`].
    async fn send(self, worker: Rc<Worker>, whole: oneshot::Receiver<Bytes>) {
        let Some(mirror) = &self.snapshot.chains[self.route].mirror else { return };
        let Ok(body) = whole.await else {
            mirror.dropped.inc();
            return;
        };
        let outgoing = match body.len() {
            0 if [Method::POST, Method::PUT, Method::PATCH].contains(&self.method) => Outgoing::Empty,
            0 => Outgoing::Nothing,
            length => Outgoing::Length(length as u64),
        };
        let (mut head, progress) = (self.head, Arc::<Progress>::default());
        write_framing(&mut head, outgoing);
        let timeouts = config::Timeouts::default();
        let sent = upstream::send(upstream::Request {
            upstream: &self.snapshot.config.upstreams[mirror.config.upstream],
            balancer: &self.snapshot.balancers[mirror.config.upstream],
            key: self.key,
            pools: &worker.upstreams,
            method: &self.method,
            head,
            message: None,
            outgoing,
            body: RequestBody::Whole(Some(body)),
            headers: HeaderMap::new(),
            upgrades: false,
            progress: &progress,
            timeouts: &timeouts,
            now: Instant::now(),
        });
        match sent.await {
            Ok(answer) => {
                if let upstream::Body::Http1(body) = answer.body {
                    discard(body).await;
                }
                mirror.answered.inc();
            }
            Err(failure) => {
                tracing::debug!(
                    route = &*self.snapshot.config.routes[self.route].name,
                    "a copy got no answer: {failure}"
                );
                mirror.failed.inc();
            }
        }
    }
}

/// A body of which a copy is kept as it passes, if it is not too long.
struct Tee {
    body: RequestBody,
    /// None once the copy is told, or given up.
    told: Option<oneshot::Sender<Bytes>>,
    seen: BytesMut,
    most: u64,
}

impl Tee {
    fn see(&mut self, data: &Bytes) {
        if self.told.is_some() && (self.seen.len() + data.len()) as u64 <= self.most {
            self.seen.extend_from_slice(data);
        } else {
            self.told = None;
            self.seen = BytesMut::new();
        }
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().into_iter().for_each(|data| this.see(data)),
            Poll::Ready(Some(Err(_))) => this.told = None,
            Poll::Ready(None) => {
                if let Some(told) = this.told.take() {
                    let _ = told.send(std::mem::take(&mut this.seen).freeze());
                }
            }
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
