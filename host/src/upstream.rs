//! Requests to upstreams over kept connections, HTTP/1.1.
//!
//! A kept connection that the upstream closed in the meantime costs the client nothing: a request that never left is
//! sent again on a new one, and so is one that got no byte of an answer, if it has no body and repeating it is safe.

mod body;
mod connection;
mod framing;
pub(crate) mod fuzz;
mod head;
mod pool;
mod sending;
mod stream;
mod switched;

pub(crate) use body::{UpstreamBody, discard};
pub(crate) use head::{Outgoing, write_framing, write_request_line};
pub(crate) use pool::Pools;
pub(crate) use switched::Switched;

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, Version};
use tokio::time::Instant;

use crate::{body::RequestBody, config, exchange::Progress, failure::Failure, tls::Connector};
use body::Back;
use connection::{Connection, Lost};
use head::{Asked, Head};
use sending::Sending;

/// A body of no more bytes leaves in one piece with its header section: a copy is cheaper than a system call.
const JOINED: usize = 16 << 10;

/// A request to send.
pub(crate) struct Request<'a> {
    pub(crate) upstream: &'a config::Upstream,
    /// Where it is reached by `https`.
    pub(crate) tls: Option<&'a Connector>,
    pub(crate) pools: &'a Pools,
    /// The number under which the upstream's connections are kept.
    pub(crate) endpoint: usize,
    pub(crate) method: &'a Method,
    /// The header section as it leaves, in a buffer of [`Pools::buffer`].
    pub(crate) head: Vec<u8>,
    pub(crate) outgoing: Outgoing,
    pub(crate) body: RequestBody,
    /// An empty map, whose memory is used for the answer.
    pub(crate) headers: HeaderMap,
    /// Whether it asks for the protocol to be switched.
    pub(crate) upgrades: bool,
    pub(crate) progress: &'a Arc<Progress>,
    /// Now.
    pub(crate) now: Instant,
}

/// The answer to a request, without the headers of its hop.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: UpstreamBody,
}

/// A request on its way.
struct Outbound<'a> {
    upstream: &'a config::Upstream,
    asked: Asked<'a>,
    head: Vec<u8>,
    /// How the body is sent, and the body until it is handed over.
    outgoing: Outgoing,
    body: Option<RequestBody>,
    progress: &'a Arc<Progress>,
}

/// Sends a request and waits for the header section of the answer.
pub(crate) async fn send(request: Request<'_>) -> Result<Answer, Failure> {
    let Request { upstream, tls, pools, endpoint, method, head, outgoing, body, mut headers, upgrades, progress, now } =
        request;
    let pool = pools.of(endpoint);
    let repeatable = body.is_empty() && is_idempotent(method);
    let asked = Asked { method, upgrades };
    let mut outbound = Outbound { upstream, asked, head, outgoing, body: Some(body), progress };
    outbound.join();
    let mut kept = pool.take(now);
    loop {
        let was_kept = kept.is_some();
        let mut connection = match kept.take() {
            Some(mut connection) => {
                connection.deadline.set(now + upstream.first_byte_timeout);
                connection
            }
            // Boxed, as the room for what is rare is paid by every request.
            None => Box::pin(Connection::open(upstream, tls, &pools.descriptors)).await?,
        };
        let (why, repeat) = match outbound.exchange(&mut connection, headers).await {
            Ok((head, sending)) => {
                pools.recycle(outbound.head);
                let Head { status, version, headers, framing, keep } = head;
                let back = Back { pool, keep, keepalive: upstream.keepalive_timeout, most: upstream.max_idle };
                let body = UpstreamBody::new(framing, connection, sending, upstream.idle_timeout, back);
                return Ok(Answer { status, version, headers, body });
            }
            Err(Lost::Failed(failure)) => return Err(failure),
            Err(Lost::Unsent(why)) => (why, true),
            Err(Lost::Unanswered(why)) => (why, repeatable),
        };
        if !(was_kept && repeat) {
            return Err(Failure::UpstreamBroken(why));
        }
        headers = HeaderMap::new();
    }
}

impl Outbound<'_> {
    /// Puts a short body that is here as a whole behind the header section.
    fn join(&mut self) {
        if let Some(RequestBody::Whole(Some(bytes))) = &self.body
            && bytes.len() <= JOINED
        {
            self.head.extend_from_slice(bytes);
            self.outgoing = Outgoing::Nothing;
        }
    }

    /// One try on one connection.
    async fn exchange(
        &mut self,
        connection: &mut Connection,
        headers: HeaderMap,
    ) -> Result<(Head, Option<Sending>), Lost> {
        connection.write_head(&self.head).await?;
        let mut sending = match self.outgoing {
            Outgoing::Nothing | Outgoing::Empty => None,
            outgoing => {
                let lent = connection.lend().zip(self.body.take());
                lent.map(|(write, body)| Sending::start(write, body, outgoing, self.progress.clone()))
            }
        };
        let most = self.upstream.first_byte_timeout;
        let head = connection.answer(self.asked, headers, &mut sending, most).await?;
        Ok((head, sending))
    }
}

/// RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE].contains(method)
}
