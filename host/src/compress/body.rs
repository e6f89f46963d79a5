//! A body that is compressed while it passes. What has come is let out when nothing more is there, so that nobody waits for
//! a full buffer. One that breaks off ends as a failure, never as a whole stream.

use std::{
    io,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
};

use bytes::Bytes;
use gatehouse_encoders::Encoder;
use http::HeaderMap;
use http_body::{Body, Frame};

use crate::{
    answer::AnswerBody,
    body::Broken,
    config::{Coding, Compression},
    failure::Failure,
};

/// Most bytes that are compressed without letting others run: some 0.3 ms of work.
const PIECE: usize = 16 << 10;

/// So many bytes that are out are handed on.
const ENOUGH: usize = 8 << 10;

/// Bodies of the process that are compressed at the same time; more pass as they are.
const MOST: usize = 256;

static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// A place among those.
struct AtWork;

impl AtWork {
    fn begin() -> Option<Self> {
        let before = AT_WORK.fetch_add(1, Ordering::Relaxed);
        // One that does not fit goes again at once.
        Some(Self).filter(|_| before < MOST)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) struct Compressed {
    source: AnswerBody,
    /// None at the end, whichever.
    encoder: Option<Encoder>,
    /// What has come and is not compressed yet.
    piece: Bytes,
    /// Whether something is in the encoder that has not come out.
    held: bool,
    source_ended: bool,
    /// What came behind the body.
    trailers: Option<HeaderMap>,
    /// Whether others are to run before the next piece.
    tired: bool,
    _at_work: AtWork,
}

impl Compressed {
    /// Takes a body; None, and leaves it, where as many are compressed as may be.
    pub(super) fn of(body: &mut AnswerBody, coding: Coding, rules: &Compression) -> Option<Self> {
        let at_work = AtWork::begin()?;
        let encoder = match coding {
            Coding::Gzip => Encoder::gzip(rules.gzip_level),
            Coding::Brotli => Encoder::brotli(rules.brotli_level),
            Coding::Zstd => Encoder::zstd(rules.zstd_level).ok()?,
        };
        Some(Self {
            source: std::mem::replace(body, AnswerBody::Empty),
            encoder: Some(encoder),
            piece: Bytes::new(),
            held: false,
            source_ended: false,
            trailers: None,
            tired: false,
            _at_work: at_work,
        })
    }

    fn advance(&mut self, cx: &mut Context<'_>) -> Result<Poll<Option<Bytes>>, Broken> {
        loop {
            if std::mem::take(&mut self.tired) {
                cx.waker().wake_by_ref();
                return Ok(Poll::Pending);
            }
            let Some(encoder) = &mut self.encoder else { return Ok(Poll::Ready(None)) };
            if !self.piece.is_empty() {
                let part = self.piece.split_to(self.piece.len().min(PIECE));
                encoder.write(&part).map_err(failed)?;
                (self.held, self.tired) = (true, true);
                if encoder.ready() >= ENOUGH {
                    return Ok(Poll::Ready(Some(encoder.take())));
                }
                continue;
            }
            if self.source_ended {
                let rest = self.encoder.take().map(Encoder::finish).transpose().map_err(failed)?;
                return Ok(Poll::Ready(rest.filter(|rest| !rest.is_empty())));
            }
            match Pin::new(&mut self.source).poll_frame(cx) {
                Poll::Ready(Some(frame)) => {
                    match frame?.into_data() {
                        Ok(data) => self.piece = data,
                        Err(other) => self.trailers = other.into_trailers().ok(),
                    }
                    self.source_ended = self.source.is_end_stream();
                }
                Poll::Ready(None) => self.source_ended = true,
                Poll::Pending if std::mem::take(&mut self.held) => {
                    encoder.flush().map_err(failed)?;
                    if encoder.ready() > 0 {
                        return Ok(Poll::Ready(Some(encoder.take())));
                    }
                }
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
    }
}

fn failed(error: io::Error) -> Broken {
    Broken::Failure(Failure::Internal(format!("compressing failed: {error}")))
}

impl Body for Compressed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        match this.advance(cx) {
            Ok(Poll::Ready(None)) => Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
            Ok(polled) => polled.map(|data| data.map(|data| Ok(Frame::data(data)))),
            Err(broken) => {
                this.encoder = None;
                Poll::Ready(Some(Err(broken)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }
}
