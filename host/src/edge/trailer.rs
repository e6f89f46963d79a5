//! What of a trailer section may pass (RFC 9110 section 6.5.1): whoever merges trailers into the header section must not be
//! told by them where a message ends, who sent it, or what it is.

use http::{HeaderMap, HeaderName};

use super::{foreign::strip_request, hop::is_hop_by_hop};
use crate::config::Forwarded;

/// Removes the fields that never are trailers.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    let wrong: Vec<HeaderName> = trailers.keys().filter(|name| !may_trail(name.as_str())).cloned().collect();
    for name in wrong {
        trailers.remove(name);
    }
}

/// The same for those of a client, and what no client may say: it has no more say in its trailers than in its headers.
pub(crate) fn strip_request_trailers(trailers: &mut HeaderMap, reserved: &[HeaderName]) {
    strip_trailers(trailers);
    strip_request(trailers, reserved, false, Forwarded::Both);
}

fn may_trail(name: &str) -> bool {
    let framing = is_hop_by_hop(name) || matches!(name, "content-length" | "host" | "via");
    let modifier = name.starts_with("if-")
        || matches!(
            name,
            "cache-control" | "expect" | "max-forwards" | "pragma" | "range" | "age" | "expires" | "vary"
        );
    let identity = matches!(name, "authorization" | "www-authenticate" | "cookie" | "set-cookie");
    let content = matches!(name, "content-encoding" | "content-type" | "content-range" | "location");
    !(framing || modifier || identity || content || name.starts_with("proxy-"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn section(names: &[&'static str]) -> HeaderMap {
        names.iter().map(|&name| (HeaderName::from_static(name), HeaderValue::from_static("1"))).collect()
    }

    fn names(trailers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_frames_routes_or_authenticates_never_trails() {
        let mut trailers = section(&[
            "content-length",
            "transfer-encoding",
            "te",
            "trailer",
            "connection",
            "host",
            "authorization",
            "cookie",
            "set-cookie",
            "if-match",
            "content-type",
            "proxy-authorization",
            "grpc-status",
            "digest",
        ]);
        strip_trailers(&mut trailers);
        assert_eq!(names(&trailers), ["digest", "grpc-status"]);
    }

    #[test]
    fn a_client_s_trailers_say_nothing_that_its_headers_may_not() {
        let mut trailers = section(&["x-user", "x_user", "x-forwarded-for", "forwarded", "x-request-id", "x-end"]);
        strip_request_trailers(&mut trailers, &[HeaderName::from_static("x-user")]);
        assert_eq!(names(&trailers), ["x-end"]);
    }
}
