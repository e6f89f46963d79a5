//! What the upstream is told by the gateway itself: about the client `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded`
//! (RFC 7239), about the way `Via`, and what the route sets.
//!
//! The chain of a trusted proxy is continued; for everyone else it begins here, whatever was sent.

use std::{borrow::Cow, net::IpAddr};

use http::{
    HeaderMap, HeaderValue, Version,
    header::{CONTENT_LENGTH, FORWARDED, HOST, HeaderName, VIA},
};

use super::{Fields, Via};
use crate::{config, exchange::RequestId};

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REQUEST_ID: &str = "x-request-id";

/// What the gateway says itself in a request that leaves. It stands in place of fields of the same names, so that nobody
/// can unsay it, and is written as bytes at once: putting it into a map first takes twice the instructions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own<'a> {
    /// The address of the connection's other end, and how it is written.
    pub(crate) peer: IpAddr,
    pub(crate) peer_text: &'a str,
    /// Whether it is one of the trusted proxies: see [`is_trusted`](super::is_trusted).
    pub(crate) trusted: bool,
    /// How it reached the listener.
    pub(crate) scheme: &'static str,
    /// What the upstream gets as `Host`.
    pub(crate) host: &'a str,
    /// The canonical authority it asked for; empty when it named none.
    pub(crate) authority: &'a str,
    /// Which headers tell about the client.
    pub(crate) speaks: config::Forwarded,
    /// What is said of the gateway, and the version that the request came in with.
    pub(crate) via: Option<&'a Via>,
    pub(crate) version: Version,
    pub(crate) id: &'a RequestId,
    /// The route's: without a value, the header is only removed.
    pub(crate) route: &'a [(&'a HeaderName, Option<HeaderValue>)],
}

impl Own<'_> {
    /// Writes the header section of a request but for its framing: first what others said, then this.
    ///
    /// The address is the peer's: each hop adds the one it sees. Protocol and host are those of the first hop, so a
    /// trusted proxy's stay; `X-Forwarded-Host` is left out when the client named no host.
    pub(crate) fn write(&self, headers: &HeaderMap, out: &mut impl Fields) {
        out.put("host", self.host.as_bytes());
        for (name, value) in headers {
            if !self.replaces(name) {
                out.put(name.as_str(), value.as_bytes());
            }
        }
        if self.speaks_x_forwarded() {
            self.append(headers, &X_FORWARDED_FOR, self.peer_text, out);
            if !self.keeps(headers, &X_FORWARDED_PROTO) {
                out.put(X_FORWARDED_PROTO.as_str(), self.scheme.as_bytes());
            }
            if !self.authority.is_empty() && !self.keeps(headers, &X_FORWARDED_HOST) {
                out.put(X_FORWARDED_HOST.as_str(), self.authority.as_bytes());
            }
        }
        if self.speaks_rfc7239() {
            self.append(headers, &FORWARDED, &self.element(), out);
        }
        if let Some(via) = self.via {
            out.put(VIA.as_str(), via.value(self.version).as_bytes());
        }
        out.put(X_REQUEST_ID, self.id.as_str().as_bytes());
        for (name, value) in self.route {
            if let Some(value) = value {
                out.put(name.as_str(), value.as_bytes());
            }
        }
    }

    /// Whether a field of that name gives way. A length does too: the body alone tells it.
    fn replaces(&self, name: &HeaderName) -> bool {
        let own = match name.as_str().as_bytes()[0] {
            b'c' => name == CONTENT_LENGTH,
            b'f' => name == FORWARDED && self.speaks_rfc7239(),
            b'h' => name == HOST,
            b'x' => {
                let x_forwarded = self.speaks_x_forwarded()
                    && (name == X_FORWARDED_FOR
                        || !self.trusted && name == X_FORWARDED_PROTO
                        || !self.trusted && name == X_FORWARDED_HOST && !self.authority.is_empty());
                x_forwarded || name.as_str() == X_REQUEST_ID
            }
            _ => false,
        };
        own || self.route.iter().any(|(reserved, _)| *reserved == name)
    }

    fn speaks_x_forwarded(&self) -> bool {
        matches!(self.speaks, config::Forwarded::XForwarded | config::Forwarded::Both)
    }

    fn speaks_rfc7239(&self) -> bool {
        matches!(self.speaks, config::Forwarded::Rfc7239 | config::Forwarded::Both)
    }

    /// Whether a trusted proxy has said it.
    fn keeps(&self, headers: &HeaderMap, name: &HeaderName) -> bool {
        self.trusted && headers.contains_key(name)
    }

    /// Puts an entry behind those of a trusted proxy, all in one field, or in place of an untrusted client's.
    fn append(&self, headers: &HeaderMap, name: &HeaderName, entry: &str, out: &mut impl Fields) {
        if !self.keeps(headers, name) {
            return out.put(name.as_str(), entry.as_bytes());
        }
        let chain = headers.get_all(name).iter().map(HeaderValue::as_bytes).chain([entry.as_bytes()]);
        out.put(name.as_str(), &chain.collect::<Vec<_>>().join(&b", "[..]));
    }

    /// An element of `Forwarded` (RFC 7239 section 4).
    fn element(&self) -> String {
        let node = match self.peer {
            IpAddr::V4(_) => self.peer_text.to_owned(),
            // Brackets and colons are no token characters, so an IPv6 address is always quoted (section 6).
            IpAddr::V6(_) => format!("\"[{}]\"", self.peer_text),
        };
        let mut element = format!("for={node};proto={}", self.scheme);
        if !self.authority.is_empty() {
            element += ";host=";
            element += &quoted(self.authority);
        }
        element
    }
}

