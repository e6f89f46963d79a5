//! A body through a chunk filter: each piece goes to the plugin, and on goes what the plugin makes of it.
//!
//! The instance stays with the body to its end. When the body is dropped before that, the instance is too.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};

use super::{AnyBody, Broken};
use crate::{
    exchange::Exchange,
    failure::{Failure, Fault},
    plugin::{ChunkAction, Session},
};

/// The largest piece that a plugin gets: one whose bytes a loop in JavaScript sees within `limits.cpu`.
const PIECE: usize = 16 << 10;

/// Which of the two chunk hooks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

type Called = (Session, Result<ChunkAction, Fault>, Bytes);

struct Pipe {
    source: AnyBody,
    exchange: Arc<Exchange>,
    direction: Direction,
    /// Pieces that wait for the plugin.
    waiting: VecDeque<Bytes>,
    source_ended: bool,
    /// What comes behind all pieces. The plugin does not see it.
    trailers: Option<Box<HeaderMap>>,
    stage: Stage,
    passed_any: bool,
}

enum Stage {
    Ready(Session),
    Calling { call: Pin<Box<dyn Future<Output = Called>>>, last: bool },
    Done,
}

/// Sends a body through a plugin's chunk hook. Yields its first frame only when the plugin lets one pass, so that a
/// caller who waits for it can still answer otherwise; see [`Primed`].
pub(crate) async fn filtered(
    source: AnyBody,
    session: Session,
    exchange: Arc<Exchange>,
    direction: Direction,
) -> Result<AnyBody, Broken> {
    let mut pipe: AnyBody = Box::pin(Pipe {
        source,
        exchange,
        direction,
        waiting: VecDeque::new(),
        source_ended: false,
        trailers: None,
        stage: Stage::Ready(session),
        passed_any: false,
    });
    let first = std::future::poll_fn(|cx| pipe.as_mut().poll_frame(cx)).await.transpose()?;
    Ok(Box::pin(Primed { first, rest: pipe }))
}

/// A body of which the first frame is already here.
struct Primed {
    first: Option<Frame<Bytes>>,
    rest: AnyBody,
}

impl Body for Primed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        match this.first.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => this.rest.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}

impl Body for Pipe {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        loop {
            match std::mem::replace(&mut this.stage, Stage::Done) {
                Stage::Done => return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(*trailers)))),
                Stage::Ready(mut session) => match this.next_piece(cx) {
                    Poll::Ready(Ok((piece, last))) => {
                        let call = call(session, this.exchange.clone(), this.direction, piece, last);
                        this.stage = Stage::Calling { call: Box::pin(call), last };
                    }
                    Poll::Ready(Err(broken)) => {
                        session.spoil();
                        return Poll::Ready(Some(Err(broken)));
                    }
                    Poll::Pending => {
                        this.stage = Stage::Ready(session);
                        return Poll::Pending;
                    }
                },
                Stage::Calling { mut call, last } => match call.as_mut().poll(cx) {
                    Poll::Pending => {
                        this.stage = Stage::Calling { call, last };
                        return Poll::Pending;
                    }
                    Poll::Ready(called) => {
                        if let Some(frame) = this.passed(called, last) {
                            return Poll::Ready(Some(frame));
                        }
                    }
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.stage, Stage::Done) && self.trailers.is_none()
    }
}

impl Pipe {
    /// The next piece for the plugin, and whether it is the last. An end is announced with an empty piece, unless it is
    /// known together with the last bytes.
    fn next_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Bytes, bool), Broken>> {
        while self.waiting.is_empty() && !self.source_ended {
            match ready!(self.source.as_mut().poll_frame(cx)) {
                None => self.source_ended = true,
                Some(Err(broken)) => return Poll::Ready(Err(broken)),
                Some(Ok(frame)) => {
                    let mut data = match frame.into_data() {
                        Ok(data) => data,
                        Err(frame) => {
                            self.trailers = frame.into_trailers().ok().map(Box::new);
                            continue;
                        }
                    };
                    while data.len() > PIECE {
                        self.waiting.push_back(data.split_to(PIECE));
                    }
                    self.waiting.push_back(data);
                    self.source_ended = self.source.is_end_stream();
                }
            }
        }
        let piece = self.waiting.pop_front().unwrap_or_default();
        Poll::Ready(Ok((piece, self.source_ended && self.waiting.is_empty())))
    }

    /// What goes on after a call, if anything does. Without a next stage set, the pipe is done.
    fn passed(&mut self, (mut session, action, piece): Called, last: bool) -> Option<Result<Frame<Bytes>, Broken>> {
        let plugin = session.plugin().name().to_owned();
        if !last && !matches!(action, Ok(ChunkAction::Unchanged | ChunkAction::Replace(_))) {
            session.spoil();
        }
        let bytes = match action {
            Ok(ChunkAction::Unchanged) => piece,
            Ok(ChunkAction::Replace(bytes)) => bytes,
            Ok(ChunkAction::Respond(reply)) if !self.passed_any => return Some(Err(Broken::Reply(Box::new(reply)))),
            Ok(ChunkAction::Respond(_)) => {
                let late = session.faulty(Fault::Invalid("`respond` after bytes of the body have gone on".into()));
                return Some(Err(Broken::Failure(Failure::plugin(&plugin, late))));
            }
            // Half a rewritten body is no body: a chunk filter cannot be skipped.
            Err(fault) => return Some(Err(Broken::Failure(Failure::plugin(&plugin, fault)))),
        };
        if !last {
            self.stage = Stage::Ready(session);
        }
        self.passed_any |= !bytes.is_empty();
        (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
    }
}

async fn call(mut session: Session, exchange: Arc<Exchange>, direction: Direction, piece: Bytes, last: bool) -> Called {
    let chunk = piece.to_vec();
    let action = match direction {
        Direction::Request => session.on_request_chunk(&exchange, chunk, last).await,
        Direction::Response => session.on_response_chunk(&exchange, chunk, last).await,
    };
    (session, action, piece)
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // An instance in the middle of a body has that body's state in it.
        if let Stage::Ready(session) = &mut self.stage {
            session.spoil();
        }
    }
}
