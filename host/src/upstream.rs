//! Requests to upstreams over kept connections: one pool per worker and endpoint, over hyper's connection API (a pooled
//! client in a shared runtime costs a tenth more CPU per request).
//!
//! A kept connection that the upstream closed in the meantime costs the client nothing: a request that never left is
//! sent again on a new one, and so is one that got no byte of an answer, if it has no body and repeating it is safe.

use std::{
    cell::RefCell,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, StatusCode, Uri, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::{Body, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    body::{Broken, Idle, RequestBody},
    config,
    exchange::Progress,
    failure::Failure,
};

/// The kept connections of one worker, by the endpoint's number.
#[derive(Default)]
pub(crate) struct Pools(RefCell<Vec<Rc<Pool>>>);

/// The kept connections to one endpoint.
#[derive(Default)]
pub(crate) struct Pool(RefCell<Vec<Kept>>);

struct Kept {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

impl Pools {
    /// The pool of an endpoint.
    pub(crate) fn of(&self, endpoint: usize) -> Rc<Pool> {
        let mut pools = self.0.borrow_mut();
        if pools.len() <= endpoint {
            pools.resize_with(endpoint + 1, Rc::default);
        }
        pools[endpoint].clone()
    }
}

impl Pool {
    fn take(&self, upstream: &config::Upstream) -> Option<SendRequest<RequestBody>> {
        let mut kept = self.0.borrow_mut();
        while let Some(Kept { sender, since }) = kept.pop() {
            if !sender.is_closed() && since.elapsed() < upstream.keepalive_timeout {
                return Some(sender);
            }
        }
        None
    }

    fn keep(&self, sender: SendRequest<RequestBody>, most: usize) {
        let mut kept = self.0.borrow_mut();
        if kept.len() >= most {
            kept.retain(|kept| !kept.sender.is_closed());
        }
        if kept.len() < most && !sender.is_closed() {
            kept.push(Kept { sender, since: Instant::now() });
        }
    }
}

/// A request to send.
pub(crate) struct Sending<'a> {
    pub(crate) upstream: &'a config::Upstream,
    pub(crate) pool: Rc<Pool>,
    pub(crate) method: Method,
    pub(crate) target: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: RequestBody,
    pub(crate) progress: &'a Arc<Progress>,
    /// Why the client's body broke off, if it did.
    pub(crate) body_broken: &'a OnceLock<Failure>,
}

/// Sends a request and waits for the header section of the answer.
pub(crate) async fn send(sending: Sending<'_>) -> Result<Response<UpstreamBody>, Failure> {
    let Sending { upstream, pool, method, target, headers, body, progress, body_broken } = sending;
    let again = (body.is_empty() && is_idempotent(&method)).then(|| (method.clone(), target.clone(), headers.clone()));
    let mut request = assemble(method, target, headers, body);
    let mut kept = pool.take(upstream);
    loop {
        let was_kept = kept.is_some();
        let mut sender = match kept.take() {
            Some(sender) => sender,
            None => connect(upstream).await?,
        };
        let sent = answered(sender.try_send_request(request), upstream.first_byte_timeout, progress).await;
        let error = match sent.ok_or(Failure::UpstreamTimeout)? {
            Ok(response) => {
                usable(response.status(), response.headers())?;
                return Ok(response.map(|inner| UpstreamBody::new(inner, sender, pool, upstream)));
            }
            Err(error) => error,
        };
        if let Some(failure) = body_broken.get() {
            return Err(failure.clone());
        }
        let (error, unsent) = error_and_message(error);
        request = match (unsent, &again) {
            (Some(unsent), _) if was_kept => unsent,
            (None, Some((method, target, headers))) if was_kept && is_lost(&error) => {
                assemble(method.clone(), target.clone(), headers.clone(), RequestBody::Empty)
            }
            _ => return Err(blame(&error)),
        };
    }
}

fn error_and_message(mut error: TrySendError<Request<RequestBody>>) -> (hyper::Error, Option<Request<RequestBody>>) {
    let unsent = error.take_message();
    (error.into_error(), unsent)
}

fn assemble(method: Method, target: Uri, headers: HeaderMap, body: RequestBody) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    request
}

/// RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE].contains(method)
}

