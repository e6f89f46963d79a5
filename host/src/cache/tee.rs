//! A body on its way to the client that is kept once it was whole. The client waits for nothing; what breaks off, grows too
//! large, or is left by its client is not kept.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use http_body::{Body, Frame, SizeHint};

use super::{Asked, Began, Cache, Judged, key};
use crate::{body::Broken, exchange::Exchange, flight::Flight, upstream::UpstreamBody};

/// Where an answer is going to be kept, and all of it but the body.
pub(crate) struct Place {
    pub(super) key: u128,
    /// The key of the request, where its answers vary, and by what.
    pub(super) varies: Option<(u128, Arc<[HeaderName]>)>,
    pub(super) began: Began,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) judged: Judged,
    pub(super) target: Box<str>,
}

impl Place {
    pub(crate) fn new(
        cache: &Cache,
        (asked, began): (&Asked, Began),
        exchange: &Exchange,
        varies: Vec<HeaderName>,
        (status, headers, judged): (StatusCode, HeaderMap, Judged),
    ) -> Self {
        let request = &exchange.request;
        let (key, varies) = match varies.is_empty() {
            true => (asked.key, None),
            false => {
                let variant = key::variant(&cache.secret, asked.key, &varies, &request.headers);
                (variant, Some((asked.key, varies.into())))
            }
        };
        let target = format!("{}{}", request.authority, request.target.path()).into();
        Self { key, varies, began, status, headers, judged, target }
    }

    /// Keeps an answer with this body.
    pub(crate) fn keep(&self, cache: &Cache, body: Bytes) {
        cache.keep(self, body);
    }

    /// Whether others can be served with it without asking again.
    pub(crate) fn is_fresh(&self) -> bool {
        self.judged.age < self.judged.fresh
    }
}

/// A body that is handed on, and kept at its end.
pub(crate) struct Tee {
    source: UpstreamBody,
    gathering: Option<Gathering>,
}

struct Gathering {
    cache: Arc<Cache>,
    place: Place,
    bytes: Vec<u8>,
    /// Bytes of it that count for all that the cache gathers.
    counted: u64,
    /// Those that wait for this answer.
    flight: Option<Flight>,
}

impl Tee {
    pub(crate) fn new(cache: &Arc<Cache>, place: Place, source: UpstreamBody, flight: Option<Flight>) -> Self {
        let room = source.size_hint().exact().unwrap_or(0).min(cache.config.entry_bytes) as usize;
        let bytes = Vec::with_capacity(room);
        let mut gathering = Gathering { cache: cache.clone(), place, bytes, counted: 0, flight };
        let fits = source.size_hint().lower() <= cache.config.entry_bytes && gathering.count(room as u64);
        let this = |gathering| Self { source, gathering };
        match fits {
            true => this(Some(gathering)),
            false => {
                gathering.give_up();
                this(None)
            }
        }
    }
}

impl Gathering {
    /// Counts bytes; false where the cache gathers as many as it may keep.
    fn count(&mut self, more: u64) -> bool {
        let cache = &self.cache;
        let before = cache.gathering.fetch_add(more, Ordering::Relaxed);
        self.counted += more;
        before.saturating_add(more) <= cache.config.bytes
    }

    /// Takes a piece; false where it does not fit.
    fn take(&mut self, piece: &[u8]) -> bool {
        let length = (self.bytes.len() + piece.len()) as u64;
        if length > self.cache.config.entry_bytes || (length > self.counted && !self.count(length - self.counted)) {
            return false;
        }
        self.bytes.extend_from_slice(piece);
        true
    }

    fn finish(mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // A boxed slice holds no room beyond its end.
        self.place.keep(&self.cache, bytes.into_boxed_slice().into());
        if let Some(flight) = self.flight.take() {
            flight.land(self.place.is_fresh());
        }
    }

    /// It is not going to be kept: nobody has to wait for it.
    fn give_up(&mut self) {
        if let Some(flight) = self.flight.take() {
            flight.land(false);
        }
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        self.cache.gathering.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.source).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let piece = frame.data_ref().map_or(&[][..], |data| data);
                if let Some(gathering) = &mut this.gathering
                    && !gathering.take(piece)
                {
                    gathering.give_up();
                    this.gathering = None;
                }
                // Nobody may ask for more.
                if this.source.is_end_stream()
                    && let Some(gathering) = this.gathering.take()
                {
                    gathering.finish();
                }
            }
            Some(Err(_)) => {
                if let Some(mut gathering) = this.gathering.take() {
                    gathering.give_up();
                }
            }
            None => {
                if let Some(gathering) = this.gathering.take() {
                    gathering.finish();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}
