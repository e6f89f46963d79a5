//! An upstream that remembers what reached it: a hyper server on a thread of its own.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::oneshot};

/// A request as it reached the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The body of an answer.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A running upstream. Gone when dropped.
pub(crate) struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _stop: oneshot::Sender<()>,
}

impl Upstream {
    /// Answers every request with 200 and the body it was sent, or `hello`.
    pub(crate) fn start() -> Self {
        Self::answering(|seen| {
            let body = if seen.body.is_empty() { Bytes::from_static(b"hello") } else { seen.body.clone() };
            Response::new(Full::new(body))
        })
    }

    /// Answers as it is told.
    pub(crate) fn answering(answer: impl Fn(&Seen) -> Response<Full<Bytes>> + Send + Sync + 'static) -> Self {
        Self::streaming(move |seen| answer(seen).map(BodyExt::boxed))
    }

    /// Answers with any body.
    pub(crate) fn streaming(answer: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let (answer, kept) = (Arc::new(answer), seen.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(TcpListener::from_std(listener).unwrap(), answer, kept) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, seen, _stop: stop }
    }

    /// One that others serve, and that remembers nothing.
    pub(super) fn elsewhere(address: SocketAddr) -> Self {
        Self { address, seen: Arc::default(), _stop: oneshot::channel().0 }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that reached it so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The last request that reached it.
    pub(crate) fn last(&self) -> Seen {
        self.seen().last().expect("a request reached the upstream").clone()
    }
}

async fn accept<A>(listener: TcpListener, answer: Arc<A>, seen: Arc<Mutex<Vec<Seen>>>)
where
    A: Fn(&Seen) -> Response<Body> + Send + Sync + 'static,
{
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (answer, seen) = (answer.clone(), seen.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (answer, seen) = (answer.clone(), seen.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let request =
                    Seen { method: head.method.to_string(), target: head.uri.to_string(), headers: head.headers, body };
                seen.lock().unwrap().push(request.clone());
                Ok::<_, hyper::Error>(answer(&request))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