/// Whether the connection ended without an answer.
fn is_lost(error: &hyper::Error) -> bool {
    use std::error::Error as _;
    let is_reset = error.source().is_some_and(|source| source.is::<std::io::Error>());
    is_reset || error.is_incomplete_message() || error.is_canceled() || error.is_closed()
}

/// Refuses an answer that cannot be passed on without guessing: a protocol that nobody asked for, or a framing of which
/// there are two readings (RFC 9112 section 6.3).
fn usable(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    let broken = |why: &str| Err(Failure::UpstreamBroken(why.to_owned()));
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return broken("it switches protocols, which nobody asked for");
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            broken("its transfer coding is not `chunked`")
        }
        (Some(_), None) if !headers.contains_key(CONTENT_LENGTH) => Ok(()),
        _ => broken("it has two framings"),
    }
}

/// Whose fault it was: a chunk filter's, when the request's body broke off at one, else the upstream's.
fn blame(error: &hyper::Error) -> Failure {
    use std::error::Error as _;
    match error.source().and_then(|source| source.downcast_ref::<Broken>()) {
        Some(Broken::Failure(failure)) => failure.clone(),
        Some(Broken::Reply(_)) | None => Failure::UpstreamBroken(describe(error)),
    }
}

fn describe(error: &hyper::Error) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Waits for the answer's header section. None: it did not come in time. While the request's body still moves, the time
/// does not run.
async fn answered<T>(call: impl Future<Output = T>, most: Duration, progress: &Progress) -> Option<T> {
    let mut call = std::pin::pin!(call);
    loop {
        let sent = progress.request();
        match timeout(most, call.as_mut()).await {
            Ok(answer) => return Some(answer),
            Err(_) if progress.request() > sent => {}
            Err(_) => return None,
        }
    }
}

async fn connect(upstream: &config::Upstream) -> Result<SendRequest<RequestBody>, Failure> {
    let unreachable = |error: &dyn std::fmt::Display| {
        Failure::UpstreamUnreachable(format!("{}:{}: {error}", upstream.host, upstream.port))
    };
    let host = upstream.host.trim_start_matches('[').trim_end_matches(']');
    let connecting = timeout(upstream.connect_timeout, TcpStream::connect((host, upstream.port)));
    let stream = connecting.await.map_err(|_| Failure::UpstreamConnectTimeout)?.map_err(|e| unreachable(&e))?;
    stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!("upstream connection: {error}");
        }
    });
    Ok(sender)
}

/// The body of an upstream's answer. When it has been read to its end, its connection goes back to the pool.
pub(crate) struct UpstreamBody {
    inner: Incoming,
    idle: Idle,
    back: Option<(SendRequest<RequestBody>, Rc<Pool>, usize)>,
    /// All of it has been read. hyper itself tells so only of a body with a length.
    ended: bool,
    failed: bool,
}

impl UpstreamBody {
    fn new(inner: Incoming, sender: SendRequest<RequestBody>, pool: Rc<Pool>, upstream: &config::Upstream) -> Self {
        let back = Some((sender, pool, upstream.max_idle));
        Self { inner, idle: Idle::new(upstream.idle_timeout), back, ended: false, failed: false }
    }

    fn fail(&mut self, why: String) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.failed = true;
        Poll::Ready(Some(Err(Broken::Failure(Failure::UpstreamBroken(why)))))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            ready!(this.idle.poll(cx));
            return this.fail("no byte of the body within `idle_timeout`".into());
        };
        this.idle.reset();
        match frame {
            Some(Err(error)) => this.fail(describe(&error)),
            Some(Ok(frame)) if !frame.is_trailers() => Poll::Ready(Some(Ok(frame))),
            // Trailers end here, as the `trailer` that announces them does.
            _ => {
                this.ended = true;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        if let Some((sender, pool, most)) = self.back.take()
            && !self.failed
            && (self.ended || self.inner.is_end_stream())
        {
            pool.keep(sender, most);
        }
    }
}

/// Reads what is left of a short body, so that its connection can be kept; a long one costs the connection.
pub(crate) async fn discard(mut body: UpstreamBody) {
    let mut left = 64 << 10;
    let drain = async {
        while let Some(Ok(frame)) = poll_fn(|cx: &mut Context<'_>| Pin::new(&mut body).poll_frame(cx)).await {
            left -= frame.data_ref().map_or(0, Bytes::len).min(left);
            if left == 0 {
                break;
            }
        }
    };
    let _ = timeout(Duration::from_secs(1), drain).await;
}
