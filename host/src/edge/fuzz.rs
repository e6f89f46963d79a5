//! What a client says of itself: one spelling of its authority, an address that it can not choose, and a header section
//! in which nothing stands that only the gateway may say.

use std::net::IpAddr;

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{CONNECTION, FORWARDED, HOST},
    uri,
};

use super::{
    Own, Survey, Via,
    authority::{Authorities, EdgeError, authority as ask},
    client_address,
    foreign::is_doubtful,
    is_hop_by_hop, is_trusted, options,
    own::X_FORWARDED_FOR,
    strip_hop_by_hop, strip_request,
};
use crate::{
    config::{Forwarded, Network},
    exchange::RequestId,
    fuzz::{
        Seen,
        text::{self, text, unescaped},
    },
};

/// A version, a target's authority (`-`: none), and the values of `Host`, each in its line.
pub(crate) fn authority(bytes: &[u8]) -> Seen {
    let text = text(bytes);
    let mut lines = text.split('\n');
    let version = version(lines.next().unwrap_or_default());
    let target: Option<uri::Authority> = lines.next().and_then(|target| target.parse().ok());
    let hosts: Vec<String> = lines.map(|line| format!("host: {line}")).collect();
    let headers = text::headers(hosts.iter().map(String::as_str));
    let asked = Authorities::of("http");
    let read = ask(&asked, target.as_ref(), &headers, version);
    assert_eq!(ask(&asked, target.as_ref(), &headers, version), read, "what is remembered is something else");
    if headers.len() > 1 {
        assert_eq!(read, Err(EdgeError::Several));
    }
    let Ok(read) = read else { return Seen::Refused };
    let (host, whole) = (read.host().to_owned(), read.into_text());
    if whole.is_empty() {
        assert!(version <= Version::HTTP_10 && target.is_none() && headers.is_empty());
        return Seen::Accepted;
    }
    assert!(version != Version::HTTP_11 || headers.len() == 1, "HTTP/1.1 names exactly one host");
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner {
        Some(address) => drop(address.parse::<std::net::Ipv6Addr>().expect("brackets hold an address")),
        None => {
            let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
            assert!(host.bytes().all(fits) && host.split('.').all(|label| !label.is_empty()), "{host:?}");
        }
    }
    match whole[host.len()..].strip_prefix(':') {
        Some(port) => assert!(port.parse::<u16>().is_ok_and(|number| number.to_string() == port && number != 80)),
        None => assert_eq!(host, *whole),
    }
    let mut again = HeaderMap::new();
    again.insert(HOST, HeaderValue::from_str(&whole).expect("an authority is a header value"));
    let again = ask(&Authorities::of("http"), None, &again, Version::HTTP_11).map(|read| read.into_text());
    assert_eq!(again, Ok(whole), "it is not final");
    Seen::Accepted
}

/// The peer, trusted networks, what the proxies speak, then header lines.
pub(crate) fn client(bytes: &[u8]) -> Seen {
    let text = text(bytes);
    let mut lines = text.split('\n');
    let Some(peer) = lines.next().and_then(|peer| peer.parse::<IpAddr>().ok()) else { return Seen::Refused };
    let trusted: Vec<Network> = lines.next().unwrap_or_default().split(',').filter_map(network).collect();
    let speaks = speaks(lines.next().unwrap_or_default());
    let headers = text::headers(lines);
    let address = client_address(peer, &headers, &trusted, speaks);
    let peer = peer.to_canonical();
    if !is_trusted(peer, &trusted) {
        assert_eq!(address, peer, "a client chose its address");
        return Seen::Refused;
    }
    assert_eq!(address, address.to_canonical());
    let seen = IpAddr::from([192, 0, 2, 77]);
    for chain in [X_FORWARDED_FOR, FORWARDED] {
        let entry = if chain == FORWARDED { "for=192.0.2.77;proto=http" } else { "192.0.2.77" };
        for told in told(&headers, &chain, entry) {
            let reads_x =
                speaks == Forwarded::XForwarded || speaks != Forwarded::Rfc7239 && told.contains_key(X_FORWARDED_FOR);
            if reads_x == (chain == X_FORWARDED_FOR) && !is_trusted(seen, &trusted) {
                let read = client_address(peer, &told, &trusted, speaks);
                assert_eq!(
                    read, seen,
                    "what a trusted proxy wrote on the right counts, whatever stands left of it: {told:?}"
                );
            }
        }
    }
    Seen::accepted(address != peer)
}

