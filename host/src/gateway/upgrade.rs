//! A WebSocket handshake on its way: what the upstream is asked, what its answer must be, and what becomes of the client's
//! connection. Nothing of the client's bytes leaves before the upstream has agreed.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use http_body::Body as _;

use super::Peer;
use crate::{
    answer::{AnswerBody, Open, ResponseBody},
    body::RequestBody,
    chain,
    connection::Tunnel,
    edge::write_field,
    exchange::Exchange,
    failure::Failure,
    upstream::{Body, Switched},
    websocket,
};

/// Whether the request leaves as a handshake. Whatever filters have done, its key and version are those of the client.
pub(super) fn prepare(exchange: &mut Arc<Exchange>, body: &RequestBody) -> bool {
    let asked = is_asked(exchange, body);
    if asked {
        let Exchange { request, websocket_key, .. } = chain::edit(exchange);
        if let Some(key) = websocket_key {
            request.headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::clone(key));
        }
        request.headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    asked
}

/// Whether it still is one after the filters: one that has another method or a body is none.
fn is_asked(exchange: &Exchange, body: &RequestBody) -> bool {
    exchange.websocket_key.is_some() && exchange.request.method == Method::GET && body.is_end_stream()
}

/// Writes what of a handshake belongs to the hop.
pub(super) fn ask(exchange: &Exchange, body: &RequestBody, out: &mut Vec<u8>) {
    if is_asked(exchange, body) {
        write_field(out, "connection", b"upgrade");
        write_field(out, "upgrade", b"websocket");
    }
}

/// The answer's body; where the upstream has switched protocols, its connection. That it did so unasked is refused before.
pub(super) fn answered(
    exchange: &Exchange,
    status: StatusCode,
    headers: &HeaderMap,
    body: Body,
) -> Result<AnswerBody, Failure> {
    let body = match body {
        Body::Http1(body) => body,
        Body::Http2(body) => return Ok(AnswerBody::Http2(body)),
    };
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(AnswerBody::Upstream(body));
    }
    let broken = |why: &str| Failure::UpstreamBroken(why.to_owned());
    let accepts = exchange.websocket_key.as_ref().is_some_and(|key| {
        let mut said = headers.get_all(SEC_WEBSOCKET_ACCEPT).iter();
        said.next() == Some(&websocket::accept(key)) && said.next().is_none()
    });
    if !accepts {
        return Err(broken("its `Sec-WebSocket-Accept` does not fit the key of the handshake"));
    }
    body.switch().map(AnswerBody::Switched).ok_or_else(|| broken("it switches protocols on a connection in use"))
}

/// The answer that switches protocols. Once it has left, the client's connection is the other end of the upstream's, and
/// the exchange ends with both.
pub(super) fn switch(mut open: Open, peer: &Peer, upstream: Box<Switched>, headers: &mut HeaderMap) -> ResponseBody {
    let exchange = open.exchange();
    if let Some(key) = &exchange.websocket_key {
        headers.insert(SEC_WEBSOCKET_ACCEPT, websocket::accept(key));
    }
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let limits = exchange.route.and_then(|route| exchange.snapshot.config.routes[route].websocket).unwrap_or_default();
    peer.becomes.set(Some(Box::new(Tunnel::new(open, upstream, limits))));
    ResponseBody::handed_over()
}
