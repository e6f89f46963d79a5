//! Headers that end at this hop (RFC 9110 section 7.6.1).
//!
//! What a message's `Connection` names goes with them, and that is why this runs before anything trusted is added: a
//! client that sends `Connection: x-user` must not take away the `x-user` that an authorizer sets.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER},
};

/// Named by `Connection` or not, these stay: they frame and address the message, and the host alone decides on them.
const KEPT: [HeaderName; 2] = [CONTENT_LENGTH, HOST];

/// Removes the headers of this hop, and all that `Connection` names but `content-length` and `host`.
///
/// - `connection`, `keep-alive`, `proxy-connection`, `te`, `transfer-encoding`, `upgrade`: RFC 9110 section 7.6.1. The
///   message is framed anew for the next hop.
/// - `trailer`: it announces fields of a framing that is not passed on.
/// - `http2-settings`: belongs to an upgrade to h2c (RFC 7540 section 3.2.1), which is never made.
/// - `proxy-authorization`: credentials for a proxy (RFC 9110 section 11.7.2). The upstream is none, so it must not see
///   them.
/// - `proxy-authenticate`, `proxy-authentication-info`: a gateway acts as an origin server; a client that obeyed them
///   would send it the credentials for its proxy (section 11.7.1).
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let own: Vec<HeaderName> = headers.keys().filter(|name| is_hop_by_hop(name.as_str())).cloned().collect();
    if own.contains(&CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in own {
        headers.remove(name);
    }
}

/// The same for an answer over HTTP/2, where `Connection` is malformed (RFC 9113 section 8.2.2). Its trailers go on, and so
/// does what announces them.
pub(crate) fn strip_answer(headers: &mut HeaderMap) {
    let is_own = |name: &&HeaderName| is_hop_by_hop(name.as_str()) && *name != TRAILER;
    let own: Vec<HeaderName> = headers.keys().filter(is_own).cloned().collect();
    for name in own {
        headers.remove(name);
    }
}

/// Whether a message says that its sender takes trailers (RFC 9110 section 10.1.4).
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(TE).iter().any(|value| {
        value.as_bytes().split(|&byte| byte == b',').any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}

/// Whether a header always belongs to its hop.
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    match name.as_bytes()[0] {
        b'c' => name == "connection",
        b'h' => name == "http2-settings",
        b'k' => name == "keep-alive",
        b'p' => {
            matches!(
                name,
                "proxy-connection" | "proxy-authorization" | "proxy-authenticate" | "proxy-authentication-info"
            )
        }
        b't' => matches!(name, "te" | "trailer" | "transfer-encoding"),
        b'u' => name == "upgrade",
        _ => false,
    }
}

/// The headers that are there and that `Connection` names.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers.get_all(CONNECTION).iter().flat_map(options).filter(|name| headers.contains_key(name)).collect()
}

/// The headers that a value of `Connection` takes with it. What is no token names nothing.
pub(crate) fn options(connection: &HeaderValue) -> impl Iterator<Item = HeaderName> {
    let options = connection.as_bytes().split(|&byte| byte == b',');
    options.filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok()).filter(|name| !KEPT.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strips `name: value` pairs and tells which names are left.
    fn left(fields: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut headers);
        let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn headers_of_this_hop_go_without_being_named() {
        let hop = "keep-alive proxy-connection te trailer transfer-encoding upgrade \
            http2-settings proxy-authorization proxy-authenticate proxy-authentication-info";
        for name in hop.split(' ') {
            assert_eq!(left(&[(name, "x"), (name, "y"), ("accept", "x")]), ["accept"], "{name}");
        }
    }

    #[test]
    fn all_that_any_connection_field_names_goes() {
        let fields = [
            ("connection", " close , X-A,,"),
            ("connection", "\tx-b\t,x-c"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("x-b", "3"),
            ("x-c", "4"),
            ("x-d", "5"),
        ];
        assert_eq!(left(&fields), ["x-d"]);
    }

    #[test]
    fn what_frames_and_addresses_a_message_can_not_be_named_away() {
        let fields = [("connection", "content-length, Host, connection"), ("content-length", "3"), ("host", "a")];
        assert_eq!(left(&fields), ["content-length", "host"]);
    }

    #[test]
    fn an_option_that_is_no_token_names_nothing() {
        let fields = [("connection", "x a, \"x-a\", x-a;q=1, @, x-b"), ("x-a", "1"), ("x-b", "1")];
        assert_eq!(left(&fields), ["x-a"]);
    }

    #[test]
    fn without_such_headers_nothing_changes() {
        assert_eq!(
            left(&[("accept", "1"), ("te-x", "2"), ("x-connection", "close")]),
            ["accept", "te-x", "x-connection"]
        );
    }
}
