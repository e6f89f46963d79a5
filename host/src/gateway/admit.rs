//! From a raw request to one that may enter the chain: within limits, canonical, routed, stripped of what no client may
//! say.

use std::{borrow::Cow, rc::Rc, sync::Arc};

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_LENGTH, COOKIE, EXPECT, TRANSFER_ENCODING},
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body::Body as _;
use hyper::body::Incoming;

use super::{Peer, client_body};
use crate::{
    body::RequestBody,
    chain::Stop,
    compress,
    config::ClientLimits,
    cors,
    edge::{self, Survey},
    exchange::{Exchange, isomorphic_decode},
    failure::Failure,
    path,
    route::{Found, Lookup, Params},
    websocket,
    worker::Worker,
};

/// Begins an exchange with what the client sent, unchecked.
pub(super) fn open(
    worker: &Rc<Worker>,
    peer: &Peer,
    request: Request<Incoming>,
) -> (Arc<Exchange>, Option<Authority>, Incoming) {
    let (head, body) = request.into_parts();
    let named = head.uri.authority().cloned();
    let request = crate::exchange::Request {
        method: head.method,
        scheme: peer.scheme,
        // Put there by `admit`.
        authority: Arc::default(),
        target: target(head.uri, head.version),
        matched_path: None,
        version: head.version,
        headers: head.headers,
        params: Params::default(),
        client: peer.address,
    };
    let exchange = Arc::new(Exchange::new(worker.gateway.snapshot(), request, peer.attributes.clone()));
    (exchange, named, body)
}

fn target(uri: Uri, version: Version) -> PathAndQuery {
    // What is no resource of HTTP has no path here either (RFC 9110 section 4.2); over HTTP/2 it is `:scheme` that says so.
    if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return PathAndQuery::from_static("*");
    }
    // An authority alone is a target for CONNECT only (RFC 9112 section 3.2.3); it has no path, not an empty one.
    let empty = if uri.scheme().is_none() { "*" } else { "/" };
    let absolute = uri.scheme().is_some() && version <= Version::HTTP_11;
    let found = uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static(empty));
    if !found.as_str().starts_with('?') {
        return found;
    }
    // A query alone: in an absolute target the path is empty, which is `/` (RFC 9110 section 4.2.3); elsewhere it is none.
    let whole = if absolute { PathAndQuery::try_from(format!("/{found}")).ok() } else { None };
    whole.unwrap_or_else(|| PathAndQuery::from_static("*"))
}