/// A value as a token or, where it has other characters, as a quoted string (RFC 9110 section 5.6.4).
fn quoted(value: &str) -> Cow<'_, str> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if value.bytes().all(is_token) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use config::Forwarded::{Both, Off, Rfc7239, XForwarded};

    use super::*;

    struct Client {
        peer: IpAddr,
        trusted: bool,
        scheme: &'static str,
        authority: &'static str,
    }

    fn client(peer: &str, trusted: bool, authority: &'static str) -> Client {
        let peer: IpAddr = peer.parse().unwrap();
        Client { peer: peer.to_canonical(), trusted, scheme: "http", authority }
    }

    /// The header section that leaves, with a `Via` and a header of the route.
    fn all(fields: &[(&'static str, &'static str)], client: &Client, speaks: config::Forwarded) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        let id = RequestId::random();
        let (set, gone) = (HeaderName::from_static("x-user"), HeaderName::from_static("x-gone"));
        let own = Own {
            peer: client.peer,
            peer_text: &client.peer.to_string(),
            trusted: client.trusted,
            scheme: client.scheme,
            host: client.authority,
            authority: client.authority,
            speaks,
            via: Some(&Via::new("gw").unwrap()),
            version: Version::HTTP_11,
            id: &id,
            route: &[(&set, Some(HeaderValue::from_static("alice"))), (&gone, None)],
        };
        let mut out = Vec::new();
        own.write(&headers, &mut out);
        let text = String::from_utf8(out).unwrap().replace(id.as_str(), "ID");
        assert!(text.is_empty() || text.ends_with("\r\n"));
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Of that, what tells about the client.
    fn add(fields: &[(&'static str, &'static str)], client: &Client, speaks: config::Forwarded) -> Vec<String> {
        let mut lines = all(fields, client, speaks);
        lines.retain(|line| line.starts_with("x-forwarded-") || line.starts_with("forwarded"));
        lines
    }

    #[test]
    fn what_the_gateway_says_stands_in_place_of_what_others_said() {
        let fields = [
            ("host", "other"),
            ("content-length", "5"),
            ("x-request-id", "mine"),
            ("via", "1.0 fred"),
            ("x-user", "root"),
            ("x-user", "admin"),
            ("x-gone", "1"),
            ("accept", "a"),
            ("accept", "b"),
        ];
        let expected = [
            "accept: a",
            "accept: b",
            "host: a.example",
            "via: 1.0 fred",
            "via: 1.1 gw",
            "x-request-id: ID",
            "x-user: alice",
        ];
        assert_eq!(all(&fields, &client("192.0.2.1", false, "a.example"), Off), expected);
    }

    #[test]
    fn an_untrusted_client_begins_the_chain() {
        let client = client("::ffff:192.0.2.1", false, "a.example:8080");
        let fields = [("x-forwarded-for", "9.9.9.9"), ("x-forwarded-proto", "https"), ("forwarded", "for=9.9.9.9")];
        let expected = [
            "forwarded: for=192.0.2.1;proto=http;host=\"a.example:8080\"",
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-host: a.example:8080",
            "x-forwarded-proto: http",
        ];
        assert_eq!(add(&fields, &client, Both), expected);
    }

    #[test]
    fn the_chain_of_a_trusted_proxy_goes_on() {
        let client = client("10.0.0.1", true, "inner");
        let fields = [
            ("x-forwarded-for", "9.9.9.9, 192.0.2.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "outer"),
            ("forwarded", "for=192.0.2.1;proto=https"),
        ];
        let expected = [
            "forwarded: for=192.0.2.1;proto=https, for=10.0.0.1;proto=http;host=inner",
            "x-forwarded-for: 9.9.9.9, 192.0.2.1, 10.0.0.2, 10.0.0.1",
            "x-forwarded-host: outer",
            "x-forwarded-proto: https",
        ];
        assert_eq!(add(&fields, &client, Both), expected);
        assert_eq!(
            add(&[], &client, XForwarded),
            ["x-forwarded-for: 10.0.0.1", "x-forwarded-host: inner", "x-forwarded-proto: http"]
        );
    }

    #[test]
    fn an_ipv6_address_is_bare_in_one_header_and_quoted_in_the_other() {
        let client = Client { scheme: "https", ..client("2001:DB8::1", false, "[::1]:8443") };
        assert_eq!(add(&[], &client, Rfc7239), ["forwarded: for=\"[2001:db8::1]\";proto=https;host=\"[::1]:8443\""]);
        assert_eq!(add(&[], &client, XForwarded)[0], "x-forwarded-for: 2001:db8::1");
    }

    #[test]
    fn only_what_the_configuration_names_is_added() {
        let client = client("192.0.2.1", false, "");
        assert!(add(&[], &client, Off).is_empty());
        assert_eq!(add(&[], &client, Rfc7239), ["forwarded: for=192.0.2.1;proto=http"]);
        assert_eq!(add(&[], &client, XForwarded), ["x-forwarded-for: 192.0.2.1", "x-forwarded-proto: http"]);
    }

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        assert_eq!(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
    }
}
