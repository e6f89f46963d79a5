//! What of a client's header section may pass, and what the gateway adds to it.
//!
//! The order is the invariant: first [`strip_hop_by_hop`], then [`strip_request`], then the plugins, and only then
//! [`add_forwarded`], [`add_via`] and the route's own headers. So nothing that a client names or sends can remove or
//! imitate what an upstream trusts. Nothing here knows routes or plugins.

mod authority;
mod client;
mod foreign;
mod forwarded;
mod hop;

pub(crate) use authority::authority;
pub(crate) use client::{client_address, is_trusted};
pub(crate) use foreign::strip_request;
pub(crate) use forwarded::add_forwarded;
pub(crate) use hop::strip_hop_by_hop;

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, Version, header::VIA};

/// The other end of a connection and what it asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'a> {
    /// The address of the connection's other end.
    pub(crate) peer: IpAddr,
    /// Whether `peer` is one of the trusted proxies: see [`is_trusted`].
    pub(crate) trusted: bool,
    /// Whether it reached the listener with TLS.
    pub(crate) https: bool,
    /// The canonical authority it asked for; empty when it named none.
    pub(crate) authority: &'a str,
}

/// Number of header fields, and bytes of their names and values together.
pub(crate) fn count_headers(headers: &HeaderMap) -> (usize, usize) {
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (headers.len(), bytes)
}

/// Tells that the message went through this gateway (RFC 9110 section 7.6.3). `version` is the one it came in with. An
/// empty pseudonym, or one that is no header value, adds nothing.
pub(crate) fn add_via(headers: &mut HeaderMap, version: Version, pseudonym: &str) {
    if pseudonym.is_empty() {
        return;
    }
    let protocol = match version {
        Version::HTTP_09 => "0.9 ",
        Version::HTTP_10 => "1.0 ",
        Version::HTTP_2 => "2.0 ",
        Version::HTTP_3 => "3.0 ",
        _ => "1.1 ",
    };
    if let Ok(value) = HeaderValue::try_from([protocol, pseudonym].concat()) {
        headers.append(VIA, value);
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, HOST};

    use super::*;

    #[test]
    fn every_field_counts_with_its_name_and_value() {
        let mut headers = HeaderMap::new();
        assert_eq!(count_headers(&headers), (0, 0));
        headers.append(ACCEPT, HeaderValue::from_static("a/b"));
        headers.append(ACCEPT, HeaderValue::from_static("c"));
        headers.append(HOST, HeaderValue::from_static(""));
        assert_eq!(count_headers(&headers), (3, 6 + 3 + 6 + 1 + 4));
    }

    #[test]
    fn via_is_added_behind_those_of_earlier_hops() {
        let mut headers = HeaderMap::new();
        headers.append(VIA, HeaderValue::from_static("1.0 fred"));
        add_via(&mut headers, Version::HTTP_11, "gatehouse");
        add_via(&mut headers, Version::HTTP_2, "gatehouse");
        add_via(&mut headers, Version::HTTP_2, "");
        add_via(&mut headers, Version::HTTP_2, "a\nb");
        let values: Vec<_> = headers.get_all(VIA).iter().collect();
        assert_eq!(values, ["1.0 fred", "1.1 gatehouse", "2.0 gatehouse"]);
    }
}
