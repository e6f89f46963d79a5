//! Who the client is when it comes through proxies.
//!
//! A chain is read from its right end, where our own proxies wrote, and never beyond the first address that is not
//! one of them: whatever stands further left, the client may have written itself.

use std::net::{IpAddr, SocketAddr};

use http::{
    HeaderMap,
    header::{FORWARDED, HeaderName},
};

use super::own::X_FORWARDED_FOR;
use crate::config::{self, Network};

/// Whether an address is one of the trusted proxies.
pub(crate) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// The address of the client: the peer's or, when that is a trusted proxy, the right-most address of the chain that is
/// not one.
///
/// The chain is `X-Forwarded-For` or `Forwarded` (RFC 7239 section 4), the one that `speaks` names. With `Both` and
/// `Off` it is `X-Forwarded-For` if there is one. The other is not read: proxies that know only one pass on what a
/// client wrote into the other. An entry that is no address (`unknown`, `_hidden`, garbage) ends the reading at the
/// last good one.
pub(crate) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[Network],
    speaks: config::Forwarded,
) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let rfc7239 = match speaks {
        config::Forwarded::XForwarded => false,
        config::Forwarded::Rfc7239 => true,
        config::Forwarded::Both | config::Forwarded::Off => !headers.contains_key(&X_FORWARDED_FOR),
    };
    if rfc7239 {
        walk(peer, headers, &FORWARDED, forwarded_for, trusted)
    } else {
        walk(peer, headers, &X_FORWARDED_FOR, address, trusted)
    }
}

