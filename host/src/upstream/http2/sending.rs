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

/// How it ended.
pub(super) enum Ended {
    /// All of it is written, or the upstream takes no more of it.
    Over,
    /// It broke off on its way to us.
    Broken(Failure),
}

impl Sending {
    /// Begins.
    pub(super) fn start(
        stream: Stream,
        body: RequestBody,
        reserved: Vec<HeaderName>,
        progress: Arc<Progress>,
    ) -> Self {
        Self { task: Some(spawn_local(send(stream, body, reserved))), progress, moved: 0 }
    }

    /// Ready once, when it has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let ended = ready!(Pin::new(task).poll(cx));
        self.task = None;
        Poll::Ready(match ended {
            Ok(Ok(())) => Ended::Over,
            Ok(Err(failure)) => Ended::Broken(failure),
            Err(_) => Ended::Broken(Failure::Internal("the sending of a request's body panicked".into())),
        })
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
            Poll::Ready(_) => Poll::Ready(Err(())),
            Poll::Pending => Pin::new(&mut body).poll_frame(cx).map(Ok),
        });
        let Ok(frame) = frame.await else { return Ok(()) };
        let last = body.is_end_stream();
        let sent = match frame {
            None => stream.send_data(Bytes::new(), true),
            Some(Err(broken)) => {
                stream.send_reset(Reason::CANCEL);
                return Err(why(broken));
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if data.is_empty() && !last => continue,
                Ok(data) => match send_data(&mut stream, data, last).await {
                    Ok(()) if last => return Ok(()),
                    Ok(()) => continue,
                    Err(()) => return Ok(()),
                },
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let trailers = passable(trailers, &reserved).inspect_err(|_| stream.send_reset(Reason::CANCEL))?;
                    match trailers.is_empty() {
                        true => stream.send_data(Bytes::new(), true),
                        false => stream.send_trailers(trailers),
                    }
                }
            },
        };
        // Both ends know.
        let _ = sent;
        return Ok(());
    }
}

/// Sends a piece as the upstream has room for it; an error when it wants no more.
async fn send_data(stream: &mut Stream, mut data: Bytes, last: bool) -> Result<(), ()> {
    if data.is_empty() {
        return stream.send_data(data, last).map_err(drop);
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = poll_fn(|cx| match stream.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => stream.poll_capacity(cx),
        });
        let room = room.await.and_then(Result::ok).ok_or(())?;
        let piece = data.split_to(room.min(data.len()));
        stream.send_data(piece, last && data.is_empty()).map_err(drop)?;
    }
    Ok(())
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
