//! Bodies on their way through: streamed piece by piece with back-pressure, bounded, timed, counted. Nothing here keeps
//! more than the piece in hand; only [`collect`] gathers a whole body, for a hook that asked for it.

mod pipe;

pub(crate) use pipe::{Direction, filtered};

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep_until};

use crate::{exchange::Progress, failure::Failure, patience::Patience, plugin::PluginReply};

/// Why a body ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// Something went wrong.
    #[error("{0}")]
    Failure(Failure),
    /// A chunk filter answers in its place.
    #[error("a plugin answers in place of this body")]
    Reply(Box<PluginReply>),
}

/// Any body.
pub(crate) type AnyBody = Pin<Box<dyn Body<Data = Bytes, Error = Broken>>>;

/// The body of a request on its way to the upstream.
pub(crate) enum RequestBody {
    /// There is none.
    Empty,
    /// In one piece.
    Whole(Option<Bytes>),
    /// From the client.
    Client(ClientBody),
    /// Through chunk filters.
    Piped(AnyBody),
}

impl RequestBody {
    /// Whether there is surely nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Client(_) | Self::Piped(_) => false,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Client(body) => Pin::new(body).poll_frame(cx),
            Self::Piped(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Client(body) => body.inner.is_end_stream(),
            Self::Piped(body) => body.is_end_stream(),
            _ => self.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Client(body) => body.inner.size_hint(),
            Self::Piped(body) => body.size_hint(),
        }
    }
}

/// A body as the client sends it: bounded, timed, counted.
pub(crate) struct ClientBody {
    inner: Incoming,
    left: u64,
    idle: Idle,
    progress: Arc<Progress>,
}

impl ClientBody {
    pub(crate) fn new(inner: Incoming, limit: u64, patience: Patience, progress: Arc<Progress>) -> Self {
        Self { inner, left: limit, idle: Idle { patience, timer: None }, progress }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            ready!(this.idle.poll(cx));
            return broken(Failure::BodyTimeout);
        };
        this.idle.moved(&frame);
        match frame {
            None => Poll::Ready(None),
            // Whoever sends them on decides what of them may pass; HTTP/1.1 sends none.
            Some(Ok(frame)) if frame.is_trailers() => Poll::Ready(Some(Ok(frame))),
            Some(Err(_)) => broken(Failure::BodyBroken),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.progress.add_request(bytes);
                match this.left.checked_sub(bytes as u64) {
                    None => broken(Failure::BodyTooLarge),
                    Some(left) => {
                        this.left = left;
                        Poll::Ready(Some(Ok(frame)))
                    }
                }
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

fn broken(failure: Failure) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
    Poll::Ready(Some(Err(Broken::Failure(failure))))
}

/// What the client has left. The timer exists only while there is something to wait for.
struct Idle {
    patience: Patience,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    /// Ready when the time is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = &mut self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(patience.wait())));
        timer.as_mut().poll(cx)
    }

    /// Something has come.
    fn moved(&mut self, frame: &Option<hyper::Result<Frame<Bytes>>>) {
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        self.patience.moved(data.map_or(0, Bytes::len));
        self.timer = None;
    }
}

/// Gathers a whole body; None when it is longer than the limit. Its trailers are dropped.
pub(crate) async fn collect<B>(body: B, limit: u64) -> Result<Option<Bytes>, Broken>
where
    B: Body<Data = Bytes, Error = Broken>,
{
    Ok(gather(body, limit).await?.map(|(whole, _)| whole))
}

/// The same with its trailers.
pub(crate) async fn gather<B>(body: B, limit: u64) -> Result<Option<(Bytes, Option<HeaderMap>)>, Broken>
where
    B: Body<Data = Bytes, Error = Broken>,
{
    if body.size_hint().lower() > limit {
        return Ok(None);
    }
    let mut body = std::pin::pin!(body);
    let (mut whole, mut trailers) = (BytesMut::new(), None);
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let data = match frame?.into_data() {
            Ok(data) => data,
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        if (whole.len() + data.len()) as u64 > limit {
            return Ok(None);
        }
        whole.extend_from_slice(&data);
    }
    Ok(Some((whole.freeze(), trailers)))
}
