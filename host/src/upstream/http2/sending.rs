//! The body of a request on its way out, by a task for as long as it lasts: an answer may come before it has ended.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderName};
use http_body::Body as _;
use tokio::{
    task::{JoinHandle, spawn_local},
    time::timeout,
};

use super::{FIELDS, Stream};
use crate::{
    body::{Broken, RequestBody},
    edge,
    exchange::Progress,
    failure::Failure,
};

/// Most bytes of a request's trailers.
const TRAILERS: usize = 16 << 10;

/// A body on its way out. It is broken off when this is dropped.
pub(super) struct Sending {
    task: Option<JoinHandle<Result<(), Failure>>>,
    progress: Arc<Progress>,
    moved: u64,
}

/// Why a body has broken off on its way to us, if it has. One that is over is taken away.
pub(super) fn broken(sending: &mut Option<Sending>, cx: &mut Context<'_>) -> Option<Failure> {
    let Poll::Ready(ended) = sending.as_mut()?.poll(cx) else { return None };
    *sending = None;
    ended.err()
}

impl Sending {
    /// Begins.
    pub(super) fn start(stream: Stream, body: RequestBody, reserved: Vec<HeaderName>, progress: Arc<Progress>) -> Self {
        Self { task: Some(spawn_local(send(stream, body, reserved))), progress, moved: 0 }
    }

    /// Ready once, when all of it is written or the upstream takes no more of it; or with why it has broken off.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let ended = ready!(Pin::new(task).poll(cx));
        self.task = None;
        let panicked = |_| Err(Failure::Internal("the sending of a request's body panicked".into()));
        Poll::Ready(ended.unwrap_or_else(panicked))
    }

    /// Whether bytes of the body have come since this was last asked.
    pub(super) fn has_moved(&mut self) -> bool {
        let before = std::mem::replace(&mut self.moved, self.progress.request());
        self.moved > before
    }

    /// Its answer is complete: it goes on alone, for as long as it moves.
    pub(super) fn settle(mut self, idle: Duration) {
        if self.task.as_ref().is_some_and(|task| !task.is_finished()) {
            spawn_local(async move {
                self.has_moved();
                while timeout(idle, poll_fn(|cx| self.poll(cx))).await.is_err() && self.has_moved() {}
            });
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Sends a body. What the upstream does not want any more is no failure: its answer says what it thinks of it.
async fn send(mut stream: Stream, mut body: RequestBody, reserved: Vec<HeaderName>) -> Result<(), Failure> {
    loop {
        let frame = poll_fn(|cx| match stream.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => Pin::new(&mut body).poll_frame(cx).map(Some),
        });
        let Some(frame) = frame.await else { return Ok(()) };
        let last = body.is_end_stream();
        let sent = match frame.transpose() {
            Err(broken) => {
                stream.send_reset(Reason::CANCEL);
                return Err(why(broken));
            }
            Ok(None) => send_data(&mut stream, Bytes::new(), true).await,
            Ok(Some(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() && !last => continue,
                Ok(data) => {
                    let sent = send_data(&mut stream, data, last).await;
                    if sent.is_some() && !last {
                        continue;
                    }
                    sent
                }
                Err(frame) => {
                    let trailers = passable(frame.into_trailers().unwrap_or_default(), &reserved);
                    let trailers = trailers.inspect_err(|_| stream.send_reset(Reason::CANCEL))?;
                    match trailers.is_empty() {
                        true => stream.send_data(Bytes::new(), true).ok(),
                        false => stream.send_trailers(trailers).ok(),
                    }
                }
            },
        };
        // Whether it was sent whole: both ends know.
        let _ = sent;
        return Ok(());
    }
}

/// Sends a piece as the upstream has room for it; None when it wants no more.
async fn send_data(stream: &mut Stream, mut data: Bytes, last: bool) -> Option<()> {
    if data.is_empty() {
        return stream.send_data(data, last).ok();
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = poll_fn(|cx| match stream.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => stream.poll_capacity(cx),
        });
        let room = room.await?.ok()?;
        let piece = data.split_to(room.min(data.len()));
        stream.send_data(piece, last && data.is_empty()).ok()?;
    }
    Some(())
}

/// What may pass of a client's trailers.
fn passable(mut trailers: HeaderMap, reserved: &[HeaderName]) -> Result<HeaderMap, Failure> {
    let bytes: usize = trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if trailers.len() > FIELDS || bytes > TRAILERS {
        return Err(Failure::HeadersTooLarge);
    }
    edge::strip_request_trailers(&mut trailers, reserved);
    Ok(trailers)
}

fn why(broken: Broken) -> Failure {
    match broken {
        Broken::Failure(failure) => failure,
        Broken::Reply(_) => Failure::UpstreamBroken("a plugin answered in place of the request's body".into()),
    }
}
