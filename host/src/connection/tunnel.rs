//! A connection that has become a WebSocket: bytes pass both ways, as they are, until both ends have ended or a time is over.
//! Then both are told, where that does not fall into a frame.
//!
//! Each direction waits for its own reader and keeps no more than the piece in hand, and nothing while it waits for bytes.
//! The exchange is open all the while, and closes when this ends.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_util::io::poll_read_buf;

use super::io::Io;
use crate::{
    answer::Open,
    config::WebSocket,
    deadline::Deadline,
    exchange::Progress,
    failure::Failure,
    upstream::Switched,
    websocket::{Frames, GOODBYE_TO_CLIENT, GOODBYE_TO_UPSTREAM},
    worker::Worker,
};

/// Most bytes that are read at once.
const READ: usize = 16 << 10;

/// When the worker stops, it ends so long before the drain does, and is not cut off.
const BEFORE: Duration = Duration::from_millis(100);

/// A WebSocket that begins when the client's connection is handed over.
pub(crate) struct Tunnel {
    open: Open,
    upstream: Box<Switched>,
    limits: WebSocket,
}

/// Why it has ended, for the log.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("both ends have ended")]
    Over,
    #[error("no byte has come within `idle_timeout`")]
    Idle,
    #[error("`max_time` is over")]
    Time,
    #[error("the worker stops")]
    Stopped,
    #[error("the client has left: {0}")]
    Client(io::Error),
    #[error("the upstream has left: {0}")]
    Upstream(io::Error),
}

impl Tunnel {
    pub(crate) fn new(open: Open, upstream: Box<Switched>, limits: WebSocket) -> Self {
        Self { open, upstream, limits }
    }

    /// Passes bytes to its end; `ahead` is what the client has sent before it could have the answer.
    pub(super) async fn run(mut self, worker: &Worker, io: Io, ahead: Bytes) {
        let _counted = worker.gateway.metrics.websocket_open();
        let progress = self.open.exchange().outcome.progress.clone();
        let begun = Instant::now();
        let mut ends = Ends {
            client: TokioIo::new(io),
            upstream: self.upstream,
            up: Flow::new(ahead),
            down: Flow::new(Bytes::new()),
            limits: self.limits,
            until: begun + self.limits.max_time,
            deadline: Deadline::new(begun + self.limits.idle_timeout.min(self.limits.max_time)),
        };
        let end = tokio::select! {
            biased;
            end = poll_fn(|cx| ends.poll(cx, &progress)) => end,
            () = drained(worker) => End::Stopped,
        };
        tracing::debug!(request_id = self.open.exchange().id.as_str(), "a WebSocket ends: {end}");
        match end {
            End::Over => self.open.complete(),
            End::Idle | End::Time | End::Stopped => {
                ends.say_goodbye();
                self.open.complete();
            }
            // The exchange says by itself that the client has left.
            End::Client(_) => {}
            End::Upstream(error) => self.open.fail(Failure::UpstreamBroken(format!("a WebSocket: {error}"))),
        }
    }
}

/// Waits until the worker stops, and nearly as long as that may take.
async fn drained(worker: &Worker) {
    let since = worker.stopping_since().await;
    let most = worker.gateway.snapshot().config.server.drain_timeout;
    tokio::time::sleep_until(since + most.saturating_sub(BEFORE)).await;
}

/// Both ends and what is between them.
struct Ends {
    client: TokioIo<Io>,
    upstream: Box<Switched>,
    /// From the client to the upstream.
    up: Flow,
    down: Flow,
    limits: WebSocket,
    /// The end of `max_time`.
    until: Instant,
    deadline: Deadline,
}

