//! Requests to upstreams over kept connections, HTTP/1.1; `http2.rs` has what differs over HTTP/2.
//!
//! A kept connection that the upstream closed in the meantime costs the client nothing: a request that never left is
//! sent again on a new one, and so is one that got no byte of an answer, if it has no body and repeating it is safe. By the
//! same rule a request goes to another endpoint, where there are several.

mod balance;
mod body;
mod connection;
mod endpoint;
mod framing;
pub(crate) mod fuzz;
mod head;
pub(crate) mod health;
mod http2;
mod names;
mod pool;
mod sending;
mod stream;
mod switched;

pub(crate) use balance::{Balancer, hash, rendezvous};
pub(crate) use body::{UpstreamBody, discard};
pub(crate) use endpoint::{Endpoint, Health};
pub(crate) use framing::Chunks;
pub(crate) use head::{Outgoing, write_framing, write_request_line};
pub(crate) use http2::{Http2Body, Message};
pub(crate) use pool::Pools;
pub(crate) use switched::Switched;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, StatusCode, Version};
use tokio::{task::spawn_local, time::Instant};

use crate::{
    body::RequestBody,
    config,
    exchange::Progress,
    failure::{Failure, Party},
};
use balance::UnderWay;
use body::Back;
use connection::{Connection, Lost};
use head::{Asked, Head};
use sending::Sending;

/// A body of no more bytes leaves in one piece with its header section: a copy is cheaper than a system call.
const JOINED: usize = 16 << 10;

/// A request to send.
pub(crate) struct Request<'a> {
    pub(crate) upstream: &'a config::Upstream,
    pub(crate) balancer: &'a Balancer,
    /// Where requests with the same one go to the same endpoint.
    pub(crate) key: Option<u64>,
    pub(crate) pools: &'a Pools,
    pub(crate) method: &'a Method,
    /// The header section as it leaves, in a buffer of [`Pools::buffer`]; empty where `message` is what leaves.
    pub(crate) head: Vec<u8>,
    /// What leaves over HTTP/2, where the upstream speaks that.
    pub(crate) message: Option<Box<Message>>,
    pub(crate) outgoing: Outgoing,
    pub(crate) body: RequestBody,
    /// An empty map, whose memory is used for the answer.
    pub(crate) headers: HeaderMap,
    /// Whether it asks for the protocol to be switched.
    pub(crate) upgrades: bool,
    pub(crate) progress: &'a Arc<Progress>,
    /// Time-outs of the route, in place of the upstream's.
    pub(crate) timeouts: &'a config::Timeouts,
    /// Now.
    pub(crate) now: Instant,
}

/// The answer to a request, without the headers of its hop.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Who gave it, where that was a choice.
    pub(crate) endpoint: Option<Arc<Endpoint>>,
    /// Endpoints that gave none before.
    pub(crate) retries: u32,
}

/// The body of an answer.
pub(crate) enum Body {
    Http1(UpstreamBody),
    Http2(Box<Http2Body>),
}

impl Body {
    /// Lets a request be under way for as long as there is more of its answer.
    fn is_of(&mut self, under_way: UnderWay) {
        match self {
            Self::Http1(body) => body.is_of(under_way),
            Self::Http2(body) => body.is_of(under_way),
        }
    }

    /// Nobody wants it. A stream of HTTP/2 ends with it.
    fn leave(self) {
        match self {
            Self::Http1(body) => drop(spawn_local(discard(body))),
            Self::Http2(_) => {}
        }
    }
}

/// A request on its way.
struct Outbound<'a> {
    upstream: &'a config::Upstream,
    first_byte_timeout: Duration,
    idle_timeout: Duration,
    pools: &'a Pools,
    asked: Asked<'a>,
    head: Vec<u8>,
    message: Option<Box<Message>>,
    /// How the body is sent, and the body until it is handed over.
    outgoing: Outgoing,
    body: Option<RequestBody>,
    progress: &'a Arc<Progress>,
}

/// Why an endpoint gave no answer, and whether another may be asked.
struct Missed {
    failure: Failure,
    may_repeat: bool,
}

/// Sends a request and waits for the header section of the answer.
pub(crate) async fn send(request: Request<'_>) -> Result<Answer, Failure> {
    let Request { upstream, balancer, key, pools, headers, now, timeouts, .. } = request;
    let mut outbound = Outbound {
        upstream,
        first_byte_timeout: timeouts.first_byte.unwrap_or(upstream.first_byte_timeout),
        idle_timeout: timeouts.idle.unwrap_or(upstream.idle_timeout),
        pools,
        asked: Asked { method: request.method, upgrades: request.upgrades },
        head: request.head,
        message: request.message,
        outgoing: request.outgoing,
        body: Some(request.body),
        progress: request.progress,
    };
    let repeatable = outbound.is_repeatable();
    outbound.join();
    let room = balancer.enter(upstream).await?;
    // It may have waited for that.
    let now = if room.is_some() { Instant::now() } else { now };
    let answer = match balancer.only(upstream) {
        Some(endpoint) => {
            let mut answer = outbound.ask(endpoint, headers, repeatable, now).await.map_err(|missed| missed.failure)?;
            if room.is_some() {
                answer.body.is_of(UnderWay::new(room));
            }
            answer
        }
        // Boxed, as the room for choosing is paid by every request.
        None => {
            let under_way = UnderWay::new(room);
            Box::pin(outbound.ask_any(balancer, key, headers, repeatable, under_way, now)).await?
        }
    };
    pools.recycle(outbound.head);
    Ok(answer)
}

