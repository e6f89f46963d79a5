//! What a request must have before its filters see it. A body is gathered for that and goes on as it came, in one piece.

use std::sync::Arc;

use bytes::Bytes;

use super::{Stop, request::stopped};
use crate::{
    body::{RequestBody, collect},
    exchange::Exchange,
    failure::Failure,
    validation::Validator,
};

/// Holds a request against the validator of its route.
pub(crate) async fn validate(exchange: &Arc<Exchange>, route: usize, body: RequestBody) -> Result<RequestBody, Stop> {
    let Some(index) = exchange.snapshot.config.routes[route].validate else { return Ok(body) };
    let validator = exchange.snapshot.validators[index].clone();
    // Boxed, so that a request without does not carry the room for it.
    Box::pin(hold(exchange, &validator, body)).await
}

async fn hold(exchange: &Arc<Exchange>, validator: &Validator, body: RequestBody) -> Result<RequestBody, Stop> {
    let request = &exchange.request;
    validator.parameters(&request.headers, request.target.query().unwrap_or_default())?;
    let Some(rule) = &validator.config.body else { return Ok(body) };
    if body.is_empty() {
        validator.nothing()?;
        return Ok(body);
    }
    validator.content(&request.headers)?;
    let whole: Option<Bytes> = collect(body, rule.bytes).await.map_err(stopped)?;
    let whole = whole.ok_or(Failure::BodyTooLarge)?;
    if whole.is_empty() {
        validator.nothing()?;
    } else {
        validator.judge(&whole).await?;
    }
    // A length that the client told is still its length.
    Ok(RequestBody::Whole(Some(whole)))
}
