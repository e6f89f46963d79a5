//! The one canonical authority of a request.
//!
//! Routing, plugins and the upstream see the same text; two readings of "which host" are a way around a rule, and a
//! way into other people's caches. What is doubtful is refused with 400, never guessed.

use std::{
    cell::RefCell,
    fmt::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use http::{HeaderMap, HeaderValue, Version, header::HOST, uri};

/// The longest host name, in bytes (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 255;

/// Why a request has no authority. The message is fit for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EdgeError {
    /// No `Host` where there must be one.
    #[error("the request names no host")]
    Missing,
    /// More than one `Host`.
    #[error("the request has more than one Host header")]
    Several,
    /// Empty, or not a host with an optional port.
    #[error("the host is malformed")]
    Malformed,
    /// `user@host`.
    #[error("the host has user information")]
    UserInfo,
    /// `:authority` and `Host` differ.
    #[error("the request names two hosts")]
    Disagree,
}

/// Which host and port a client asked for: lower case, without a dot at the end, without the default port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    text: Arc<str>,
    host: usize,
}

/// The authorities that one client asks for. It mostly asks for one, again and again: the last is remembered.
#[derive(Debug)]
pub(crate) struct Authorities {
    default_port: u16,
    last: RefCell<Option<(Box<[u8]>, Authority)>>,
}

impl Authorities {
    /// The port is left out of an authority that the scheme implies (RFC 9110 section 4.2).
    pub(crate) fn of(scheme: &str) -> Self {
        Self { default_port: if scheme == "https" { 443 } else { 80 }, last: RefCell::default() }
    }

    fn parse(&self, text: &[u8]) -> Result<Authority, EdgeError> {
        if let Some((known, authority)) = &*self.last.borrow()
            && **known == *text
        {
            return Ok(authority.clone());
        }
        let authority = Authority::parse(text, self.default_port)?;
        *self.last.borrow_mut() = Some((text.into(), authority.clone()));
        Ok(authority)
    }
}

impl Authority {
    /// The host without its port; an IPv6 address keeps its brackets.
    pub(crate) fn host(&self) -> &str {
        &self.text[..self.host]
    }

    /// The text alone, without a copy.
    pub(crate) fn into_text(self) -> Arc<str> {
        self.text
    }

    fn parse(text: &[u8], default_port: u16) -> Result<Self, EdgeError> {
        if text.contains(&b'@') {
            return Err(EdgeError::UserInfo);
        }
        let text = std::str::from_utf8(text).map_err(|_| EdgeError::Malformed)?;
        let (mut text, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(EdgeError::Malformed)?;
                (
                    ipv6(address)?,
                    if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(EdgeError::Malformed)?) },
                )
            }
            None => {
                let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
                (host_name(name)?, port)
            }
        };
        let host = text.len();
        if let Some(port) = port.map(self::port).transpose()?.flatten().filter(|port| *port != default_port) {
            // Writing to a string can not fail.
            let _ = write!(text, ":{port}");
        }
        Ok(Self { text: text.into(), host })
    }
}

/// The authority of a request; `target` is the one in its target (absolute form, `:authority`).
///
/// - HTTP/1.1 has exactly one well-formed `Host` (RFC 9112 section 3.2); the target's authority wins over it (section
///   3.2.2).
/// - HTTP/2 has `:authority` or `Host`; both must agree (RFC 9113 section 8.3.1).
/// - HTTP/1.0 may name none; then the authority is empty and matches only routes without a host.
pub(crate) fn authority(
    asked: &Authorities,
    target: Option<&uri::Authority>,
    headers: &HeaderMap,
    version: Version,
) -> Result<Authority, EdgeError> {
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next().map(HeaderValue::as_bytes);
    if fields.next().is_some() {
        return Err(EdgeError::Several);
    }
    let target = target.map(|target| asked.parse(target.as_str().as_bytes())).transpose()?;
    let field = field.map(|field| asked.parse(field)).transpose()?;
    match (target, field) {
        (None, None) if version <= Version::HTTP_10 => Ok(Authority { text: Arc::default(), host: 0 }),
        (None, None) => Err(EdgeError::Missing),
        (Some(_), None) if version == Version::HTTP_11 => Err(EdgeError::Missing),
        (Some(target), Some(field)) if version >= Version::HTTP_2 && target != field => Err(EdgeError::Disagree),
        (Some(authority), _) | (None, Some(authority)) => Ok(authority),
    }
}

/// Labels of letters, digits, `-` and `_`. Other characters of RFC 3986's `reg-name` are in no name that resolves.
fn host_name(name: &str) -> Result<String, EdgeError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut previous = b'.';
    for byte in name.bytes() {
        let fits =
            matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_') || byte == b'.' && previous != b'.';
        if !fits {
            return Err(EdgeError::Malformed);
        }
        previous = byte;
    }
    if previous == b'.' || name.len() > MAX_HOST || is_odd_ipv4(name) {
        return Err(EdgeError::Malformed);
    }
    Ok(name.to_ascii_lowercase())
}

/// Whether a name ends in a number without being an IPv4 address: some take `127.1` and `0x7f.1` for addresses (URL
/// standard, section 3.5).
fn is_odd_ipv4(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let number = match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    number && name.parse::<Ipv4Addr>().is_err()
}

