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

/// What `Via` says of this gateway (RFC 9110 section 7.6.3), made once per configuration.
#[derive(Debug)]
pub(crate) struct Via {
    http10: HeaderValue,
    http11: HeaderValue,
    http2: HeaderValue,
}

impl Via {
    /// None when the pseudonym is empty or no header value: then nothing is said.
    pub(crate) fn new(pseudonym: &str) -> Option<Self> {
        let value = |protocol: &str| HeaderValue::try_from([protocol, pseudonym].concat()).ok();
        let via = Self { http10: value("1.0 ")?, http11: value("1.1 ")?, http2: value("2.0 ")? };
        (!pseudonym.is_empty()).then_some(via)
    }

    /// Tells that a message went through this gateway. `version` is the one it came in with.
    pub(crate) fn add(&self, headers: &mut HeaderMap, version: Version) {
        let value = match version {
            Version::HTTP_09 | Version::HTTP_10 => &self.http10,
            Version::HTTP_2 => &self.http2,
            _ => &self.http11,
        };
        headers.append(VIA, value.clone());
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
        let via = Via::new("gatehouse").expect("a pseudonym");
        via.add(&mut headers, Version::HTTP_11);
        via.add(&mut headers, Version::HTTP_2);
        assert!(Via::new("").is_none() && Via::new("a\nb").is_none());
        let values: Vec<_> = headers.get_all(VIA).iter().collect();
        assert_eq!(values, ["1.0 fred", "1.1 gatehouse", "2.0 gatehouse"]);
    }
}
