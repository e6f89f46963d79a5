//! The step to the upstream and back: what is said in a request that leaves, what is taken from an answer that comes.

use std::{sync::Arc, time::Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_LENGTH};
use http_body::Body as _;

use super::{Peer, header_value, upgrade};
use crate::{
    answer::AnswerBody,
    body::RequestBody,
    chain,
    config::{Balance, HashKey},
    edge::{self, Own},
    exchange::{self, Exchange},
    failure::Failure,
    snapshot::Snapshot,
    template,
    upstream::{self, Answer, Outgoing},
    worker::Worker,
};

/// Sends the request to the upstream of an index and takes the answer's head into the exchange.
pub(super) async fn forward(
    worker: &Worker,
    exchange: &mut Arc<Exchange>,
    (route, index): (usize, usize),
    peer: &Peer,
    body: RequestBody,
) -> Result<AnswerBody, Failure> {
    let snapshot = exchange.snapshot.clone();
    let started = Instant::now();
    let key = key(&snapshot.config.upstreams[index].balance, exchange);
    let mut head = worker.upstreams.buffer();
    let upgrades = upgrade::prepare(exchange, &body);
    let outgoing = write_head(&mut head, &snapshot, exchange, route, peer, &body);
    // The memory of the request's header section serves the answer's, if nobody reads the former any more.
    let mut headers = HeaderMap::new();
    if !snapshot.chains[route].reads_request_later() {
        std::mem::swap(&mut headers, &mut chain::edit(exchange).request.headers);
        headers.clear();
    }
    let sent = upstream::send(upstream::Request {
        upstream: &snapshot.config.upstreams[index],
        balancer: &snapshot.balancers[index],
        key,
        pools: &worker.upstreams,
        method: &exchange.request.method,
        head,
        outgoing,
        body,
        headers,
        upgrades,
        progress: &exchange.outcome.progress,
        now: started.into(),
    });
    let Answer { status, version, mut headers, body, endpoint, retries } = sent.await?;
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
    let hashed = match key {
        HashKey::Field(field) => upstream::hash(&*template::field(field, exchange)?),
        HashKey::Template(template) => {
            upstream::hash(&*template::fill(template, exchange, |address| address.to_string())?)
        }
    };
    Some(hashed)
}

/// Writes the header section that leaves, and says how the body follows it.
fn write_head(
    out: &mut Vec<u8>,
    snapshot: &Snapshot,
    exchange: &Exchange,
    route: usize,
    peer: &Peer,
    body: &RequestBody,
) -> Outgoing {
    let config = &snapshot.config;
    let request = &exchange.request;
    let set = &config.routes[route].upstream_headers;
    let fill = |template| template::fill(template, exchange, |address| address.to_string());
    let set: Vec<(&HeaderName, Option<HeaderValue>)> =
        set.iter().map(|(name, template)| (name, fill(template).as_deref().and_then(header_value))).collect();
    let own = Own {
        peer: peer.address,
        peer_text: &peer.text,
        trusted: edge::is_trusted(peer.address, &config.server.trusted_proxies),
        scheme: request.scheme,
        authority: &request.authority,
        speaks: config.server.forwarded,
        via: snapshot.via.as_ref(),
        version: request.version,
        id: &exchange.id,
        route: &set,
    };
    upstream::write_request_line(out, &request.method, request.target.as_str());
    own.write(&request.headers, out);
    upgrade::ask(exchange, body, out);
    let outgoing = outgoing(request, body);
    upstream::write_framing(out, outgoing);
    outgoing
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
