//! The body of an upstream's answer. When it has been read to its end, its connection goes back to the pool.

use std::{
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, timeout};

use super::{
    balance::UnderWay,
    connection::Connection,
    framing::Framing,
    pool::Pool,
    sending::{Sending, SendingEnded},
    switched::Switched,
};
use crate::{body::Broken, edge, failure::Failure};

/// Most bytes of a body that are read at once.
const READ: u64 = 64 << 10;

/// A body as the upstream sends it.
pub(crate) struct UpstreamBody {
    framing: Framing,
    /// Absent when the body is over or has failed.
    connection: Option<Box<Connection>>,
    sending: Option<Sending>,
    idle: Duration,
    /// Whether time without a byte runs.
    waiting: bool,
    /// Whether more had to be read than came with the header section.
    long: bool,
    /// Whether something was handed out that its taker may not have sent on yet.
    handed: bool,
    failed: Option<Failure>,
    back: Back,
    /// What ends with it.
    under_way: Option<Box<UnderWay>>,
}

/// Where a connection goes after a body.
pub(super) struct Back {
    pub(super) pool: Rc<Pool>,
    /// Whether it may be used again.
    pub(super) keep: bool,
    pub(super) keepalive: Duration,
    pub(super) most: usize,
}

impl UpstreamBody {
    pub(super) fn new(
        framing: Framing,
        connection: Box<Connection>,
        sending: Option<Sending>,
        idle: Duration,
        back: Back,
    ) -> Self {
        let mut body = Self {
            framing,
            connection: Some(connection),
            sending,
            idle,
            waiting: false,
            long: false,
            handed: true,
            failed: None,
            back,
            under_way: None,
        };
        if body.framing.is_done() {
            body.finish();
        }
        body
    }

    /// Lets a request be under way for as long as there is more of its answer.
    pub(super) fn is_of(&mut self, under_way: UnderWay) {
        if self.connection.is_some() {
            self.under_way = Some(Box::new(under_way));
        }
    }

    /// Whether its end can be told from having broken off.
    pub(crate) fn tells_its_end(&self) -> bool {
        !matches!(self.framing, Framing::UntilClose)
    }

    /// The connection of an answer that has switched protocols. It goes back to no pool.
    pub(crate) fn switch(self) -> Option<Box<Switched>> {
        Switched::new(*self.connection?, self.under_way).map(Box::new)
    }

    /// The body is over: what becomes of its connection.
    fn finish(&mut self) {
        self.under_way = None;
        let Some(mut connection) = self.connection.take() else { return };
        if let Some(write) = self.sending.take().and_then(|sending| sending.settle(self.idle)) {
            connection.give_back(write);
        }
        if self.back.keep && connection.is_quiet() {
            if self.long {
                // An idle connection does not hold the room for a long body.
                connection.buffer = BytesMut::new();
            }
            self.back.pool.keep(connection, self.back.keepalive, self.back.most);
        }
    }

    /// Tells a failure, but not in one breath with what came before it: hyper drops what it has not written yet.
    fn fail(&mut self, cx: &mut Context<'_>, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.connection = None;
        self.sending = None;
        self.under_way = None;
        if std::mem::take(&mut self.handed) {
            self.failed = Some(failure);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Broken::Failure(failure))))
    }

    /// What of the trailers may pass.
    #[cold]
    fn trailers(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.framing.take_trailers() {
            Ok(mut trailers) => {
                edge::strip_trailers(&mut trailers);
                Poll::Ready((!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers))))
            }
            Err(why) => self.fail(cx, Failure::UpstreamBroken(why.to_owned())),
        }
    }

    /// What is there of the body; None at its end.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        let broken = |why: &str| Failure::UpstreamBroken(why.to_owned());
        let Some(connection) = &mut self.connection else { return Poll::Ready(Ok(None)) };
        loop {
            if let Some(data) = self.framing.take(&mut connection.buffer).map_err(broken)? {
                return Poll::Ready(Ok(Some(data)));
            }
            if self.framing.is_done() {
                return Poll::Ready(Ok(None));
            }
            let room = self.framing.left().map_or(READ, |left| left.min(READ)) as usize;
            match connection.poll_read(cx, room) {
                Poll::Ready(Ok(0)) if matches!(self.framing, Framing::UntilClose) => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(broken("it ended within its body"))),
                Poll::Ready(Ok(_)) => {
                    self.waiting = false;
                    self.long = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(&error.to_string()))),
                Poll::Pending => break,
            }
        }
        if let Some(sending) = &mut self.sending
            && let Poll::Ready(ended) = sending.poll(cx)
        {
            self.sending = None;
            match ended {
                SendingEnded::Whole(write) => connection.give_back(write),
                SendingEnded::Refused => {}
                SendingEnded::Broken(failure) => return Poll::Ready(Err(failure)),
            }
        }
        if !self.waiting {
            self.waiting = true;
            connection.deadline.set(Instant::now() + self.idle);
        }
        ready!(connection.deadline.poll(cx));
        Poll::Ready(Err(broken("no byte of the body within `idle_timeout`")))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(failure) = self.failed.take() {
            return Poll::Ready(Some(Err(Broken::Failure(failure))));
        }
        let Poll::Ready(polled) = self.poll_data(cx) else {
            self.handed = false;
            return Poll::Pending;
        };
        match polled {
            Ok(Some(data)) => {
                self.handed = true;
                if self.framing.is_done() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Ok(None) => {
                self.finish();
                if self.framing.has_trailers() {
                    return self.trailers(cx);
                }
                Poll::Ready(None)
            }
            Err(failure) => self.fail(cx, failure),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.framing.is_done() && !self.framing.has_trailers()
    }

    fn size_hint(&self) -> SizeHint {
        self.framing.left().map_or_else(SizeHint::default, SizeHint::with_exact)
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
