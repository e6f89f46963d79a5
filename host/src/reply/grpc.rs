//! Answers to gRPC calls that the gateway makes itself: the status stands in the header section, which is all there is
//! ("Trailers-Only" in the gRPC protocol over HTTP/2). A client reads nothing else as its call's end.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::edge;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Most bytes of a message before it is encoded.
const MESSAGE: usize = 1 << 10;

/// Makes an answer one to a gRPC call. The message is the body, unless there is another. What says its `grpc-status` already
/// keeps it, and what is gRPC already stays as it is.
pub(crate) fn told(mut response: Response<Bytes>, message: Option<&str>) -> Response<Bytes> {
    let status = response.status();
    let body = std::mem::take(response.body_mut());
    let headers = response.headers_mut();
    if headers.get(CONTENT_TYPE).is_some_and(|value| edge::is_grpc(value.as_bytes())) {
        *response.body_mut() = body;
        return response;
    }
    if !headers.contains_key(GRPC_STATUS) {
        headers.insert(GRPC_STATUS, HeaderValue::from(code(status)));
        let message = message.or_else(|| std::str::from_utf8(&body).ok()).unwrap_or_default();
        if let Ok(message) = HeaderValue::try_from(encoded(message)).map_err(drop)
            && !message.is_empty()
        {
            headers.insert(GRPC_MESSAGE, message);
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.remove(CONTENT_LENGTH);
    *response.status_mut() = StatusCode::OK;
    response
}

/// What a header section or trailers say of a call.
pub(crate) fn status(fields: &HeaderMap) -> Option<u16> {
    fields.get(GRPC_STATUS)?.to_str().ok()?.parse().ok().filter(|status| *status < 1000)
}

/// As clients read a status of HTTP (`http-grpc-status-mapping.md`) and Envoy writes one. But 429 is RESOURCE_EXHAUSTED:
/// clients send again at once what is UNAVAILABLE, which is what a limit is against. So is what is too large.
fn code(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        413 | 429 | 431 => 8,
        502..=504 => 14,
        _ => 2,
    }
}

/// Percent-encodes what is not printable ASCII, and the sign itself.
fn encoded(message: &str) -> String {
    let mut text = String::new();
    for &byte in &message.as_bytes()[..message.floor_char_boundary(MESSAGE)] {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            // Writing to a string can not fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Response<Bytes> {
        let mut builder = Response::builder().status(status);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn a_status_of_http_becomes_one_of_grpc() {
        for (http, grpc) in [
            // Whatever this is, it is no message.
            (200, 2),
            (400, 13),
            (401, 16),
            (403, 7),
            (404, 12),
            (413, 8),
            (418, 2),
            (429, 8),
            (500, 2),
            (502, 14),
            (503, 14),
            (504, 14),
        ] {
            let told = told(answer(http, &[("content-type", "text/plain"), ("retry-after", "1")], "no\n100 % ü"), None);
            assert_eq!(status(told.headers()), Some(grpc), "{http}");
            assert_eq!(told.status(), 200);
            assert_eq!(told.headers()["content-type"], "application/grpc");
            assert_eq!(told.headers()["grpc-message"], "no%0A100 %25 %C3%BC");
            assert_eq!(told.headers()["retry-after"], "1");
            assert!(told.body().is_empty());
        }
    }

    #[test]
    fn what_speaks_grpc_already_says_what_it_says() {
        let own = told(answer(403, &[("grpc-status", "5"), ("content-type", "text/plain")], "x"), Some("y"));
        assert_eq!(status(own.headers()), Some(5));
        assert!(!own.headers().contains_key("grpc-message"));
        let whole = told(answer(200, &[("content-type", "application/grpc+proto")], "x"), None);
        assert_eq!(whole.body(), "x");
        assert!(!whole.headers().contains_key("grpc-status"));
    }

    #[test]
    fn a_long_message_is_cut_off_between_characters() {
        let long = encoded(&"ü".repeat(2000));
        assert_eq!(long.len(), MESSAGE * 3);
    }
}
