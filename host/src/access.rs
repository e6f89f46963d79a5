//! What is counted and logged of every exchange when it is over: one line, target `access`.

use std::fmt::Write as _;

use crate::{
    exchange::Exchange,
    failure::{Failure, Party},
    reply,
    worker::Worker,
};

/// Counts and logs an exchange.
pub(crate) fn log(worker: &Worker, exchange: &Exchange) {
    if let Some(route) = exchange.route {
        exchange.snapshot.chains[route].requests.inc();
    }
    if let Some(status) = exchange.outcome.grpc_status {
        worker.gateway.metrics.grpc_answered(status);
    }
    let failure = exchange.outcome.failure.as_ref();
    if let Some(failure) = failure {
        worker.gateway.metrics.failed(failure.code());
        // What the client did wrong is in its access line; what we or others did is worth a line of its own.
        // A refusal for overload is not: there are many, and what led to them is told once.
        if failure.party() != Party::Client && !matches!(failure, Failure::Overloaded { .. }) {
            tracing::warn!(
                request_id = exchange.id.as_str(),
                route = exchange.route_name(),
                code = failure.code(),
                "{failure}"
            );
        }
    }
    if exchange.snapshot.config.log.access && tracing::enabled!(target: "access", tracing::Level::INFO) {
        line(exchange);
    }
}

fn line(exchange: &Exchange) {
    let request = &exchange.request;
    let outcome = &exchange.outcome;
    let response = exchange.response.as_ref().map(|response| response.status);
    let status = response.or_else(|| outcome.failure.as_ref().map(reply::status)).map_or(0, |status| status.as_u16());
    tracing::info!(
        target: "access",
        request_id = exchange.id.as_str(),
        client = %request.client,
        method = request.method.as_str(),
        host = &*request.authority,
        path = request.matched_path.as_deref().unwrap_or(request.target.path()),
        upstream_path = request.matched_path.is_some().then_some(request.target.path()),
        route = exchange.route_name(),
        status,
        grpc_status = outcome.grpc_status,
        duration_us = outcome.duration.as_micros() as u64,
        upstream_us = outcome.upstream.map(|time| time.as_micros() as u64),
        upstream = outcome.chosen.as_ref().map(|chosen| &*chosen.name),
        endpoint = outcome.endpoint.as_ref().map(|(endpoint, _)| &*endpoint.name),
        retries = outcome.endpoint.as_ref().map(|(_, retries)| *retries).filter(|&retries| retries > 0),
        cache = outcome.cache.map(|cache| cache.name()),
        request_bytes = outcome.progress.request(),
        response_bytes = outcome.progress.response(),
        verdict = outcome.verdict.map(|verdict| if verdict.allow { "allow" } else { "deny" }),
        verdict_cached = outcome.verdict.map(|verdict| verdict.cached),
        principal = exchange.attribute("auth.principal"),
        plugins = (!outcome.plugins.is_empty()).then(|| times(exchange)),
        attributes = (!exchange.attributes.is_empty()).then(|| attributes(exchange)),
        failure = outcome.failure.as_ref().map(|failure| failure.code()),
        generation = exchange.snapshot.generation,
    );
}

/// `keys=12us,transform=3us`
fn times(exchange: &Exchange) -> String {
    let mut out = String::new();
    for (index, time) in &exchange.outcome.plugins {
        let comma = if out.is_empty() { "" } else { "," };
        let name = exchange.snapshot.plugins[*index].name();
        write!(out, "{comma}{name}={}us", time.as_micros()).expect("writing to a string does not fail");
    }
    out
}

/// As a JSON object, since values are anyone's text.
fn attributes(exchange: &Exchange) -> String {
    let pairs = exchange.attributes.iter().map(|(name, value)| ((**name).to_owned(), (**value).into()));
    serde_json::Value::Object(pairs.collect()).to_string()
}
