//! The body of a request on its way out: a task of its own for as long as it takes, so that an answer can come earlier
//! than the body's end, and a body can go on after it.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http_body::Body;
use tokio::{
    io::AsyncWriteExt,
    task::{JoinHandle, spawn_local},
    time::timeout,
};

use super::{head::Outgoing, stream::WriteHalf};
use crate::{
    body::{Broken, RequestBody},
    exchange::Progress,
    failure::Failure,
};

/// A body that is being sent. Dropped, it is broken off.
pub(super) struct Sending {
    task: Option<JoinHandle<Result<WriteHalf, Error>>>,
    /// Counts the bytes of it that come from the client.
    progress: Arc<Progress>,
    /// How many had come when somebody last asked.
    moved: u64,
}

/// How the sending of a body has ended.
pub(super) enum SendingEnded {
    /// All of it is written.
    Whole(WriteHalf),
    /// The upstream takes no more of it.
    Refused,
    /// It broke off on its way to us.
    Broken(Failure),
}

enum Error {
    Upstream,
    Body(Failure),
}

impl From<io::Error> for Error {
    fn from(_: io::Error) -> Self {
        Self::Upstream
    }
}

impl Sending {
    /// Begins.
    pub(super) fn start(write: WriteHalf, body: RequestBody, outgoing: Outgoing, progress: Arc<Progress>) -> Self {
        Self { task: Some(spawn_local(send(write, body, outgoing))), progress, moved: 0 }
    }

    /// Ready once, when it has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<SendingEnded> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let ended = ready!(Pin::new(task).poll(cx));
        self.task = None;
        Poll::Ready(match ended {
            Ok(Ok(write)) => SendingEnded::Whole(write),
            Ok(Err(Error::Upstream)) => SendingEnded::Refused,
            Ok(Err(Error::Body(failure))) => SendingEnded::Broken(failure),
            Err(_) => SendingEnded::Broken(Failure::Internal("the sending of a request's body panicked".into())),
        })
    }

    /// Whether bytes of the body have come since this was last asked.
    pub(super) fn has_moved(&mut self) -> bool {
        let before = std::mem::replace(&mut self.moved, self.progress.request());
        self.moved > before
    }

    /// Its answer is complete: the writing half, if all is written; else it goes on alone, for as long as it moves.
    pub(super) fn settle(mut self, idle: Duration) -> Option<WriteHalf> {
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(SendingEnded::Whole(write)) => Some(write),
            Poll::Ready(_) => None,
            Poll::Pending => {
                spawn_local(self.outlive(idle));
                None
            }
        }
    }

    /// Nobody waits for its end any more: an upstream that takes no more of it would keep it for ever.
    async fn outlive(mut self, idle: Duration) {
        self.has_moved();
        while timeout(idle, poll_fn(|cx| self.poll(cx))).await.is_err() && self.has_moved() {}
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn send(mut write: WriteHalf, body: RequestBody, outgoing: Outgoing) -> Result<WriteHalf, Error> {
    let mut body = std::pin::pin!(body);
    let mut left = match outgoing {
        Outgoing::Length(length) => Some(length),
        Outgoing::Nothing | Outgoing::Empty | Outgoing::Chunked => None,
    };
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        match &mut left {
            Some(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| odd("longer"))?;
                write.write_all(&data).await?;
                write.flush().await?;
            }
            None if data.is_empty() => {}
            None => {
                let size = format!("{:x}\r\n", data.len());
                write.write_all_buf(&mut size.as_bytes().chain(data).chain(Bytes::from_static(b"\r\n"))).await?;
                write.flush().await?;
            }
        }
    }
    match left {
        None => {
            write.write_all(b"0\r\n\r\n").await?;
            write.flush().await?;
        }
        Some(0) => {}
        Some(_) => return Err(odd("shorter")),
    }
    Ok(write)
}

fn broken(broken: Broken) -> Error {
    Error::Body(match broken {
        Broken::Failure(failure) => failure,
        Broken::Reply(_) => Failure::UpstreamBroken("a plugin answered in place of the request's body".into()),
    })
}

fn odd(how: &str) -> Error {
    Error::Body(Failure::Internal(format!("the request's body is {how} than it said")))
}