impl Outbound<'_> {
    /// Asks one endpoint after the other, as long as that is safe and within the budget.
    async fn ask_any(
        &mut self,
        balancer: &Balancer,
        key: Option<u64>,
        mut headers: HeaderMap,
        repeatable: bool,
        mut under_way: UnderWay,
        mut now: Instant,
    ) -> Result<Answer, Failure> {
        let config::Upstream { balance, retries, .. } = self.upstream;
        let mut tried = Vec::new();
        let turn = balancer.begin(now);
        loop {
            let (index, endpoint) = balancer.choose(balance, key, turn, &tried, now);
            under_way.goes_to(endpoint);
            let asked = self.ask(endpoint, headers, repeatable, now).await;
            match &asked {
                Ok(answer) => balancer.note(self.upstream, endpoint, !is_gateway_error(answer.status)),
                Err(Missed { failure, .. }) if failure.party() == Party::Upstream => {
                    balancer.note(self.upstream, endpoint, false);
                }
                // A client whose body broke off says nothing of an endpoint.
                Err(_) => {}
            }
            let left = (tried.len() as u32) < retries.attempts;
            let again = left
                && match &asked {
                    Ok(answer) => repeatable && retries.statuses.contains(&answer.status),
                    Err(missed) => missed.may_repeat,
                };
            if !again || !balancer.may_retry(Instant::now()) {
                let mut answer = asked.map_err(|missed| missed.failure)?;
                answer.body.is_of(under_way);
                answer.endpoint = Some(endpoint.clone());
                answer.retries = tried.len() as u32;
                return Ok(answer);
            }
            match asked {
                Ok(answer) => answer.body.leave(),
                Err(Missed { failure, .. }) => tracing::debug!(endpoint = &*endpoint.name, "asked in vain: {failure}"),
            }
            tried.push(index);
            headers = HeaderMap::new();
            now = Instant::now();
        }
    }

    /// Asks an endpoint, on a kept connection if there is one.
    async fn ask(
        &mut self,
        endpoint: &Endpoint,
        mut headers: HeaderMap,
        repeatable: bool,
        now: Instant,
    ) -> Result<Answer, Missed> {
        if let Some(message) = self.message.take() {
            // Boxed, as the room for it is paid by every request.
            let answered = Box::pin(self.ask_http2(&message, endpoint, repeatable)).await;
            self.message = Some(message);
            return answered;
        }
        let (first_byte_timeout, idle_timeout) = (self.first_byte_timeout, self.idle_timeout);
        let connect_timeout = self.upstream.connect_timeout;
        let pool = self.pools.of(endpoint.number);
        let mut kept = match &endpoint.names {
            None => pool.take(now, |_| true),
            Some(names) => {
                names.keep_up(now);
                pool.take(now, |peer| names.has(peer))
            }
        };
        loop {
            let was_kept = kept.is_some();
            let mut connection = match kept.take() {
                Some(mut connection) => {
                    connection.deadline.set(now + first_byte_timeout);
                    connection
                }
                // Boxed, as the room for what is rare is paid by every request.
                None => {
                    let opening =
                        Connection::open(endpoint, connect_timeout, first_byte_timeout, &self.pools.descriptors);
                    // Nothing has left.
                    Box::pin(opening).await.map_err(|failure| Missed { failure, may_repeat: true })?
                }
            };
            let (why, may_repeat) = match self.exchange(&mut connection, headers).await {
                Ok((head, sending)) => {
                    let Head { status, version, headers, framing, keep } = head;
                    let (keepalive, most) = (self.upstream.keepalive_timeout, self.upstream.max_idle);
                    let back = Back { pool, keep, keepalive, most };
                    let body = UpstreamBody::new(framing, connection, sending, idle_timeout, back);
                    let body = Body::Http1(body);
                    return Ok(Answer { status, version, headers, body, endpoint: None, retries: 0 });
                }
                Err(Lost::Failed(failure)) => return Err(Missed { failure, may_repeat: false }),
                Err(Lost::Unsent(why)) => (why, true),
                Err(Lost::Unanswered(why)) => (why, repeatable),
            };
            if !(was_kept && may_repeat) {
                return Err(Missed { failure: Failure::UpstreamBroken(why), may_repeat });
            }
            headers = HeaderMap::new();
        }
    }

    /// Whether repeating it does no harm, and there is nothing of it that can be sent only once.
    fn is_repeatable(&self) -> bool {
        self.body.as_ref().is_some_and(RequestBody::is_empty) && is_idempotent(self.asked.method)
    }

    /// Puts a short body that is here as a whole behind the header section.
    fn join(&mut self) {
        if let Some(RequestBody::Whole(Some(bytes))) = &self.body
            && self.message.is_none()
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
        let most = self.first_byte_timeout;
        let head = connection.answer(self.asked, headers, &mut sending, most).await?;
        Ok((head, sending))
    }
}

/// What says that an endpoint does not work, rather than that a request does not.
fn is_gateway_error(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502..=504)
}

/// RFC 9110 section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE].contains(method)
}
