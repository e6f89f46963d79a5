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
    if validator.operations.is_some() {
        return hold_to_operation(exchange, validator, body).await;
    }
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

/// The same by an operation of an OpenAPI document.
async fn hold_to_operation(
    exchange: &Arc<Exchange>,
    validator: &Validator,
    body: RequestBody,
) -> Result<RequestBody, Stop> {
    let found = validator.operations.as_ref().and_then(|operations| operations.of(exchange));
    let (operation, params) = found.ok_or_else(|| validator.invalid("the API has no such operation".to_owned()))?;
    operation.parameters(exchange, params.as_ref()).map_err(|why| validator.invalid(why))?;
    let missing = || validator.invalid("missing: the body".to_owned());
    if body.is_empty() || !operation.knows_body() {
        return if operation.asks_for_body() { Err(missing().into()) } else { Ok(body) };
    }
    let Some(schema) = validator.schema_of(operation, &exchange.request.headers)? else { return Ok(body) };
    let most = validator.config.openapi.as_ref().map_or(0, |openapi| openapi.bytes);
    let whole: Bytes = collect(body, most).await.map_err(stopped)?.ok_or(Failure::BodyTooLarge)?;
    match (whole.is_empty(), operation.asks_for_body()) {
        (true, true) => return Err(missing().into()),
        (true, false) => {}
        (false, _) => validator.judge_by(&schema, &whole).await?,
    }
    Ok(RequestBody::Whole(Some(whole)))
}
