//! From a raw request to one that may enter the chain: within limits, canonical, routed, stripped of what no client may
//! say.

use std::{
    borrow::Cow,
    rc::Rc,
    sync::{Arc, OnceLock},
    time::{Instant, SystemTime},
};

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri,
    header::{CONTENT_LENGTH, COOKIE, EXPECT, TRANSFER_ENCODING},
    uri::PathAndQuery,
};
use hyper::body::Incoming;

use super::{Peer, client_body};
use crate::{
    body::RequestBody,
    config::ClientLimits,
    edge,
    exchange::{Exchange, Outcome, RequestId, isomorphic_decode},
    failure::Failure,
    path,
    route::{Found, Lookup, Params},
    worker::Worker,
};

/// Begins an exchange with what the client sent, unchecked.
pub(super) fn open(worker: &Rc<Worker>, peer: Peer, request: Request<Incoming>) -> (Exchange, Incoming) {
    let (head, body) = request.into_parts();
    let exchange = Exchange {
        id: RequestId::random(),
        snapshot: worker.gateway.snapshot(),
        started: Instant::now(),
        started_at: SystemTime::now(),
        route: None,
        request: crate::exchange::Request {
            method: head.method,
            scheme: peer.scheme,
            // Replaced by the canonical one in `admit`.
            authority: head.uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default(),
            target: target(head.uri),
            matched_path: None,
            version: head.version,
            headers: head.headers,
            params: Params::default(),
            client: peer.address.ip().to_canonical(),
        },
        response: None,
        attributes: Vec::new(),
        outcome: Outcome::default(),
    };
    (exchange, body)
}

fn target(uri: Uri) -> PathAndQuery {
    // An authority alone is a target for CONNECT only (RFC 9112 section 3.2.3); it has no path, not an empty one.
    let empty = if uri.scheme().is_none() { "*" } else { "/" };
    uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static(empty))
}

/// HTTP/2 may spread cookies over several fields, and HTTP/1.1 has one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Checks a request, finds its route and makes it ready for the chain.
pub(super) fn admit(
    exchange: &mut Exchange,
    peer: Peer,
    body: Incoming,
    broken: &Arc<OnceLock<Failure>>,
) -> Result<(usize, RequestBody), Failure> {
    let snapshot = exchange.snapshot.clone();
    let config = &snapshot.config;
    let request = &mut exchange.request;
    within(&config.limits, &request.target, &request.headers)?;
    speakable(&request.method, &request.headers)?;
    let bad = |error: &dyn std::fmt::Display| Failure::BadRequest(error.to_string());
    let named = http::uri::Authority::try_from(request.authority.as_str()).ok();
    let authority = edge::authority(named.as_ref(), &request.headers, request.version).map_err(|error| bad(&error))?;
    if let Cow::Owned(path) = path::canonical(request.target.path()).map_err(|error| bad(&error))? {
        let whole = request.target.query().map(|query| format!("{path}?{query}")).unwrap_or(path);
        request.target = PathAndQuery::try_from(whole).map_err(|error| bad(&error))?;
    }
    // Before anything reads a header: what `Connection` names is not for us either.
    edge::strip_hop_by_hop(&mut request.headers);
    join_cookies(&mut request.headers);
    let peer_address = peer.address.ip();
    let proxies = &config.server.trusted_proxies;
    request.client = edge::client_address(peer_address, &request.headers, proxies, config.server.forwarded);
    let found = snapshot.router.find(&Lookup {
        host: authority.host(),
        method: &request.method,
        path: request.target.path(),
        headers: &request.headers,
    });
    request.authority = authority.into_string();
    let (route, params) = match found {
        Found::Match { route, params } => (route, params),
        Found::MethodNotAllowed { allow } => {
            return Err(Failure::MethodNotAllowed { allow: isomorphic_decode(allow.as_bytes()) });
        }
        Found::Nothing => return Err(Failure::RouteNotFound),
    };
    request.params = params;
    exchange.route = Some(route);
    let limit = config.routes[route].body_bytes.unwrap_or(config.limits.body_bytes);
    if declared_length(&request.headers).is_some_and(|length| length > limit) {
        return Err(Failure::BodyTooLarge);
    }
    // hyper has answered the expectation itself, or will when the body is first read.
    request.headers.remove(EXPECT);
    let trusted = edge::is_trusted(peer_address, proxies);
    edge::strip_request(&mut request.headers, &snapshot.chains[route].reserved, trusted, config.server.forwarded);
    Ok((route, client_body(exchange, limit, body, broken)))
}

fn within(limits: &ClientLimits, target: &PathAndQuery, headers: &HeaderMap) -> Result<(), Failure> {
    if target.as_str().len() > limits.uri_bytes {
        return Err(Failure::UriTooLong);
    }
    let (count, bytes) = edge::count_headers(headers);
    if count > limits.header_count || bytes > limits.header_bytes {
        return Err(Failure::HeadersTooLarge);
    }
    Ok(())
}

/// What a gateway can forward without guessing.
fn speakable(method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
    if method == Method::CONNECT {
        return Err(Failure::MethodNotSupported);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let chunked_only = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    match chunked_only && codings.next().is_none() {
        true => Ok(()),
        false => {
            Err(Failure::BadRequest("only the transfer coding `chunked` is supported (RFC 9112 section 6.1)".into()))
        }
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
