//! The step to the upstream and back: what is said in a request that leaves, what is taken from an answer that comes.

use std::{rc::Rc, sync::Arc, time::Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_LENGTH};
use http_body::Body as _;

use super::{Peer, header_value, upgrade};
use crate::{
    answer::AnswerBody,
    body::RequestBody,
    chain,
    config::{Balance, Protocol},
    edge::{self, Fields, Own},
    exchange::{self, Exchange},
    failure::Failure,
    mirror,
    snapshot::Snapshot,
    split, template,
    upstream::{self, Answer, Message, Outgoing},
    worker::Worker,
};

/// Sends the request to the upstream of an index and takes the answer's head into the exchange.
pub(super) async fn forward(
    worker: &Rc<Worker>,
    exchange: &mut Arc<Exchange>,
    (route, index): (usize, usize),
    peer: &Peer,
    mut body: RequestBody,
) -> Result<AnswerBody, Failure> {
    let snapshot = exchange.snapshot.clone();
    let started = Instant::now();
    let key = key(&snapshot.config.upstreams[index].balance, exchange);
    let mut head = worker.upstreams.buffer();
    let upgrades = upgrade::prepare(exchange, &body);
    let upstream = &snapshot.config.upstreams[index];
    let mirrored = snapshot.chains[route].mirror.is_some();
    let mut outgoing = Outgoing::Nothing;
    if upstream.protocol == Protocol::Http1 || mirrored {
        outgoing = write_head(&mut head, &snapshot, exchange, route, peer, &body);
    }
    let message = (upstream.protocol == Protocol::Http2).then(|| message(&snapshot, exchange, route, peer, &body));
    if mirrored {
        mirror::copy(worker, exchange, route, &head, &mut body, |balance| self::key(balance, exchange));
    }
    upstream::write_framing(&mut head, outgoing);
    // The memory of the request's header section serves the answer's, if nobody reads the former any more.
    let mut headers = HeaderMap::new();
    if !snapshot.chains[route].reads_request_later() {
        std::mem::swap(&mut headers, &mut chain::edit(exchange).request.headers);
        headers.clear();
    }
    let sent = upstream::send(upstream::Request {
        upstream,
        balancer: &snapshot.balancers[index],
        key,
        pools: &worker.upstreams,
        method: &exchange.request.method,
        head,
        message,
        outgoing,
        body,
        headers,
        upgrades,
        progress: &exchange.outcome.progress,
        timeouts: &snapshot.config.routes[route].timeouts,
        now: started.into(),
    });
    let Answer { status, version, mut headers, body, endpoint, retries } = match sent.await {
        Ok(answer) => answer,
        Err(failure) => {
            split::count(exchange, route, None);
            return Err(failure);
        }
    };
    split::count(exchange, route, Some(status));
    let body = upgrade::answered(exchange, status, &headers, body)?;
    if let Some(via) = &snapshot.via {
        via.add(&mut headers, version);
    }
    let now = chain::edit(exchange);
    now.outcome.upstream = Some(started.elapsed());
    now.outcome.endpoint = endpoint.map(|endpoint| (endpoint, retries));
    now.response = Some(exchange::Response { status, headers });
    Ok(body)
}

/// What tells requests apart that may go to different endpoints; None where nothing does, or the request has nothing of it.
fn key(balance: &Balance, exchange: &Exchange) -> Option<u64> {
    let Balance::Hash(key) = balance else { return None };
    template::key(key, exchange).map(|text| upstream::hash(&*text))
}

/// Writes the header section that leaves but for its end, and says how the body follows it.
fn write_head(
    out: &mut Vec<u8>,
    snapshot: &Snapshot,
    exchange: &Exchange,
    route: usize,
    peer: &Peer,
    body: &RequestBody,
) -> Outgoing {
    let request = &exchange.request;
    upstream::write_request_line(out, &request.method, request.target.as_str());
    say(snapshot, exchange, route, peer, out);
    upgrade::ask(exchange, body, out);
    outgoing(request, body)
}

/// The same for HTTP/2.
#[cold]
fn message(snapshot: &Snapshot, exchange: &Exchange, route: usize, peer: &Peer, body: &RequestBody) -> Box<Message> {
    let request = &exchange.request;
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 8);
    say(snapshot, exchange, route, peer, &mut headers);
    match outgoing(request, body) {
        Outgoing::Empty => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"))),
        Outgoing::Length(length) => drop(headers.insert(CONTENT_LENGTH, length.into())),
        Outgoing::Nothing | Outgoing::Chunked => {}
    }
    let reserved = match body {
        // Only these have trailers.
        RequestBody::Client(_) | RequestBody::Piped(_) => snapshot.chains[route].reserved.clone(),
        _ => Vec::new(),
    };
    let (authority, target) = (host(snapshot, exchange, route).parse().ok(), request.target.clone());
    Box::new(Message { authority, target, headers, trailers: exchange.trailers, reserved })
}

/// The header section that leaves, but for what frames the body.
fn say(snapshot: &Snapshot, exchange: &Exchange, route: usize, peer: &Peer, out: &mut impl Fields) {
    let config = &snapshot.config;
    let request = &exchange.request;
    let set = &config.routes[route].upstream_headers;
    let fill = |template| template::fill(template, exchange);
    let set: Vec<(&HeaderName, Option<HeaderValue>)> =
        set.iter().map(|(name, template)| (name, fill(template).as_deref().and_then(header_value))).collect();
    let own = Own {
        peer: peer.address,
        peer_text: &peer.text,
        trusted: edge::is_trusted(peer.address, &config.server.trusted_proxies),
        scheme: request.scheme,
        host: host(snapshot, exchange, route),
        authority: &request.authority,
        speaks: config.server.forwarded,
        via: snapshot.via.as_ref(),
        version: request.version,
        id: &exchange.id,
        route: &set,
    };
    own.write(&request.headers, out);
}

/// What the upstream gets as `Host`.
fn host<'a>(snapshot: &'a Snapshot, exchange: &'a Exchange, route: usize) -> &'a str {
    let mapped = snapshot.config.routes[route].request.as_ref();
    mapped.and_then(|mapped| mapped.host.as_deref()).unwrap_or(&exchange.request.authority)
}

/// How the body is framed: as itself says, whatever a header says. An empty one that was collected has a length too,
/// where a method normally has a body: strict servers answer 411 without (RFC 9110 section 8.6).
fn outgoing(request: &exchange::Request, body: &RequestBody) -> Outgoing {
    if body.is_end_stream() {
        let tells = match body {
            RequestBody::Whole(_) => [Method::POST, Method::PUT, Method::PATCH].contains(&request.method),
            _ => request.headers.contains_key(CONTENT_LENGTH),
        };
        return if tells { Outgoing::Empty } else { Outgoing::Nothing };
    }
    // A length of 0 whose end has not come: over HTTP/2 more than that may follow, and then the request must not be whole.
    body.size_hint().exact().filter(|length| *length > 0).map_or(Outgoing::Chunked, Outgoing::Length)
}
