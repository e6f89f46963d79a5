//! What of a client's header section may pass, and what the gateway adds to it.
//!
//! The order is the invariant: first [`strip_hop_by_hop`], then [`strip_request`], then the plugins, and only then
//! [`Own`], what the gateway and the route say themselves. So nothing that a client names or sends can remove or
//! imitate what an upstream trusts. Nothing here knows routes or plugins.

mod authority;
mod client;
mod foreign;
pub(crate) mod fuzz;
mod hop;
mod own;
mod survey;
mod trailer;

pub(crate) use authority::{Authorities, authority};
pub(crate) use client::{client_address, is_trusted};
pub(crate) use foreign::strip_request;
pub(crate) use hop::{is_hop_by_hop, options, strip_answer, strip_hop_by_hop, takes_trailers};
pub(crate) use own::Own;
pub(crate) use survey::{Survey, is_grpc};
pub(crate) use trailer::{strip_request_trailers, strip_trailers};

use http::{HeaderMap, HeaderName, HeaderValue, Version, header::VIA};

/// Where header fields are put.
pub(crate) trait Fields {
    /// Puts one behind those that are there.
    fn put(&mut self, name: &str, value: &[u8]);
}

/// As HTTP/1.1 has them.
impl Fields for Vec<u8> {
    fn put(&mut self, name: &str, value: &[u8]) {
        write_field(self, name, value);
    }
}

/// What is no field of HTTP is left out.
impl Fields for HeaderMap {
    fn put(&mut self, name: &str, value: &[u8]) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            self.append(name, value);
        }
    }
}

/// Writes a header field as HTTP/1.1 has it.
pub(crate) fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
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
        headers.append(VIA, self.value(version).clone());
    }

    fn value(&self, version: Version) -> &HeaderValue {
        match version {
            Version::HTTP_09 | Version::HTTP_10 => &self.http10,
            Version::HTTP_2 => &self.http2,
            _ => &self.http11,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