/// The two ways in which a proxy tells what it sees: at the end of the last field, and in a field of its own.
fn told(headers: &HeaderMap, chain: &HeaderName, entry: &str) -> Vec<HeaderMap> {
    let mut apart = headers.clone();
    apart.append(chain, HeaderValue::from_str(entry).expect("an entry is a value"));
    let mut values: Vec<Vec<u8>> = headers.get_all(chain).iter().map(|value| value.as_bytes().to_vec()).collect();
    let Some(last) = values.last_mut() else { return vec![apart] };
    last.extend_from_slice(b", ");
    last.extend_from_slice(entry.as_bytes());
    let mut joined = headers.clone();
    joined.remove(chain);
    for value in values {
        joined.append(chain, HeaderValue::from_bytes(&value).expect("a value and an entry are a value"));
    }
    vec![apart, joined]
}

/// `trusted` or not, what the proxies speak, and an authority in the first line; the names that the route sets in the second; then
/// header lines.
pub(crate) fn headers(bytes: &[u8]) -> Seen {
    let text = text(bytes);
    let mut lines = text.split('\n');
    let first: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let word = |at: usize| first.get(at).copied().unwrap_or_default();
    let (trusted, speaks) = (word(0) == "trusted", speaks(word(1)));
    let authority = spelled(word(2));
    let reserved = lines.next().unwrap_or_default().split(',').take(8);
    let reserved = reserved.filter_map(|name| name.parse().ok()).filter(|name: &HeaderName| !is_own(name));
    let mut reserved: Vec<HeaderName> = reserved.collect();
    reserved.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    reserved.dedup();
    let sent = text::headers(lines);
    let mut headers = sent.clone();
    let survey = Survey::of(&headers);
    strip(&mut headers, &survey, &reserved, trusted, speaks);
    let peer = IpAddr::from([198, 51, 100, 7]);
    let (id, via) = (RequestId::random(), Via::new("gw").expect("a pseudonym"));
    let value = Some(HeaderValue::from_static("alice"));
    let route: Vec<_> = reserved.iter().map(|name| (name, value.clone())).collect();
    let own = Own {
        peer,
        peer_text: "198.51.100.7",
        trusted,
        scheme: "http",
        host: &authority,
        authority: &authority,
        speaks,
        via: Some(&via),
        version: Version::HTTP_11,
        id: &id,
        route: &route,
    };
    let mut out = b"GET / HTTP/1.1\r\n".to_vec();
    own.write(&headers, &mut out);
    out.extend_from_slice(b"\r\n");
    let mut fields = vec![httparse::EMPTY_HEADER; sent.len() + reserved.len() + 16];
    let mut request = httparse::Request::new(&mut fields);
    assert_eq!(request.parse(&out), Ok(httparse::Status::Complete(out.len())), "{}", out.escape_ascii());
    let written = Written { fields: request.headers, trusted, speaks };
    written.own(&authority, id.as_str(), &reserved);
    written.others(&sent, &reserved);
    Seen::accepted(headers.len() == sent.len())
}

/// What `admit.rs` does; the survey knows when there is nothing to do.
fn strip(headers: &mut HeaderMap, survey: &Survey, reserved: &[HeaderName], trusted: bool, speaks: Forwarded) {
    let before = headers.clone();
    strip_hop_by_hop(headers);
    assert!(survey.hop_by_hop || *headers == before, "{before:?}");
    let before = headers.clone();
    strip_hop_by_hop(headers);
    assert_eq!(*headers, before);
    strip_request(headers, reserved, trusted, speaks);
    assert!(survey.doubtful || !reserved.is_empty() || *headers == before, "{before:?}");
}

/// A header section that leaves.
struct Written<'a> {
    fields: &'a [httparse::Header<'a>],
    trusted: bool,
    speaks: Forwarded,
}

