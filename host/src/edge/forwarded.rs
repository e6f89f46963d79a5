//! What the upstream is told about the client: `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` (RFC 7239).
//!
//! The chain of a trusted proxy is continued; for everyone else it begins here, whatever was sent.

use std::{borrow::Cow, net::IpAddr};

use http::{
    HeaderMap, HeaderValue,
    header::{FORWARDED, HOST, HeaderName},
};

use super::Client;
use crate::config;

pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Tells the upstream who asks, in the headers that `speaks` names.
///
/// The address is the peer's: each hop adds the one it sees. Protocol and host are those of the first hop, so a
/// trusted proxy's stay; `X-Forwarded-Host` is left out when the client named no host.
pub(crate) fn add_forwarded(headers: &mut HeaderMap, client: &Client<'_>, speaks: config::Forwarded) {
    if matches!(speaks, config::Forwarded::XForwarded | config::Forwarded::Both) {
        append(headers, client, X_FORWARDED_FOR, client.peer.to_canonical().to_string());
        set(headers, client, X_FORWARDED_PROTO, HeaderValue::from_static(protocol(client)));
        if let Some(host) = host(headers, client) {
            set(headers, client, X_FORWARDED_HOST, host);
        }
    }
    if matches!(speaks, config::Forwarded::Rfc7239 | config::Forwarded::Both) {
        append(headers, client, FORWARDED, element(client));
    }
}

/// The authority as a header value; mostly `Host` has it, and sharing is cheaper than a copy.
fn host(headers: &HeaderMap, client: &Client<'_>) -> Option<HeaderValue> {
    let there = headers.get(HOST).filter(|host| host.as_bytes() == client.authority.as_bytes()).cloned();
    there.or_else(|| HeaderValue::from_str(client.authority).ok()).filter(|host| !host.is_empty())
}

fn protocol(client: &Client<'_>) -> &'static str {
    if client.https { "https" } else { "http" }
}

/// Puts an entry behind those of a trusted proxy, all in one field, or in place of an untrusted client's.
fn append(headers: &mut HeaderMap, client: &Client<'_>, name: HeaderName, entry: String) {
    let value = if client.trusted && headers.contains_key(&name) {
        let chain = headers.get_all(&name).iter().map(HeaderValue::as_bytes).chain([entry.as_bytes()]);
        HeaderValue::from_maybe_shared(chain.collect::<Vec<_>>().join(&b", "[..]))
    } else {
        HeaderValue::try_from(entry)
    };
    headers.insert(name, value.expect("header values and an address make a header value"));
}

/// Sets a header, unless a trusted proxy has.
fn set(headers: &mut HeaderMap, client: &Client<'_>, name: HeaderName, value: HeaderValue) {
    if !(client.trusted && headers.contains_key(&name)) {
        headers.insert(name, value);
    }
}

/// An element of `Forwarded` (RFC 7239 section 4).
fn element(client: &Client<'_>) -> String {
    let node = match client.peer.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        // Brackets and colons are no token characters, so an IPv6 address is always quoted (section 6).
        IpAddr::V6(address) => format!("\"[{address}]\""),
    };
    let mut element = format!("for={node};proto={}", protocol(client));
    if !client.authority.is_empty() {
        element += ";host=";
        element += &quoted(client.authority);
    }
    element
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

    fn client(peer: &str, trusted: bool, authority: &'static str) -> Client<'static> {
        Client { peer: peer.parse().unwrap(), trusted, https: false, authority }
    }

    /// The headers as `name: value`, sorted.
    fn add(fields: &[(&'static str, &'static str)], client: &Client<'_>, speaks: config::Forwarded) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        add_forwarded(&mut headers, client, speaks);
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
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
        let client = Client { https: true, ..client("2001:DB8::1", false, "[::1]:8443") };
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