impl Ends {
    fn poll(&mut self, cx: &mut Context<'_>, progress: &Progress) -> Poll<End> {
        let (mut client, mut upstream) = (Pin::new(&mut self.client), Pin::new(&mut *self.upstream));
        match self.up.poll(cx, client.as_mut(), upstream.as_mut()) {
            Poll::Ready(Err(Broken::Source(error))) => return Poll::Ready(End::Client(error)),
            // It has said all that it had to say, and listens no more.
            Poll::Ready(Err(Broken::Sink(_))) if self.down.ended => self.up.give_up(),
            Poll::Ready(Err(Broken::Sink(error))) => return Poll::Ready(End::Upstream(error)),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        match self.down.poll(cx, upstream, client) {
            Poll::Ready(Err(Broken::Source(error))) => return Poll::Ready(End::Upstream(error)),
            Poll::Ready(Err(Broken::Sink(_))) if self.up.ended => self.down.give_up(),
            Poll::Ready(Err(Broken::Sink(error))) => return Poll::Ready(End::Client(error)),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        let ((sent, taken), (brought, given)) = (self.up.moved(), self.down.moved());
        progress.add_request(sent);
        progress.add_response(given);
        if self.up.told && self.down.told {
            return Poll::Ready(End::Over);
        }
        if sent + taken + brought + given > 0 {
            self.deadline.set((Instant::now() + self.limits.idle_timeout).min(self.until));
        }
        ready!(self.deadline.poll(cx));
        Poll::Ready(if Instant::now() < self.until { End::Idle } else { End::Time })
    }

    /// Ends both connections in order, if that takes no waiting.
    fn say_goodbye(&mut self) {
        self.down.say_last(Pin::new(&mut self.client), &GOODBYE_TO_CLIENT);
        self.up.say_last(Pin::new(&mut *self.upstream), &GOODBYE_TO_UPSTREAM);
    }
}

/// Bytes on their way from one end to the other.
struct Flow {
    /// Read and not written yet.
    waiting: BytesMut,
    /// Those that the sink has taken.
    frames: Frames,
    /// Whether the sink may hold something back.
    unflushed: bool,
    /// The source has ended.
    ended: bool,
    /// The sink knows, or will hear no more.
    told: bool,
    /// Bytes since somebody last asked.
    read: usize,
    written: usize,
}

/// At which end it broke.
enum Broken {
    Source(io::Error),
    Sink(io::Error),
}

impl Flow {
    fn new(ahead: Bytes) -> Self {
        let read = ahead.len();
        let (waiting, frames) = (ahead.into(), Frames::default());
        Self { waiting, frames, unflushed: false, ended: false, told: false, read, written: 0 }
    }

    /// Moves what can be moved. Ready when the source has ended and the sink has been told.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut source: Pin<&mut impl AsyncRead>,
        mut sink: Pin<&mut impl AsyncWrite>,
    ) -> Poll<Result<(), Broken>> {
        while !self.told {
            if !self.waiting.is_empty() {
                let wrote = ready!(sink.as_mut().poll_write(cx, &self.waiting)).map_err(Broken::Sink)?;
                if wrote == 0 {
                    return Poll::Ready(Err(Broken::Sink(io::ErrorKind::WriteZero.into())));
                }
                self.frames.pass(&self.waiting[..wrote]);
                self.waiting.advance(wrote);
                self.written += wrote;
                self.unflushed = true;
                continue;
            }
            if self.ended {
                ready!(sink.as_mut().poll_shutdown(cx)).map_err(Broken::Sink)?;
                self.told = true;
                continue;
            }
            self.waiting.reserve(READ);
            let Poll::Ready(read) = poll_read_buf(source.as_mut(), cx, &mut self.waiting) else {
                self.waiting = BytesMut::new();
                if self.unflushed {
                    ready!(sink.as_mut().poll_flush(cx)).map_err(Broken::Sink)?;
                    self.unflushed = false;
                }
                return Poll::Pending;
            };
            let read = match read {
                // TLS without its goodbye: WebSocket has one of its own, which tells a whole end from a cut.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                read => read.map_err(Broken::Source)?,
            };
            self.ended = read == 0;
            self.read += read;
        }
        Poll::Ready(Ok(()))
    }

    /// Says something between two frames, and that it was the last.
    fn say_last(&mut self, mut sink: Pin<&mut impl AsyncWrite>, frame: &[u8]) {
        let cx = &mut Context::from_waker(Waker::noop());
        if !self.told && self.frames.are_between() {
            let _ = sink.as_mut().poll_write(cx, frame);
        }
        let _ = sink.poll_shutdown(cx);
    }

    /// Nobody takes what it carries any more.
    fn give_up(&mut self) {
        self.waiting = BytesMut::new();
        self.told = true;
    }

    /// Bytes read and written since this was last asked.
    fn moved(&mut self) -> (usize, usize) {
        (std::mem::take(&mut self.read), std::mem::take(&mut self.written))
    }
}