/// Goes through the entries of a chain from the right.
///
/// An entry is cut out at commas without regard to quotes: no proxy writes a comma inside them, and so a client's open
/// quote on the left can not swallow what a proxy wrote on the right.
fn walk(
    peer: IpAddr,
    headers: &HeaderMap,
    chain: &HeaderName,
    read: fn(&str) -> Option<IpAddr>,
    trusted: &[Network],
) -> IpAddr {
    let mut client = peer;
    for field in headers.get_all(chain).iter().rev() {
        for entry in field.as_bytes().rsplit(|&byte| byte == b',') {
            // What is not UTF-8 is no address; only its own entry is none.
            let entry = std::str::from_utf8(entry.trim_ascii()).ok();
            let Some(address) = entry.and_then(read) else { return client };
            client = address;
            if !is_trusted(client, trusted) {
                return client;
            }
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// The `for` of an element of `Forwarded`; none if the element is malformed, has two, or escapes something: what
/// proxies write needs no escapes, and without them a string ends at the next quote.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    if element.contains('\\') {
        return None;
    }
    let mut found = None;
    let mut rest = element;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(';').unwrap_or(after.len())),
        };
        if name.trim_ascii().eq_ignore_ascii_case("for") && found.replace(address(value.trim_ascii())?).is_some() {
            return None;
        }
        match after.trim_ascii() {
            "" => return found,
            more => rest = more.strip_prefix(';')?,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Trusts `10.0.0.0/8` and `fd00::/8`; the peer is `10.0.0.1` unless told.
    fn client(speaks: config::Forwarded, fields: &[(&'static str, &'static str)]) -> String {
        client_of("10.0.0.1", speaks, fields)
    }

    fn client_of(peer: &str, speaks: config::Forwarded, fields: &[(&'static str, &'static str)]) -> String {
        let networks = [("10.0.0.0", 8), ("fd00::", 8)]
            .map(|(address, prefix)| Network { address: address.parse().unwrap(), prefix });
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        client_address(peer.parse().unwrap(), &headers, &networks, speaks).to_string()
    }

    use config::Forwarded::{Both, Off, Rfc7239, XForwarded};

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        let fields = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")];
        for speaks in [XForwarded, Rfc7239, Both, Off] {
            assert_eq!(client_of("192.0.2.9", speaks, &fields), "192.0.2.9");
        }
        assert_eq!(client_of("::ffff:192.0.2.9", XForwarded, &fields), "192.0.2.9");
    }

    #[test]
    fn the_right_most_untrusted_address_is_the_client() {
        let x = |value| client(XForwarded, &[("x-forwarded-for", value)]);
        assert_eq!(x("9.9.9.9, 192.0.2.1"), "192.0.2.1");
        assert_eq!(x("9.9.9.9, 192.0.2.1 ,10.1.1.1,\t10.2.2.2"), "192.0.2.1");
        assert_eq!(x("10.9.9.9, 10.1.1.1"), "10.9.9.9");
        assert_eq!(x("192.0.2.1:4711"), "192.0.2.1");
        assert_eq!(x("2001:db8::1, [fd00::1]:80, [fd00::2]"), "2001:db8::1");
        assert_eq!(x("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(
            client(XForwarded, &[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-for", "192.0.2.1,10.1.1.1")]),
            "192.0.2.1"
        );
        assert_eq!(client_of("::ffff:10.0.0.1", XForwarded, &[("x-forwarded-for", "192.0.2.1")]), "192.0.2.1");
    }

    #[test]
    fn a_malformed_entry_ends_the_reading_at_the_last_good_one() {
        let x = |value| client(XForwarded, &[("x-forwarded-for", value)]);
        for value in
            ["", "unknown", "9.9.9.9,", "9.9.9.9, 300.1.1.1", "a b", "9.9.9.9 8.8.8.8", "fe80::1%eth0", "[1.2.3.4]"]
        {
            assert_eq!(x(value), "10.0.0.1", "{value}");
        }
        assert_eq!(x("9.9.9.9, unknown, 10.1.1.1"), "10.1.1.1");
        assert_eq!(client(XForwarded, &[]), "10.0.0.1");
    }

    #[test]
    fn bytes_of_a_client_can_not_spoil_what_a_proxy_wrote_behind_them() {
        let peer = "10.0.0.1".parse().unwrap();
        let networks = [Network { address: "10.0.0.0".parse().unwrap(), prefix: 8 }];
        for (name, value) in [(X_FORWARDED_FOR, &b"\xff\t\xe9, 192.0.2.1"[..]), (FORWARDED, b"for=\xff, for=192.0.2.1")]
        {
            let speaks = if name == FORWARDED { Rfc7239 } else { XForwarded };
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_bytes(value).unwrap())]);
            assert_eq!(client_address(peer, &headers, &networks, speaks).to_string(), "192.0.2.1");
        }
    }

    #[test]
    fn forwarded_is_read_with_its_quotes_and_brackets() {
        let f = |value| client(Rfc7239, &[("forwarded", value)]);
        assert_eq!(f("for=9.9.9.9, for=192.0.2.1;proto=http;by=10.0.0.1"), "192.0.2.1");
        assert_eq!(f("For=\"[2001:db8::1]:4711\" ; host=\"a:80\" , proto=http;FOR=10.1.1.1"), "2001:db8::1");
        for value in [
            "for=unknown",
            "for=_x",
            "proto=http",
            "for=\"9.9.9.9",
            "for=9.9.9.9;for=8.8.8.8",
            "for",
            "for=9.9.9.9 x",
            "",
        ] {
            assert_eq!(f(value), "10.0.0.1", "{value}");
        }
    }

    #[test]
    fn a_quote_can_not_smuggle_an_address_into_an_element() {
        let f = |value| client(Rfc7239, &[("forwarded", value)]);
        assert_eq!(f("for=9.9.9.9;x=\", for=192.0.2.1"), "192.0.2.1");
        assert_eq!(f("host=\"a;for=9.9.9.9;b\";for=192.0.2.1"), "192.0.2.1");
        assert_eq!(f("host=\"a,for=9.9.9.9,b\";for=192.0.2.1"), "10.0.0.1");
        assert_eq!(f("host=\"a\\\";for=9.9.9.9;b=\\\"\""), "10.0.0.1");
    }

    #[test]
    fn only_the_chain_that_the_proxies_speak_is_believed() {
        let fields = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.2")];
        assert_eq!(client(XForwarded, &fields), "192.0.2.1");
        assert_eq!(client(Rfc7239, &fields), "192.0.2.2");
        assert_eq!(client(Both, &fields), "192.0.2.1");
        assert_eq!(client(Off, &fields), "192.0.2.1");
        assert_eq!(client(XForwarded, &fields[1..]), "10.0.0.1");
        assert_eq!(client(Both, &fields[1..]), "192.0.2.2");
    }
}