/// HTTP/2 may spread cookies over several fields, and HTTP/1.1 has one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Checks a request, finds its route and makes it ready for the chain.
pub(super) fn admit(
    exchange: &mut Exchange,
    peer: &Peer,
    named: Option<Authority>,
    body: Incoming,
) -> Result<(usize, RequestBody), Stop> {
    let snapshot = exchange.snapshot.clone();
    let config = &snapshot.config;
    let survey = Survey::of(&exchange.request.headers);
    exchange.grpc = survey.grpc;
    let request = &mut exchange.request;
    within(&config.limits, &request.target, &survey)?;
    speakable(&request.method, &request.headers, &survey)?;
    if survey.expects {
        expectation(&mut request.headers, request.version)?;
    }
    let bad = |error: &dyn std::fmt::Display| Failure::BadRequest(error.to_string());
    let authority = edge::authority(&peer.authorities, named.as_ref(), &request.headers, request.version)
        .map_err(|error| bad(&error))?;
    // Of HTTP/1 this was seen before hyper made one of them.
    if request.version == Version::HTTP_2 && request.headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(Failure::BadRequest("the request has more than one Content-Length".into()).into());
    }
    if request.target.query().is_some_and(|query| !query.bytes().all(|byte| matches!(byte, 0x21..=0x7E))) {
        return Err(Failure::BadRequest("the query has a character that must be percent-encoded".into()).into());
    }
    if let Cow::Owned(path) = path::canonical(request.target.path()).map_err(|error| bad(&error))? {
        let whole = request.target.query().map(|query| format!("{path}?{query}")).unwrap_or(path);
        request.target = PathAndQuery::try_from(whole).map_err(|error| bad(&error))?;
    }
    // Before anything reads a header: what `Connection` names is not for us either.
    let mut key = None;
    if survey.hop_by_hop {
        exchange.trailers = edge::takes_trailers(&request.headers);
        key = websocket::key(&request.method, request.version, &request.headers);
        edge::strip_hop_by_hop(&mut request.headers);
    }
    if survey.cookies > 1 {
        join_cookies(&mut request.headers);
    }
    let (proxies, speaks) = (&config.server.trusted_proxies, config.server.forwarded);
    let trusted = edge::is_trusted(peer.address, proxies);
    if trusted {
        request.client = edge::client_address(peer.address, &request.headers, proxies, speaks);
    }
    if let Some(asked) = cors::preflight(&request.method, &request.headers) {
        let lookup =
            Lookup { host: authority.host(), method: &asked, path: request.target.path(), headers: &request.headers };
        if let Found::Match { route, .. } = snapshot.router.find(&lookup)
            && let Some(cors) = config.routes[route].cors.map(|cors| &config.cors[cors])
        {
            // The browser asks, and nobody else answers: neither plugins nor the upstream.
            let methods = config.routes[route].matches.methods.as_deref().unwrap_or_default();
            let headers = cors::answer(cors, &request.headers, &asked, methods);
            exchange.allowed_origin = cors::allowed_origin(cors, &request.headers).map(Box::new);
            request.authority = authority.into_text();
            exchange.route = Some(route);
            return Err(Stop::preflight(headers));
        }
    }
    let found = snapshot.router.find(&Lookup {
        host: authority.host(),
        method: &request.method,
        path: request.target.path(),
        headers: &request.headers,
    });
    request.authority = authority.into_text();
    let (route, params) = match found {
        Found::Match { route, params } => (route, params),
        Found::MethodNotAllowed { allow } => {
            return Err(Failure::MethodNotAllowed { allow: isomorphic_decode(allow.as_bytes()) }.into());
        }
        Found::Nothing => return Err(Failure::RouteNotFound.into()),
    };
    request.params = params;
    exchange.route = Some(route);
    if let Some(cors) = config.routes[route].cors {
        exchange.allowed_origin = cors::allowed_origin(&config.cors[cors], &request.headers).map(Box::new);
    }
    if snapshot.chains[route].compresses {
        // Before a filter takes it away to see bodies as they are.
        exchange.coding = Some(compress::negotiate(&config.compression, &request.headers));
    }
    let limit = config.routes[route].body_bytes.unwrap_or(config.limits.body_bytes);
    if !body.is_end_stream() && declared_length(&request.headers).is_some_and(|length| length > limit) {
        return Err(Failure::BodyTooLarge.into());
    }
    if key.is_some() && config.routes[route].websocket.is_some() && body.is_end_stream() {
        exchange.websocket_key = key.map(Box::new);
    }
    let reserved = &snapshot.chains[route].reserved;
    if survey.doubtful || !reserved.is_empty() {
        edge::strip_request(&mut request.headers, reserved, trusted, speaks);
    }
    Ok((route, client_body(exchange, route, limit, body)))
}

fn within(limits: &ClientLimits, target: &PathAndQuery, survey: &Survey) -> Result<(), Failure> {
    if target.as_str().len() > limits.uri_bytes {
        return Err(Failure::UriTooLong);
    }
    if survey.count > limits.header_count || survey.bytes > limits.header_bytes {
        return Err(Failure::HeadersTooLarge);
    }
    Ok(())
}

/// What a gateway can forward without guessing.
fn speakable(method: &Method, headers: &HeaderMap, survey: &Survey) -> Result<(), Failure> {
    if method == Method::CONNECT {
        return Err(Failure::MethodNotSupported);
    }
    // Methods have case (RFC 9110 section 9.1) and no upstream a `get` that is not its `GET`, so rules must not see another.
    if method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(Failure::BadRequest("the method is not in upper case".into()));
    }
    if !survey.coded {
        return Ok(());
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

/// Takes the expectation away: hyper has met it, or will when the body is first read. There is one that can be met, and
/// HTTP/1.0 has none (RFC 9110 section 10.1.1).
fn expectation(headers: &mut HeaderMap, version: Version) -> Result<(), Failure> {
    let met = headers.get_all(EXPECT).iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    headers.remove(EXPECT);
    if met || version == Version::HTTP_10 { Ok(()) } else { Err(Failure::ExpectationFailed) }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
