//! Response filters: in the reverse order of the chain, each with its header hook and then its body hook.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;

use super::{Stop, edit, failed, guarded, request::stopped, said, session};
use crate::{
    answer::AnswerBody,
    body::{AnyBody, Direction, filtered, gather},
    exchange::{Exchange, Response},
    failure::Failure,
    plugin::{Plugin, PluginReply, ResponseAction, Session},
    upstream::discard,
};

/// Runs the response filters of the route on the response in the exchange. When a request filter made it, only the
/// plugins before that one have seen the request, and only they see the response.
pub(crate) async fn on_response(
    exchange: &mut Arc<Exchange>,
    route: usize,
    worker: usize,
    body: AnswerBody,
    made_by: Option<usize>,
) -> Result<AnswerBody, Stop> {
    if exchange.snapshot.chains[route].response_filters.is_empty() {
        return Ok(body);
    }
    // Boxed, so that a request without filters does not carry the room for their calls.
    Box::pin(filter_all(exchange, route, worker, body, made_by)).await
}

async fn filter_all(
    exchange: &mut Arc<Exchange>,
    route: usize,
    worker: usize,
    mut body: AnswerBody,
    made_by: Option<usize>,
) -> Result<AnswerBody, Stop> {
    let snapshot = exchange.snapshot.clone();
    let mut filters = snapshot.chains[route].response_filters.as_slice();
    if let Some(maker) = made_by {
        let before = snapshot.config.routes[route].plugins.iter().take_while(|&&plugin| plugin != maker);
        let before: Vec<usize> = before.copied().collect();
        let seen = filters.iter().position(|filter| before.contains(filter)).unwrap_or(filters.len());
        filters = &filters[seen..];
    }
    for &index in filters {
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
    body: &mut AnswerBody,
) -> Result<(), Stop> {
    let mut session = session(plugin, worker).await?;
    let action = session.on_response(exchange).await.map_err(|fault| failed(plugin, fault))?;
    take_on(exchange, plugin, action, body);
    if matches!(body, AnswerBody::Switched(_)) {
        return Ok(());
    }
    // Boxed, so that a filter of headers does not carry the room for it.
    if plugin.hooks.sees_response_bodies() {
        Box::pin(whole_body(exchange, plugin, &mut session, body)).await?;
    }
    if plugin.hooks.sees_response_chunks() {
        let source: AnyBody = Box::pin(std::mem::replace(body, AnswerBody::Empty));
        let seen = Arc::new(Exchange::clone(exchange));
        let piped = Box::pin(filtered(source, session, seen, Direction::Response)).await.map_err(stopped)?;
        *body = AnswerBody::Piped(piped);
        forget_length(exchange);
    }
    Ok(())
}

async fn whole_body(
    exchange: &mut Arc<Exchange>,
    plugin: &Arc<Plugin>,
    session: &mut Session,
    body: &mut AnswerBody,
) -> Result<(), Stop> {
    let limit = session.response_body_limit(exchange).await.map_err(|fault| failed(plugin, fault))?;
    let Some(limit) = limit else { return Ok(()) };
    let whole = gather(std::mem::replace(body, AnswerBody::Empty), limit).await.map_err(stopped)?;
    let (whole, trailers) = whole.ok_or(Failure::UpstreamBodyTooLarge)?;
    let action = session.on_response_body(exchange, whole.to_vec()).await;
    put(exchange, body, whole);
    let action = action.map_err(|fault| failed(plugin, fault))?;
    // An answer in its place has no trailers of this one.
    let trailers = trailers.filter(|_| !matches!(action, ResponseAction::Replace(_)));
    take_on(exchange, plugin, action, body);
    if let (Some(trailers), AnswerBody::Whole(whole)) = (trailers, &mut *body) {
        *body = AnswerBody::Trailed(whole.take(), Some(Box::new(trailers)));
    }
    Ok(())
}

fn take_on(exchange: &mut Arc<Exchange>, plugin: &Plugin, action: ResponseAction, body: &mut AnswerBody) {
    said(exchange, plugin, action.name());
    match action {
        ResponseAction::Unchanged => {}
        ResponseAction::Replace(PluginReply { status, headers, body: new }) => {
            edit(exchange).response = Some(Response { status, headers });
            if let AnswerBody::Upstream(unread) = std::mem::replace(body, AnswerBody::Whole(Some(new))) {
                tokio::task::spawn_local(discard(unread));
            }
        }
        ResponseAction::Edit(changes) => {
            let exchange_now = edit(exchange);
            if let Some(response) = &mut exchange_now.response {
                response.status = changes.status.unwrap_or(response.status);
                changes.headers.into_iter().for_each(|edit| edit.apply(&mut response.headers));
            }
            for (name, value) in changes.attributes {
                exchange_now.set_attribute(format!("{}.{name}", plugin.name()).into(), value.into());
            }
            if let Some(new) = changes.body {
                put(exchange, body, new);
            }
        }
    }
}

fn put(exchange: &mut Arc<Exchange>, body: &mut AnswerBody, whole: Bytes) {
    forget_length(exchange);
    *body = AnswerBody::Whole(Some(whole));
}

/// The length is told by the body itself from here on.
fn forget_length(exchange: &mut Arc<Exchange>) {
    if let Some(response) = &mut edit(exchange).response {
        response.headers.remove(CONTENT_LENGTH);
    }
}
