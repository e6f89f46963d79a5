//! The path of a request. `serve` never fails; `answer` has nothing in it but the steps.
//!
//! Invariants: one snapshot per request. Every wait on a peer or a plugin has a deadline. No I/O of its own. A panic in a
//! step is this exchange's failure and nobody else's.

mod admit;
mod cached;
mod forward;
mod peer;
mod total;
mod upgrade;

pub(crate) use peer::{Attributes, Peer};

use std::{pin::pin, rc::Rc, sync::Arc};

use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, SET_COOKIE},
    uri::Authority,
};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::{
    answer::{AnswerBody, Open, ResponseBody},
    body::RequestBody,
    chain::{self, Stop},
    compress,
    config::Target,
    connection::InFlight,
    cors, errors,
    exchange::{self, Exchange},
    failure::Failure,
    limits::{self, Gate},
    logs::foreign,
    mapping, overload, panics,
    patience::Patience,
    reply,
    snapshot::Chain,
    split, template,
    worker::Worker,
};

/// The id of the exchange, for both sides.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Answers a request, whatever happens.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    peer: Rc<Peer>,
    in_flight: InFlight,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let version = request.version();
    // What the client asked: a filter may change the method.
    let asked_head = request.method() == Method::HEAD;
    let (exchange, named, body) = admit::open(&worker, &peer, request);
    let mut open = Open::new(exchange, worker.clone(), in_flight);
    let answered = panics::catching(pin!(answer(&worker, open.exchange(), &peer, named, body))).await;
    let body = match answered {
        Ok(Ok(body)) => body,
        Ok(Err(stop)) => {
            if let Stop::Failure(Failure::Overloaded { .. }) = &stop {
                open.refused();
            }
            stopped(open.exchange(), stop)
        }
        Err(panicked) => stopped(open.exchange(), Failure::Internal(panicked.to_string()).into()),
    };
    let mut response = finish(open, &peer, body, asked_head);
    if worker.is_stopping() && version <= Version::HTTP_11 && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        // The connection may not have been told to finish yet.
        response.headers_mut().insert(CONNECTION, CLOSE);
    }
    response
}

async fn answer(
    worker: &Rc<Worker>,
    exchange: &mut Arc<Exchange>,
    peer: &Peer,
    named: Option<Authority>,
    body: Incoming,
) -> Result<AnswerBody, Stop> {
    let (route, body) = admit::admit(chain::edit(exchange), peer, named, body)?;
    overload::admit(worker, &exchange.snapshot.config.overload, exchange.snapshot.config.routes[route].priority)?;
    limit(exchange, route, worker.index, |chain| &chain.before).await?;
    chain::authorize(exchange, route, worker.index).await?;
    limit(exchange, route, worker.index, |chain| &chain.after).await?;
    let body = chain::validate(exchange, route, body).await?;
    let made = match chain::on_request(exchange, route, worker.index, body).await {
        Ok(body) => match exchange.snapshot.config.routes[route].target {
            Target::Upstream(only) => {
                mapping::request(exchange, route)?;
                let to = (route, split::choose(exchange, route, only));
                let total = exchange.snapshot.config.routes[route].timeouts.total;
                let body = match total.is_none() && !cached::is_concerned(exchange, route) {
                    true => forward::forward(worker, exchange, to, peer, body).await?,
                    // Boxed, so that a request without either does not carry the room for them.
                    false => Box::pin(total::within(total, ask(worker, exchange, to, peer, body))).await?,
                };
                mapping::response(exchange, route);
                (body, None)
            }
            _ => (configured(exchange, route)?, None),
        },
        Err(Stop::Reply { reply, by }) => (respond(exchange, reply::of_plugin(*reply)), by),
        Err(stop) => return Err(stop),
    };
    chain::on_response(exchange, route, worker.index, made.0, made.1).await
}

/// Asks the upstream of an index, or what is kept of its answers.
async fn ask(
    worker: &Rc<Worker>,
    exchange: &mut Arc<Exchange>,
    to: (usize, usize),
    peer: &Peer,
    body: RequestBody,
) -> Result<AnswerBody, Failure> {
    match cached::is_concerned(exchange, to.0) {
        false => forward::forward(worker, exchange, to, peer, body).await,
        true => Box::pin(cached::forward(worker, exchange, to, peer, body)).await,
    }
}

/// The answer of a route that has it in the configuration.
fn configured(exchange: &mut Arc<Exchange>, route: usize) -> Result<AnswerBody, Failure> {
    let snapshot = exchange.snapshot.clone();
    let response = match &snapshot.config.routes[route].target {
        Target::Redirect(redirect) => {
            let to = template::fill(&redirect.to, exchange);
            let to = to.as_deref().and_then(header_value);
            reply::redirect(redirect.status, to.ok_or_else(|| Failure::Internal("a redirect goes nowhere".into()))?)
        }
        Target::Respond(respond) => reply::configured(respond),
        Target::Upstream(_) => return Err(Failure::Internal("a route with an upstream answers by itself".into())),
    };
    Ok(respond(exchange, response))
}

