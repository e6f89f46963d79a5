//! Requests to upstreams over HTTP/2 (RFC 9113), by the `h2` crate, which is what hyper speaks it with.
//!
//! The rules are those of HTTP/1.1 in `upstream.rs`: a request that the upstream has surely not begun with (GOAWAY, or
//! REFUSED_STREAM, RFC 9113 section 8.7) is sent again, and so is one whose connection was lost before an answer, if that is
//! safe. Only who reads and writes differs: a connection carries many requests, and has a task of its own.

mod body;
mod channel;
mod pool;
mod sending;

pub(crate) use body::Http2Body;
pub(super) use channel::Channel;
pub(super) use pool::Pool;

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Poll, ready},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, client::ResponseFuture};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version,
    header::{HOST, TE},
    uri::{Authority, PathAndQuery, Scheme},
};
use tokio::time::{Instant, timeout_at};

use super::{Answer, Body, Missed, Outbound, connection::Lost, endpoint::Endpoint};
use crate::{body::RequestBody, deadline::Deadline, edge, failure::Failure};
use pool::Seat;
use sending::Sending;

/// Most fields of an answer's header section, and of its trailers.
const FIELDS: usize = 100;

/// How often an endpoint is asked where a connection that had been there before was lost; the last time on a new one.
const TRIES: u32 = 3;

/// What leaves but for the body.
#[derive(Debug)]
pub(crate) struct Message {
    /// As the client named it; none when it named none.
    pub(crate) authority: Option<Authority>,
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    /// Whether trailers are welcome: the only thing that `TE` may say (RFC 9113 section 8.2.2).
    pub(crate) trailers: bool,
    /// Names that the gateway alone sets, in trailers too.
    pub(crate) reserved: Vec<HeaderName>,
}

impl Message {
    /// The header section on its way to an endpoint.
    fn request(&self, method: &Method, endpoint: &Endpoint) -> Result<Request<()>, Failure> {
        let own = || Authority::try_from(&*endpoint.name).ok();
        let mut uri = Uri::default().into_parts();
        uri.scheme = Some(if endpoint.connector.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
        uri.authority = self.authority.clone().or_else(own);
        uri.path_and_query = Some(self.target.clone());
        let uri = Uri::from_parts(uri).map_err(|error| Failure::Internal(format!("the target: {error}")))?;
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        *request.method_mut() = method.clone();
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().remove(HOST);
        if self.trailers {
            request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        }
        Ok(request)
    }
}

/// Why a request got no answer, and whether the endpoint has surely not begun with it.
pub(super) fn lost(error: &h2::Error) -> Lost {
    let refused = error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
    if refused {
        Lost::Unsent(error.to_string())
    } else if error.is_io() {
        Lost::Unanswered(error.to_string())
    } else {
        Lost::Failed(broken(error))
    }
}

fn broken(error: &h2::Error) -> Failure {
    Failure::UpstreamBroken(format!("over HTTP/2: {error}"))
}

impl Outbound<'_> {
    /// Asks an endpoint, on a connection that is there if one has room.
    pub(super) async fn ask_http2(
        &mut self,
        message: &Message,
        endpoint: &Endpoint,
        repeatable: bool,
    ) -> Result<Answer, Missed> {
        let pool = self.pools.of(endpoint.number).http2.clone();
        let mut tries = 0;
        loop {
            tries += 1;
            // Nothing has left.
            let fresh = tries == TRIES;
            let seat = pool.enter(endpoint, self.upstream, &self.pools.descriptors, fresh).await;
            let seat = seat.map_err(|failure| Missed { failure, may_repeat: true })?;
            let was_there = seat.was_there;
            let whole = match &self.body {
                Some(RequestBody::Whole(bytes)) => bytes.clone(),
                _ => None,
            };
            let (why, may_repeat) = match self.exchange_http2(message, endpoint, seat).await {
                Ok(answer) => return Ok(answer),
                Err(Lost::Failed(failure)) => return Err(Missed { failure, may_repeat: false }),
                Err(Lost::Unsent(why)) => (why, true),
                Err(Lost::Unanswered(why)) => (why, repeatable),
            };
            // What was taken of a body that streams is gone.
            self.body = self.body.take().or(whole.map(|bytes| RequestBody::Whole(Some(bytes))));
            let may_repeat = may_repeat && self.body.is_some();
            if !(was_there && may_repeat) || fresh {
                return Err(Missed { failure: Failure::UpstreamBroken(why), may_repeat });
            }
        }
    }