fn ipv6(address: &str) -> Result<String, EdgeError> {
    let address: Ipv6Addr = address.parse().map_err(|_| EdgeError::Malformed)?;
    Ok(format!("[{address}]"))
}

/// A port that is not the default one. `example.com:` has none (RFC 3986 section 6.2.3).
fn port(text: &str) -> Result<Option<u16>, EdgeError> {
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EdgeError::Malformed);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(EdgeError::Malformed),
        Ok(port) => Ok(Some(port)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ask(target: Option<&str>, hosts: &[&str], version: Version) -> Result<String, EdgeError> {
        let target = target.map(|target| target.parse().unwrap());
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        authority(&Authorities::of("http"), target.as_ref(), &headers, version).map(|it| it.into_text().to_string())
    }

    #[test]
    fn a_host_has_one_spelling() {
        for (host, expected) in [
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            ("example.com:80", "example.com"),
            ("example.com.:0080", "example.com"),
            ("example.com:", "example.com"),
            ("example.com:08080", "example.com:8080"),
            ("a_b.x-y:443", "a_b.x-y:443"),
            ("127.0.0.1:81", "127.0.0.1:81"),
            ("[2001:DB8:0::1]:80", "[2001:db8::1]"),
            ("[::1]:8080", "[::1]:8080"),
            ("[::1]:", "[::1]"),
        ] {
            assert_eq!(ask(None, &[host], Version::HTTP_11).as_deref(), Ok(expected), "{host}");
        }
    }

    #[test]
    fn the_port_that_is_left_out_is_that_of_the_scheme() {
        let read = |scheme, text: &str| Authorities::of(scheme).parse(text.as_bytes()).unwrap().into_text();
        assert_eq!([read("https", "a:443"), read("https", "a:80")].map(|text| text.to_string()), ["a", "a:80"]);
        assert_eq!([read("http", "a:443"), read("http", "a:80")].map(|text| text.to_string()), ["a:443", "a"]);
    }

    #[test]
    fn the_host_is_to_be_had_without_its_port() {
        for (text, host) in [("a.b:8080", "a.b"), ("a.b:80", "a.b"), ("[::1]:1", "[::1]")] {
            assert_eq!(Authority::parse(text.as_bytes(), 80).unwrap().host(), host);
        }
    }

    #[test]
    fn what_is_remembered_is_what_would_be_read() {
        let asked = Authorities::of("http");
        for text in ["A.b", "A.b", "a.b:80", "a..b", "A.b", "a@b", "c"] {
            assert_eq!(asked.parse(text.as_bytes()), Authority::parse(text.as_bytes(), 80), "{text}");
        }
    }

    #[test]
    fn a_malformed_host_is_refused() {
        let long = "a".repeat(256);
        let short = ". .. :80 a..b .a a,b a/b a\\b a%62 é a:b a:1:2 a:0 a:65536 a:+1 \
            [::1 [::1]x [a] [::1%25eth0] ::1 127.1 0x7f.1 2130706433 1.2.3.4.5 01.2.3.4 a..";
        for host in short.split(' ').chain(["", "a b", &long]) {
            assert_eq!(ask(None, &[host], Version::HTTP_11), Err(EdgeError::Malformed), "{host}");
        }
        assert_eq!(ask(None, &["u:p@a"], Version::HTTP_11), Err(EdgeError::UserInfo));
        assert_eq!(ask(Some("u@a"), &["a"], Version::HTTP_11), Err(EdgeError::UserInfo));
    }

    #[test]
    fn http_1_1_has_exactly_one_host() {
        assert_eq!(ask(None, &[], Version::HTTP_11), Err(EdgeError::Missing));
        assert_eq!(ask(Some("a"), &[], Version::HTTP_11), Err(EdgeError::Missing));
        assert_eq!(ask(None, &["a", "a"], Version::HTTP_11), Err(EdgeError::Several));
        assert_eq!(ask(Some("a"), &["b"], Version::HTTP_11).as_deref(), Ok("a"));
        assert_eq!(ask(Some("a"), &["b@c"], Version::HTTP_11), Err(EdgeError::UserInfo));
    }

    #[test]
    fn http_2_names_must_agree() {
        assert_eq!(ask(Some("A:80"), &["a."], Version::HTTP_2).as_deref(), Ok("a"));
        assert_eq!(ask(Some("a"), &[], Version::HTTP_2).as_deref(), Ok("a"));
        assert_eq!(ask(None, &["a"], Version::HTTP_2).as_deref(), Ok("a"));
        assert_eq!(ask(Some("a"), &["b"], Version::HTTP_2), Err(EdgeError::Disagree));
        assert_eq!(ask(Some("a"), &["a", "b"], Version::HTTP_2), Err(EdgeError::Several));
        assert_eq!(ask(None, &[], Version::HTTP_2), Err(EdgeError::Missing));
    }

    #[test]
    fn http_1_0_may_name_no_host() {
        assert_eq!(ask(None, &[], Version::HTTP_10).as_deref(), Ok(""));
        assert_eq!(ask(Some("a"), &[], Version::HTTP_10).as_deref(), Ok("a"));
        assert_eq!(ask(None, &["a", "b"], Version::HTTP_10), Err(EdgeError::Several));
    }
}
