//! The answer on its way to the client. It carries the exchange: when the last byte has gone, or the client has, the
//! exchange is closed (counted, logged), whichever comes first, exactly once.

use std::{
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};

use crate::{
    access,
    body::{AnyBody, Broken},
    chain,
    connection::InFlight,
    exchange::{Exchange, Response},
    failure::Failure,
    panics, reply,
    upstream::{Http2Body, Switched, UpstreamBody, discard},
    worker::Worker,
};

/// The body of an answer.
pub(crate) enum AnswerBody {
    /// There is none.
    Empty,
    /// In one piece.
    Whole(Option<Bytes>),
    /// As the upstream sends it.
    Upstream(UpstreamBody),
    /// The same over HTTP/2.
    Http2(Box<Http2Body>),
    /// In one piece, and the trailers behind it.
    Trailed(Option<Bytes>, Option<Box<HeaderMap>>),
    /// Through chunk filters.
    Piped(AnyBody),
    /// None: the connection of the upstream speaks another protocol from here on.
    Switched(Box<Switched>),
}

impl AnswerBody {
    /// The connection that has switched protocols. Where a filter answers with another status, it ends here.
    pub(crate) fn take_switched(&mut self, status: StatusCode) -> Option<Box<Switched>> {
        if !matches!(self, Self::Switched(_)) {
            return None;
        }
        match std::mem::replace(self, Self::Empty) {
            Self::Switched(upstream) if status == StatusCode::SWITCHING_PROTOCOLS => Some(upstream),
            _ => None,
        }
    }

    /// Makes it the body of an answer that has none, and says of its length only what may be said. hyper does so over
    /// HTTP/1.1 only.
    pub(crate) fn leave_out(&mut self, asked_head: bool, head: &mut Response) {
        let left_out = std::mem::replace(self, Self::Empty);
        match asked_head {
            // The length that the answer to a GET would have (RFC 9110 section 9.3.2).
            true => {
                if let Some(length) = left_out.size_hint().exact().filter(|length| *length > 0) {
                    head.headers.entry(CONTENT_LENGTH).or_insert(length.into());
                }
            }
            false if head.status == StatusCode::NOT_MODIFIED => {}
            // That of what a HEAD did not bring, where a filter made one of a GET.
            false => drop(head.headers.remove(CONTENT_LENGTH)),
        }
        if let Self::Upstream(unread) = left_out
            && !unread.is_end_stream()
        {
            tokio::task::spawn_local(discard(unread));
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Empty | Self::Switched(_) => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
            Self::Http2(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Trailed(bytes, trailers) => {
                let data = bytes.take().filter(|bytes| !bytes.is_empty()).map(Frame::data);
                Poll::Ready(data.or_else(|| trailers.take().map(|trailers| Frame::trailers(*trailers))).map(Ok))
            }
            Self::Piped(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Switched(_) => true,
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Upstream(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::Trailed(bytes, trailers) => bytes.is_none() && trailers.is_none(),
            Self::Piped(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Switched(_) => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Upstream(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
            Self::Trailed(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Piped(body) => body.size_hint(),
        }
    }
}

/// An exchange that is not over. Dropping it closes it; unless it was [completed](Open::complete), the client has left.
pub(crate) struct Open {
    /// Present until it is closed.
    exchange: Option<Arc<Exchange>>,
    worker: Rc<Worker>,
    complete: bool,
    /// Whether it counts as under way.
    counted: bool,
    /// Keeps the connection from counting as idle.
    in_flight: InFlight,
}

impl Open {
    pub(crate) fn new(exchange: Arc<Exchange>, worker: Rc<Worker>, in_flight: InFlight) -> Self {
        worker.gateway.loads.begin(worker.index);
        Self { exchange: Some(exchange), worker, complete: false, counted: true, in_flight }
    }

    /// It was refused, and is not under way: others may be.
    pub(crate) fn refused(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.worker.gateway.loads.end(self.worker.index);
        }
    }

    /// The exchange.
    pub(crate) fn exchange(&mut self) -> &mut Arc<Exchange> {
        self.exchange.as_mut().expect("an open exchange is there until it is dropped")
    }

    /// Nothing is owed to the client any more.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// The trailers of its answer have come.
    #[cold]
    fn see(&mut self, trailers: &HeaderMap) {
        if self.exchange().grpc {
            chain::edit(self.exchange()).outcome.grpc_status = reply::grpc::status(trailers);
        }
    }

    /// It ends so.
    pub(crate) fn fail(&mut self, failure: Failure) {
        chain::edit(self.exchange()).outcome.failure = Some(failure);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.refused();
        let Some(mut exchange) = self.exchange.take() else { return };
        let now = chain::edit(&mut exchange);
        let ended = Instant::now();
        self.in_flight.ended(ended.into());
        now.outcome.duration = ended.duration_since(now.started);
        now.outcome.permits.iter().for_each(|permit| permit.release());
        if !self.complete && now.outcome.failure.is_none() {
            now.outcome.failure = Some(Failure::ClientLeft);
        }
        access::log(&self.worker, &exchange);
        let logs = exchange.route.is_some_and(|route| !exchange.snapshot.chains[route].loggers.is_empty());
        if logs {
            let (index, busy) = (self.worker.index, self.worker.busy());
            tokio::task::spawn_local(async move {
                if let Err(panicked) = panics::catching(pin!(chain::log(&exchange, index))).await {
                    tracing::error!(request_id = exchange.id.as_str(), "a logger's call {panicked}");
                }
                drop(busy);
            });
        }
    }
}

/// The body that hyper sends to the client.
pub(crate) struct ResponseBody {
    body: AnswerBody,
    /// None where the exchange goes on without it.
    open: Option<Open>,
}

impl ResponseBody {
    pub(crate) fn new(body: AnswerBody, mut open: Open) -> Self {
        if body.is_end_stream() {
            open.complete();
        }
        Self { body, open: Some(open) }
    }

    /// That of an answer which does not end its exchange.
    pub(crate) fn handed_over() -> Self {
        Self { body: AnswerBody::Empty, open: None }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let Some(open) = &mut this.open else { return Poll::Ready(None) };
        let polled = panics::catch(|| Pin::new(&mut this.body).poll_frame(cx)).unwrap_or_else(|panicked| {
            // hyper sees a body that broke off, and the other streams of the connection go on.
            this.body = AnswerBody::Empty;
            Poll::Ready(Some(Err(Broken::Failure(Failure::Internal(panicked.to_string())))))
        });
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                open.in_flight.gave(bytes);
                open.exchange().outcome.progress.add_response(bytes);
                if let Some(trailers) = frame.trailers_ref() {
                    open.see(trailers);
                }
                if this.body.is_end_stream() {
                    open.complete();
                }
            }
            Poll::Ready(Some(Err(broken))) => {
                let failure = match broken {
                    Broken::Failure(failure) => failure.clone(),
                    Broken::Reply(_) => Failure::Internal("a reply in the middle of a body".into()),
                };
                open.fail(failure);
            }
            Poll::Ready(None) => open.complete(),
            Poll::Pending => open.in_flight.asked(),
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