    /// One try on one connection.
    async fn exchange_http2(&mut self, message: &Message, endpoint: &Endpoint, seat: Seat) -> Result<Answer, Lost> {
        let mut deadline = Deadline::new(Instant::now() + self.first_byte_timeout);
        let request = message.request(self.asked.method, endpoint).map_err(Lost::Failed)?;
        let empty = self.body.as_ref().is_none_or(RequestBody::is_empty);
        let (mut answer, stream) = seat.channel.send(request, empty).await.map_err(|error| match lost(&error) {
            // Whatever it was, nothing has left.
            Lost::Failed(failure) => Lost::Unsent(failure.to_string()),
            lost => lost,
        })?;
        let body = if empty { None } else { self.body.take() };
        let mut sending =
            body.map(|body| Sending::start(stream, body, message.reserved.clone(), self.progress.clone()));
        let answered = self.answer_http2(&mut answer, &mut sending, &mut deadline).await;
        if matches!(answered, Err(Lost::Failed(Failure::UpstreamTimeout))) {
            seat.channel.doubt();
        }
        let (mut head, body) = answered?.into_parts();
        if head.headers.len() > FIELDS {
            return Err(Lost::Failed(Failure::UpstreamBroken("it has too many header fields".into())));
        }
        edge::strip_answer(&mut head.headers);
        let body = Http2Body::new(body, &head.headers, sending, seat, self.idle_timeout);
        Ok(Answer {
            status: head.status,
            version: Version::HTTP_2,
            headers: head.headers,
            body: Body::Http2(Box::new(body)),
            endpoint: None,
            retries: 0,
        })
    }

    /// Waits for the header section of the answer. While the request's body moves, the time does not run.
    async fn answer_http2(
        &self,
        answer: &mut ResponseFuture,
        sending: &mut Option<Sending>,
        deadline: &mut Deadline,
    ) -> Result<Response<RecvStream>, Lost> {
        poll_fn(|cx| {
            let answered = Pin::new(&mut *answer).poll(cx);
            if let Poll::Ready(Ok(answer)) = answered {
                return Poll::Ready(Ok(answer));
            }
            // Where a body has broken off it is we who have reset the stream.
            if let Some(failure) = sending::broken(sending, cx) {
                return Poll::Ready(Err(Lost::Failed(failure)));
            }
            if let Poll::Ready(Err(error)) = answered {
                return Poll::Ready(Err(lost(&error)));
            }
            loop {
                ready!(deadline.poll(cx));
                if !sending.as_mut().is_some_and(Sending::has_moved) {
                    return Poll::Ready(Err(Lost::Failed(Failure::UpstreamTimeout)));
                }
                deadline.set(Instant::now() + self.first_byte_timeout);
            }
        })
        .await
    }
}

/// A GET on a connection of its own: what an endpoint is looked at with. The status of the answer.
pub(super) async fn look(channel: &Channel, endpoint: &Endpoint, path: &str, until: Instant) -> Result<u16, String> {
    let target = PathAndQuery::try_from(path).map_err(|error| error.to_string())?;
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static("gatehouse-health"));
    headers.insert("accept", HeaderValue::from_static("*/*"));
    let message = Message { authority: None, target, headers, trailers: false, reserved: Vec::new() };
    let request = message.request(&Method::GET, endpoint).map_err(|failure| failure.to_string())?;
    let asked = async {
        let (answer, _) = channel.send(request, true).await?;
        answer.await
    };
    let answer = timeout_at(until, asked).await.map_err(|_| "no answer in time".to_owned())?;
    answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
}

/// Bytes of a body, as the crate takes them.
type Stream = h2::SendStream<Bytes>;