/// Counts a request by limits of its route, where it has some.
async fn limit(
    exchange: &mut Arc<Exchange>,
    route: usize,
    worker: usize,
    by: fn(&Chain) -> &Option<Box<Gate>>,
) -> Result<(), Failure> {
    if by(&exchange.snapshot.chains[route]).is_none() {
        return Ok(());
    }
    let snapshot = exchange.snapshot.clone();
    match by(&snapshot.chains[route]) {
        Some(gate) => Box::pin(gate.admit(worker, exchange)).await,
        None => Ok(()),
    }
}

/// The answer when the chain has ended early.
fn stopped(exchange: &mut Arc<Exchange>, stop: Stop) -> AnswerBody {
    match stop {
        Stop::Reply { reply, .. } => respond(exchange, reply::of_plugin(*reply)),
        Stop::Denied { reply, reason } => {
            let reason = reason.as_deref();
            tracing::debug!(
                request_id = exchange.id.as_str(),
                reason = reason.map(|reason| tracing::field::display(foreign(reason, 1 << 10))),
                "denied"
            );
            respond(exchange, reply::of_plugin(*reply))
        }
        Stop::Failure(failure) | Stop::Body(failure) => {
            let mut response = match exchange.grpc {
                true => reply::grpc::told(reply::of_failure(&failure, exchange.id), Some(&failure.public())),
                false => errors::answer(&failure, exchange),
            };
            if failure.ends_connection() && exchange.request.version <= Version::HTTP_11 {
                response.headers_mut().insert(CONNECTION, CLOSE);
            }
            chain::edit(exchange).outcome.failure = Some(failure);
            respond(exchange, response)
        }
    }
}

fn respond(exchange: &mut Arc<Exchange>, mut response: Response<bytes::Bytes>) -> AnswerBody {
    if exchange.grpc {
        response = reply::grpc::told(response, None);
    }
    let (head, body) = response.into_parts();
    let response = exchange::Response { status: head.status, headers: head.headers };
    chain::edit(exchange).response = Some(response);
    AnswerBody::Whole(Some(body))
}

/// The response as hyper sends it.
fn finish(mut open: Open, peer: &Peer, mut body: AnswerBody, asked_head: bool) -> Response<ResponseBody> {
    let exchange = chain::edit(open.exchange());
    let id = exchange.id.header();
    let logged = exchange.route.is_some_and(|route| exchange.snapshot.chains[route].logs_headers);
    let head = exchange.response.as_mut().expect("every path through `serve` leaves a response");
    head.headers.insert(X_REQUEST_ID, id);
    if let Some(cors) = exchange.route.and_then(|route| exchange.snapshot.config.routes[route].cors) {
        let origin = exchange.allowed_origin.take().map(|origin| *origin);
        cors::tell(&exchange.snapshot.config.cors[cors], origin, &mut head.headers);
    }
    if exchange.grpc {
        exchange.outcome.grpc_status = reply::grpc::status(&head.headers);
    }
    limits::tell(&exchange.outcome.standings, &mut head.headers);
    if let Some(cookie) = exchange.outcome.chosen.as_mut().and_then(|chosen| chosen.cookie.take()) {
        head.headers.append(SET_COOKIE, cookie);
    }
    let status = head.status;
    let upstream = body.take_switched(status);
    if asked_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) || body.is_end_stream() {
        body.leave_out(asked_head, head);
    }
    if let Some(wanted) = exchange.coding {
        compress::apply(&exchange.snapshot.config.compression, wanted, asked_head, head, &mut body);
    }
    let mut headers = if logged { head.headers.clone() } else { std::mem::take(&mut head.headers) };
    let mut response = Response::new(match upstream {
        None => ResponseBody::new(body, open),
        Some(upstream) => upgrade::switch(open, peer, upstream, &mut headers),
    });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A header value from text that may have come from a plugin: as UTF-8. None when it has control characters.
fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}

/// A request's body before any plugin has seen it.
fn client_body(exchange: &Exchange, route: usize, limit: u64, body: Incoming) -> RequestBody {
    if body.is_end_stream() {
        return RequestBody::Empty;
    }
    let config = &exchange.snapshot.config;
    let rate = config.routes[route].body_min_rate.unwrap_or(config.limits.body_min_rate);
    let own = exchange.route.and_then(|route| config.routes[route].timeouts.body_idle);
    let patience = Patience::new(own.unwrap_or(config.limits.body_idle_timeout), rate);
    let progress = exchange.outcome.progress.clone();
    RequestBody::Client(crate::body::ClientBody::new(body, limit, patience, progress))
}
