//! An upstream that speaks HTTP/2 and nothing else, each stream as a test tells it to.

use std::{
    convert::Infallible,
    ops::Deref,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use h2::{
    RecvStream, SendStream,
    server::{Builder, SendResponse},
};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, combinators::BoxBody};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
};

use super::Upstream;

/// A running upstream. Gone when dropped. It goes where an [`Upstream`] does.
pub(crate) struct Streams {
    upstream: Upstream,
    connections: Arc<AtomicUsize>,
    _stop: oneshot::Sender<()>,
}

/// A request, and what answers it.
pub(crate) struct Exchange {
    pub(crate) head: http::request::Parts,
    pub(crate) body: RecvStream,
    pub(crate) respond: SendResponse<Bytes>,
    /// Which connection it came on, from 1.
    pub(crate) connection: usize,
}

impl Streams {
    /// Does something with each request.
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        talk: impl Fn(Exchange) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::with(&Builder::new(), 0, talk)
    }

    /// The same with settings of its own. With `requests` a connection takes so many, and then says GOAWAY.
    pub(crate) fn with<F: Future<Output = ()> + Send + 'static>(
        builder: &Builder,
        requests: usize,
        talk: impl Fn(Exchange) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let upstream = Upstream::elsewhere(listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = oneshot::channel();
        let (builder, counted, talk) = (builder.clone(), connections.clone(), Arc::new(talk));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let accept = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        stream.set_nodelay(true).unwrap();
                        let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
                        tokio::spawn(serve(stream, builder.clone(), number, requests, talk.clone()));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        Self { upstream, connections, _stop: stop }
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Serves one connection.
pub(crate) async fn serve<S, T, F>(stream: S, builder: Builder, number: usize, requests: usize, talk: Arc<T>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: Fn(Exchange) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    let mut count = 0;
    while let Some(Ok((request, respond))) = connection.accept().await {
        count += 1;
        if count == requests {
            connection.graceful_shutdown();
        }
        let (head, body) = Request::into_parts(request);
        tokio::spawn(talk(Exchange { head, body, respond, connection: number }));
    }
}

impl Exchange {
    /// All of the request's body, and its trailers.
    pub(crate) async fn read(&mut self) -> (Bytes, Option<HeaderMap>) {
        let mut whole = Vec::new();
        while let Some(data) = self.body.data().await {
            let data = data.expect("the body goes on");
            whole.extend_from_slice(&data);
            self.body.flow_control().release_capacity(data.len()).unwrap();
        }
        (whole.into(), self.body.trailers().await.expect("the body ends"))
    }

    /// A header of the request.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Begins an answer of 200 with these headers.
    pub(crate) fn begin(&mut self, headers: &[(&str, &str)]) -> SendStream<Bytes> {
        let mut response = Response::builder();
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        self.respond.send_response(response.body(()).unwrap(), false).unwrap()
    }

    /// Answers with a text.
    pub(crate) fn say(&mut self, text: impl Into<Bytes>) {
        self.begin(&[]).send_data(text.into(), true).unwrap();
    }
}

impl Deref for Streams {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.upstream
    }
}

/// The body of a request, piece by piece as it is sent here.
pub(crate) fn piped() -> (UnboundedSender<Frame<Bytes>>, BoxBody<Bytes, Infallible>) {
    let (sender, receiver) = unbounded_channel();
    (sender, Piped(receiver).boxed())
}

struct Piped(UnboundedReceiver<Frame<Bytes>>);

impl Body for Piped {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// A section of fields.
pub(crate) fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|&(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
        .collect()
}
