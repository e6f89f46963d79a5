//! Request filters: plugin by plugin, each with its header hook and then its body hook.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;

use super::{Stop, edit, failed, guarded, said, session};
use crate::{
    body::{AnyBody, Broken, Direction, RequestBody, collect, filtered},
    exchange::Exchange,
    failure::{Failure, Fault},
    plugin::{Plugin, RequestAction, RequestEdit, Session},
};

/// Runs the request filters of the route.
pub(crate) async fn on_request(
    exchange: &mut Arc<Exchange>,
    route: usize,
    worker: usize,
    body: RequestBody,
) -> Result<RequestBody, Stop> {
    if exchange.snapshot.chains[route].request_filters.is_empty() {
        return Ok(body);
    }
    // Boxed, so that a request without filters does not carry the room for their calls.
    Box::pin(filter_all(exchange, route, worker, body)).await
}

async fn filter_all(
    exchange: &mut Arc<Exchange>,
    route: usize,
    worker: usize,
    mut body: RequestBody,
) -> Result<RequestBody, Stop> {
    let snapshot = exchange.snapshot.clone();
    for &index in &snapshot.chains[route].request_filters {
        let hooks = async |exchange: &mut Arc<Exchange>, plugin: &Arc<Plugin>| {
            filter(exchange, plugin, worker, &mut body).await
        };
        guarded(exchange, index, hooks).await?;
    }
    Ok(body)
}

async fn filter(
    exchange: &mut Arc<Exchange>,
    plugin: &Arc<Plugin>,
    worker: usize,
    body: &mut RequestBody,
) -> Result<(), Stop> {
    let mut session = session(plugin, worker).await?;
    let action = session.on_request(exchange).await.map_err(|fault| failed(plugin, fault))?;
    take_on(exchange, plugin, action, body)?;
    // Boxed, so that a filter of headers does not carry the room for them.
    if plugin.hooks.sees_request_bodies() {
        Box::pin(whole_body(exchange, plugin, &mut session, body)).await?;
    }
    if plugin.hooks.sees_request_chunks() {
        *body = Box::pin(chunks(exchange, session, std::mem::replace(body, RequestBody::Empty))).await?;
        edit(exchange).request.headers.remove(http::header::CONTENT_LENGTH);
    }
    Ok(())
}

async fn whole_body(
    exchange: &mut Arc<Exchange>,
    plugin: &Arc<Plugin>,
    session: &mut Session,
    body: &mut RequestBody,
) -> Result<(), Stop> {
    let limit = session.request_body_limit(exchange).await.map_err(|fault| failed(plugin, fault))?;
    let Some(limit) = limit else { return Ok(()) };
    let whole = collect(std::mem::replace(body, RequestBody::Empty), limit).await.map_err(stopped)?;
    let whole = whole.ok_or(Failure::BodyTooLarge)?;
    let action = session.on_request_body(exchange, whole.to_vec()).await;
    put(exchange, body, whole);
    take_on(exchange, plugin, action.map_err(|fault| failed(plugin, fault))?, body)
}

async fn chunks(exchange: &Arc<Exchange>, session: Session, body: RequestBody) -> Result<RequestBody, Stop> {
    let source: AnyBody = Box::pin(body);
    // The filter reads the exchange as it is now, while the gateway goes on changing its own.
    let seen = Arc::new(Exchange::clone(exchange));
    filtered(source, session, seen, Direction::Request).await.map(RequestBody::Piped).map_err(stopped)
}

pub(super) fn stopped(broken: Broken) -> Stop {
    match broken {
        Broken::Failure(failure) => Stop::Body(failure),
        Broken::Reply(reply) => Stop::Reply { reply, by: None },
    }
}

fn take_on(
    exchange: &mut Arc<Exchange>,
    plugin: &Plugin,
    action: RequestAction,
    body: &mut RequestBody,
) -> Result<(), Stop> {
    said(exchange, plugin, action.name());
    match action {
        RequestAction::Unchanged => Ok(()),
        RequestAction::Respond(reply) => Err(Stop::Reply { reply: Box::new(reply), by: None }),
        RequestAction::Edit(mut changes) => {
            let new_body = changes.body.take();
            apply(edit(exchange), plugin, changes).map_err(|why| failed(plugin, Fault::Invalid(why)))?;
            if let Some(new) = new_body {
                put(exchange, body, new);
            }
            Ok(())
        }
    }
}

fn put(exchange: &mut Arc<Exchange>, body: &mut RequestBody, whole: Bytes) {
    // The length is told by the body itself from here on.
    edit(exchange).request.headers.remove(http::header::CONTENT_LENGTH);
    *body = RequestBody::Whole(Some(whole));
}

fn apply(exchange: &mut Exchange, plugin: &Plugin, changes: RequestEdit) -> Result<(), String> {
    if changes.path.is_some() || changes.query.is_some() {
        retarget(exchange, changes.path.as_deref(), changes.query.as_deref())?;
    }
    if let Some(method) = changes.method {
        exchange.request.method = method;
    }
    changes.headers.into_iter().for_each(|edit| edit.apply(&mut exchange.request.headers));
    for (name, value) in changes.attributes {
        exchange.set_attribute(format!("{}.{name}", plugin.name()).into(), value.into());
    }
    Ok(())
}

/// Gives the request another path and another query, where they are there; an empty query is none.
pub(crate) fn retarget(exchange: &mut Exchange, path: Option<&str>, query: Option<&str>) -> Result<(), String> {
    let request = &mut exchange.request;
    let old_path = request.target.path().to_owned();
    let query = query.or(request.target.query()).filter(|query| !query.is_empty());
    let path = path.unwrap_or(&old_path);
    let target = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    request.target = PathAndQuery::try_from(target).map_err(|error| format!("the target: {error}"))?;
    if request.matched_path.is_none() && request.target.path() != old_path {
        request.matched_path = Some(old_path);
    }
    Ok(())
}
