//! The body of an answer over HTTP/2, and its trailers.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, header::CONTENT_LENGTH};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::{
    FIELDS, broken,
    pool::Seat,
    sending::{self, Sending},
};
use crate::{body::Broken, deadline::Deadline, edge, failure::Failure, upstream::balance::UnderWay};

/// A body as the upstream sends it. Dropped before its end, its stream is reset.
pub(crate) struct Http2Body {
    stream: RecvStream,
    length: Option<u64>,
    /// Whether its data has ended, and whether all of it has.
    data_ended: bool,
    ended: bool,
    sending: Option<Sending>,
    idle: Duration,
    deadline: Deadline,
    /// Whether time without a byte runs.
    waiting: bool,
    /// Whether something was handed out that its taker may not have sent on yet.
    handed: bool,
    failed: Option<Failure>,
    /// Its place on the connection, and what else ends with it.
    seat: Option<Seat>,
    under_way: Option<UnderWay>,
}

impl Http2Body {
    pub(super) fn new(
        stream: RecvStream,
        headers: &HeaderMap,
        sending: Option<Sending>,
        seat: Seat,
        idle: Duration,
    ) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let ended = stream.is_end_stream();
        let mut body = Self {
            stream,
            length: if ended { Some(0) } else { length },
            data_ended: false,
            ended,
            sending,
            idle,
            deadline: Deadline::new(Instant::now() + idle),
            waiting: false,
            handed: true,
            failed: None,
            seat: Some(seat),
            under_way: None,
        };
        if ended {
            body.finish();
        }
        body
    }

    /// Lets a request be under way for as long as there is more of its answer.
    pub(in crate::upstream) fn is_of(&mut self, under_way: UnderWay) {
        if !self.ended {
            self.under_way = Some(under_way);
        }
    }

    /// All of it is here.
    fn finish(&mut self) {
        self.ended = true;
        self.under_way = None;
        self.seat = None;
        if let Some(sending) = self.sending.take() {
            sending.settle(self.idle);
        }
    }

    /// Tells a failure, but not in one breath with what came before it: hyper drops what it has not written yet.
    fn fail(&mut self, cx: &mut Context<'_>, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.sending = None;
        self.under_way = None;
        self.seat = None;
        if std::mem::take(&mut self.handed) {
            self.failed = Some(failure);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.ended = true;
        Poll::Ready(Some(Err(Broken::Failure(failure))))
    }

    /// What is there of it; None at its end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Failure>> {
        while !self.data_ended {
            match self.stream.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => {
                    self.waiting = false;
                    // On it goes: the upstream may send as much again.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    if !data.is_empty() {
                        self.length = self.length.map(|length| length.saturating_sub(data.len() as u64));
                        return Poll::Ready(Ok(Some(Frame::data(data))));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(self.why(&error, cx))),
                Poll::Ready(None) => self.data_ended = true,
                Poll::Pending => return self.poll_idle(cx),
            }
        }
        match self.stream.poll_trailers(cx) {
            Poll::Ready(Ok(None)) => Poll::Ready(Ok(None)),
            Poll::Ready(Ok(Some(trailers))) if trailers.len() > FIELDS => {
                Poll::Ready(Err(Failure::UpstreamBroken("it has too many trailers".into())))
            }
            Poll::Ready(Ok(Some(mut trailers))) => {
                edge::strip_trailers(&mut trailers);
                Poll::Ready(Ok((!trailers.is_empty()).then(|| Frame::trailers(trailers))))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.why(&error, cx))),
            Poll::Pending => self.poll_idle(cx),
        }
    }

    /// Where the request's body has broken off it is we who have reset the stream.
    fn why(&mut self, error: &h2::Error, cx: &mut Context<'_>) -> Failure {
        sending::broken(&mut self.sending, cx).unwrap_or_else(|| broken(error))
    }

    /// Nothing is there: the request's body may have broken off, or the time may be over.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Failure>> {
        if let Some(failure) = sending::broken(&mut self.sending, cx) {
            return Poll::Ready(Err(failure));
        }
        if !self.waiting {
            self.waiting = true;
            self.deadline.set(Instant::now() + self.idle);
        }
        ready!(self.deadline.poll(cx));
        Poll::Ready(Err(Failure::UpstreamBroken("no byte of the body within `idle_timeout`".into())))
    }
}

impl Body for Http2Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(failure) = self.failed.take() {
            self.ended = true;
            return Poll::Ready(Some(Err(Broken::Failure(failure))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(polled) = self.poll_next(cx) else {
            self.handed = false;
            return Poll::Pending;
        };
        match polled {
            Ok(Some(frame)) => {
                self.handed = true;
                if frame.is_trailers() || self.stream.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Ok(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Err(failure) => self.fail(cx, failure),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
