//! The one place that turns a failure into an answer, and the only one that picks a status for it.
//!
//! The body is JSON: `{"code": "...", "message": "...", "request_id": "..."}`. Codes are stable; messages are for
//! people; neither carries text from a plugin or an upstream. The log has the whole story under the request id.

pub(crate) mod grpc;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{ACCEPT, ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{
    config::Respond,
    exchange::RequestId,
    failure::{Failure, Fault},
    plugin::PluginReply,
};

/// The answer for a failure.
pub(crate) fn of_failure(failure: &Failure, id: RequestId) -> Response<Bytes> {
    let body = serde_json::json!({
        "code": failure.code(),
        "message": failure.public(),
        "request_id": id.as_str(),
    });
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status(failure);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match failure {
        Failure::MethodNotAllowed { allow } => {
            headers.extend(HeaderValue::from_str(allow).ok().map(|allow| (ALLOW, allow)));
        }
        // RFC 9110 section 15.5.16.
        Failure::UnsupportedMediaType { accept, .. } => {
            headers.extend(HeaderValue::from_str(accept).ok().map(|accept| (ACCEPT, accept)));
        }
        // RFC 9110 section 11.6.1: a 401 names a scheme.
        Failure::IdentityMissing { source, .. } if source != "header:authorization" => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("ApiKey"));
        }
        Failure::IdentityMissing { .. } | Failure::Unauthorized => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Failure::RateLimited { wait, .. } | Failure::QuotaExceeded { wait, .. } | Failure::Overloaded { wait, .. } => {
            headers.insert(RETRY_AFTER, HeaderValue::from(*wait));
        }
        failure if failure.retryable() => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    response
}

/// An answer with another status, if one is given, and with these headers.
pub(crate) fn with(
    mut response: Response<Bytes>,
    status: Option<StatusCode>,
    headers: &[(HeaderName, HeaderValue)],
) -> Response<Bytes> {
    *response.status_mut() = status.unwrap_or(response.status());
    for (name, value) in headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// Sends the client elsewhere.
pub(crate) fn redirect(status: Option<StatusCode>, to: HeaderValue) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status.unwrap_or(StatusCode::TEMPORARY_REDIRECT);
    response.headers_mut().insert(LOCATION, to);
    response
}

/// The answer that the configuration writes.
pub(crate) fn configured(respond: &Respond) -> Response<Bytes> {
    let mut response = Response::new(respond.body.clone());
    *response.status_mut() = respond.status;
    response.headers_mut().extend(respond.headers.iter().cloned());
    response
}

/// The answer that a plugin made.
pub(crate) fn of_plugin(reply: PluginReply) -> Response<Bytes> {
    let mut response = Response::new(reply.body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    response
}

/// The status of a failure; for one that has no answer, what the access log shows.
pub(crate) fn status(failure: &Failure) -> StatusCode {
    match failure {
        Failure::BadRequest(_) | Failure::BodyBroken | Failure::InvalidRequest { .. } => StatusCode::BAD_REQUEST,
        Failure::Unmappable => StatusCode::BAD_REQUEST,
        Failure::UnsupportedMediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Failure::IdentityMissing { .. } | Failure::Unauthorized => StatusCode::UNAUTHORIZED,
        Failure::RateLimited { .. } | Failure::QuotaExceeded { .. } | Failure::ConcurrencyLimited { .. } => {
            StatusCode::TOO_MANY_REQUESTS
        }
        // As AWS answers, with or without a key.
        Failure::ApiKeyMissing | Failure::ApiKeyInvalid(_) => StatusCode::FORBIDDEN,
        Failure::RouteNotFound => StatusCode::NOT_FOUND,
        Failure::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
        Failure::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        Failure::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Failure::UriTooLong => StatusCode::URI_TOO_LONG,
        Failure::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Failure::MethodNotSupported => StatusCode::NOT_IMPLEMENTED,
        Failure::ExpectationFailed => StatusCode::EXPECTATION_FAILED,
        Failure::UpstreamUnreachable(_) | Failure::UpstreamBroken(_) | Failure::UpstreamBodyTooLarge => {
            StatusCode::BAD_GATEWAY
        }
        Failure::UpstreamConnectTimeout | Failure::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        Failure::UpstreamBusy | Failure::Overloaded { .. } | Failure::LimitsUnavailable(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        // RFC 9111 section 5.2.1.7.
        Failure::NotCached => StatusCode::GATEWAY_TIMEOUT,
        Failure::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        // As nginx logs it; nobody receives it.
        Failure::ClientLeft => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Failure::Plugin { fault, .. } => match fault {
            Fault::Error(_) | Fault::Trap { .. } | Fault::HostCalls | Fault::HostBytes | Fault::Invalid(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Fault::CpuTime | Fault::WallTime => StatusCode::GATEWAY_TIMEOUT,
            Fault::Busy | Fault::Start(_) | Fault::Resting => StatusCode::SERVICE_UNAVAILABLE,
        },
    }
}