impl Written<'_> {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        self.fields.iter().filter(|field| field.name == name).map(|field| field.value).collect()
    }

    /// What the gateway says stands there once, and nobody else says it.
    fn own(&self, authority: &str, id: &str, reserved: &[HeaderName]) {
        assert_eq!(self.values("host"), [authority.as_bytes()]);
        assert_eq!(self.values("x-request-id"), [id.as_bytes()]);
        assert_eq!(self.values("via").last(), Some(&&b"1.1 gw"[..]));
        assert!(self.values("content-length").is_empty());
        assert!(!self.fields.iter().any(|field| is_hop_by_hop(field.name)), "{:?}", self.fields);
        for name in reserved {
            assert_eq!(self.values(name.as_str()), [b"alice"], "{name}");
        }
        let spelled = |field: &&httparse::Header<'_>| field.name.replace('_', "-").starts_with("x-forwarded-");
        let forwarded: Vec<_> = self.fields.iter().filter(spelled).collect();
        let says_x = matches!(self.speaks, Forwarded::XForwarded | Forwarded::Both);
        if !self.trusted {
            let expected = if says_x { 2 + usize::from(!authority.is_empty()) } else { 0 };
            assert_eq!(forwarded.len(), expected, "{forwarded:?}");
        }
        let chain = self.values("x-forwarded-for");
        assert!(!says_x || chain.len() == 1 && chain[0].ends_with(b"198.51.100.7"), "{chain:?}");
        assert!(self.trusted || !says_x || chain[0] == b"198.51.100.7");
        let chain = self.values("forwarded");
        let says = matches!(self.speaks, Forwarded::Rfc7239 | Forwarded::Both);
        assert!(says || self.trusted || chain.is_empty(), "{chain:?}");
        assert!(!says || self.trusted || chain.len() == 1 && chain[0].starts_with(b"for=198.51.100.7;proto=http"));
    }

    /// What others said passes as it was, in its order, but for what has a reason to go.
    fn others(&self, sent: &HeaderMap, reserved: &[HeaderName]) {
        let named: Vec<HeaderName> = sent.get_all(CONNECTION).iter().flat_map(options).collect();
        let variable = |name: &str| name.replace('_', "-");
        let goes = |name: &HeaderName| {
            is_hop_by_hop(name.as_str())
                || is_doubtful(name.as_str())
                || is_own(name)
                || named.contains(name)
                || reserved.iter().any(|reserved| variable(reserved.as_str()) == variable(name.as_str()))
        };
        let white = |value: &[u8]| value.trim_ascii().to_vec();
        let expected: Vec<_> = sent.iter().filter(|(name, _)| !goes(name)).collect();
        let expected: Vec<_> = expected.iter().map(|(name, value)| (name.as_str(), white(value.as_bytes()))).collect();
        let passed = self.fields.iter().map(|field| (field.name, white(field.value)));
        let passed: Vec<_> = passed.filter(|(name, _)| expected.iter().any(|(other, _)| other == name)).collect();
        assert_eq!(passed.len(), expected.len(), "{:?} {sent:?}", self.fields);
        // Removing a header changes the order of others, but not of fields with one name.
        for (name, _) in &expected {
            let of = |all: &[(&str, Vec<u8>)]| -> Vec<Vec<u8>> {
                all.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
            };
            assert_eq!(of(&passed), of(&expected), "{name}");
        }
    }
}

fn is_own(name: &HeaderName) -> bool {
    let own = ["host", "content-length", "via", "x-request-id", "forwarded"];
    let variable = name.as_str().replace('_', "-");
    own.contains(&&*variable) || variable.starts_with("x-forwarded-") || is_hop_by_hop(name.as_str())
}

/// The canonical spelling of an authority; empty when it has none.
fn spelled(text: &str) -> String {
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::from_str(&unescaped(text)).ok().map(|value| (HOST, value)));
    let read = ask(&Authorities::of("http"), None, &headers, Version::HTTP_11);
    read.map(|read| read.into_text().to_string()).unwrap_or_default()
}

fn version(text: &str) -> Version {
    match text {
        "1.0" => Version::HTTP_10,
        "2" => Version::HTTP_2,
        _ => Version::HTTP_11,
    }
}

fn speaks(text: &str) -> Forwarded {
    match text {
        "rfc7239" => Forwarded::Rfc7239,
        "both" => Forwarded::Both,
        "off" => Forwarded::Off,
        _ => Forwarded::XForwarded,
    }
}

fn network(text: &str) -> Option<Network> {
    let (address, prefix) = text.trim().split_once('/')?;
    let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
    (prefix <= if address.is_ipv4() { 32 } else { 128 }).then_some(Network { address, prefix })
}
