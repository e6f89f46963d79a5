//! The step to the upstream and back: what is added to a request that leaves, what is taken from an answer that comes.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{CONTENT_LENGTH, HOST},
};

use super::{Peer, X_REQUEST_ID, header_value};
use crate::{
    answer::AnswerBody,
    body::RequestBody,
    chain,
    config::{Part, Template},
    edge,
    exchange::{self, Exchange},
    failure::Failure,
    upstream::{self, Sending},
    worker::Worker,
};

/// Sends the request and takes the answer's head into the exchange.
pub(super) async fn forward(
    worker: &Worker,
    exchange: &mut Arc<Exchange>,
    route: usize,
    peer: Peer,
    body: RequestBody,
    broken: &OnceLock<Failure>,
) -> Result<AnswerBody, Failure> {
    let snapshot = exchange.snapshot.clone();
    let index = snapshot.config.routes[route].upstream;
    let headers = headers(exchange, route, peer, &body);
    let started = Instant::now();
    let sent = upstream::send(Sending {
        upstream: &snapshot.config.upstreams[index],
        pool: worker.upstreams.of(snapshot.endpoints[index]),
        method: exchange.request.method.clone(),
        target: Uri::from(exchange.request.target.clone()),
        headers,
        body,
        progress: &exchange.outcome.progress,
        body_broken: broken,
    });
    let (mut head, body) = sent.await?.into_parts();
    edge::strip_hop_by_hop(&mut head.headers);
    if let Some(via) = &snapshot.via {
        via.add(&mut head.headers, head.version);
    }
    let now = chain::edit(exchange);
    now.outcome.upstream = Some(started.elapsed());
    now.response = Some(exchange::Response { status: head.status, headers: head.headers });
    Ok(AnswerBody::Upstream(body))
}

/// The header section that leaves. What the gateway says itself comes last, so that nobody can unsay it.
fn headers(exchange: &mut Arc<Exchange>, route: usize, peer: Peer, body: &RequestBody) -> HeaderMap {
    let snapshot = exchange.snapshot.clone();
    let server = &snapshot.config.server;
    let mut headers = match snapshot.chains[route].reads_request_later() {
        true => exchange.request.headers.clone(),
        false => std::mem::take(&mut chain::edit(exchange).request.headers),
    };
    for (name, template) in &snapshot.config.routes[route].upstream_headers {
        match fill(template, exchange).as_deref().and_then(header_value) {
            Some(value) => drop(headers.insert(name.clone(), value)),
            None => drop(headers.remove(name)),
        }
    }
    if let RequestBody::Whole(whole) = body {
        set_length(&mut headers, &exchange.request.method, whole.as_ref().map_or(0, Bytes::len));
    }
    let client = edge::Client {
        peer: peer.address.ip(),
        trusted: edge::is_trusted(peer.address.ip(), &server.trusted_proxies),
        https: exchange.request.scheme == "https",
        authority: &exchange.request.authority,
    };
    if headers.get(HOST).is_none_or(|host| host.as_bytes() != exchange.request.authority.as_bytes())
        && let Ok(host) = HeaderValue::from_str(&exchange.request.authority)
    {
        headers.insert(HOST, host);
    }
    edge::add_forwarded(&mut headers, &client, server.forwarded);
    if let Some(via) = &snapshot.via {
        via.add(&mut headers, exchange.request.version);
    }
    headers.insert(X_REQUEST_ID, exchange.id.header());
    headers
}

/// Tells the length of a body that was collected. An empty one has a length too, where a method normally has a body:
/// strict servers answer 411 without (RFC 9110 section 8.6).
fn set_length(headers: &mut HeaderMap, method: &Method, length: usize) {
    let tells = length > 0 || [Method::POST, Method::PUT, Method::PATCH].contains(method);
    match tells {
        true => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from(length))),
        false => drop(headers.remove(CONTENT_LENGTH)),
    }
}

/// The text of a template; None when something that it names is not there.
fn fill(template: &Template, exchange: &Exchange) -> Option<String> {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            Part::Text(fixed) => text.push_str(fixed),
            Part::Attribute(name) => text.push_str(exchange.attribute(name)?),
            Part::RequestId => text.push_str(exchange.id.as_str()),
            Part::ClientIp => text.push_str(&exchange.request.client.to_string()),
            Part::Route => text.push_str(exchange.route_name()),
            Part::PathParam(name) => text.push_str(exchange.path_param(name)?),
        }
    }
    Some(text)
}
