//! Addresses, networks, host names and URLs. Only their form: nothing is resolved here.
//!
//! Messages never repeat a value that may have come from the environment: it may be a secret.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
};

use crate::config::{
    Network,
    problem::{Problem, quoted},
    value::Node,
};

/// What all URLs here consist of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) https: bool,
    /// Lower case; IPv6 in brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// `127.0.0.1:8080`, `[::]:8080`.
pub(super) fn socket(node: Node<'_>) -> Result<SocketAddr, Problem> {
    let text = node.expanded()?;
    text.parse().map_err(|_| {
        let help = match text.as_ref() {
            t if t.contains("://") => "leave the scheme out: `0.0.0.0:8080`".to_owned(),
            t if t.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) => "write `[ADDRESS]:PORT`".to_owned(),
            t if t.parse::<IpAddr>().is_ok() => "add a port, as in `0.0.0.0:8080`".to_owned(),
            t if t.starts_with(':') => "write `0.0.0.0:PORT` or `[::]:PORT` for all interfaces".to_owned(),
            t if t.starts_with("localhost:") => "not a name: write `127.0.0.1:PORT`".to_owned(),
            _ => "an IP address and a port, as in `127.0.0.1:8080` or `[::]:8080`".to_owned(),
        };
        node.problem(format!("`{}` is not an address to listen on", node.name)).help(help)
    })
}

/// `10.0.0.0/8`, or a single address.
pub(super) fn network(node: Node<'_>) -> Result<Network, Problem> {
    let text = node.text()?;
    let bad = |help: &str| node.problem(format!("{} is not a network", quoted(text))).help(help);
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| bad("write `10.0.0.0/8`, `fd00::/8` or a single address"))?;
    let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => bits,
        Some(digits) => {
            let prefix = digits.parse().ok().filter(|prefix| *prefix <= bits);
            prefix.ok_or_else(|| bad(&format!("the prefix is a number from 0 to {bits}")))?
        }
    };
    let first = first_address(address, prefix);
    if first != address {
        return Err(bad(&format!("it has bits after its prefix; did you mean `{first}/{prefix}`?")));
    }
    // A peer mapped into IPv6 is compared as IPv4, so a mapped network has to be one of IPv4 too.
    match (address.to_canonical(), prefix.checked_sub(96)) {
        (IpAddr::V4(address), Some(prefix)) if bits == 128 => Ok(Network { address: address.into(), prefix }),
        _ => Ok(Network { address, prefix }),
    }
}

fn first_address(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(a) => Ipv4Addr::from(a.to_bits() & u32::MAX.checked_shl(32 - prefix).unwrap_or(0)).into(),
        IpAddr::V6(a) => Ipv6Addr::from(a.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)).into(),
    }
}

/// `SCHEME://HOST[:PORT]` and nothing more. A problem's range is within `text`.
pub(super) fn url(text: &str, wildcard: bool) -> Result<Url, Problem> {
    let all = 0..text.len();
    let (https, start) = match text.split_once("://") {
        Some(("http", _)) => (false, 7),
        Some(("https", _)) => (true, 8),
        Some((scheme, _)) => return Err(Problem::at(0..scheme.len(), "the scheme is not `http` or `https`")),
        None => return Err(Problem::at(all, "the URL has no scheme").help("write `http://HOST:PORT`")),
    };
    let authority = &text[start..];
    let beyond = |at: usize, what: &str| {
        let at = start + at;
        Err(Problem::at(at..text.len(), format!("the URL has {what}")).help("write `SCHEME://HOST:PORT`, no more"))
    };
    if let Some(at) = authority.find('@') {
        let at = start..start + at + 1;
        return Err(Problem::at(at, "the URL has a user name").help("write `SCHEME://HOST:PORT`, no more"));
    }
    match authority.find(['/', '?', '#']) {
        Some(at) if authority[at..].starts_with('/') => return beyond(at, "a path"),
        Some(at) if authority[at..].starts_with('?') => return beyond(at, "a query"),
        Some(at) => return beyond(at, "a fragment"),
        None => {}
    }
    if !authority.starts_with('[') && authority.matches(':').count() > 1 {
        return Err(Problem::at(start..text.len(), "an IPv6 address stands in brackets").help("write `[ADDRESS]:PORT`"));
    }
    let split = match authority.rfind(']') {
        Some(end) => authority[end..].find(':').map(|at| at + end),
        None => authority.find(':'),
    };
    let end = start + split.unwrap_or(authority.len());
    let port = match split {
        Some(at) => port(&authority[at + 1..]).ok_or_else(|| {
            let at = (start + at + 1).min(text.len())..text.len();
            Problem::at(at, "the port is not a number from 1 to 65535")
        })?,
        None => [80, 443][usize::from(https)],
    };
    let host = host(&text[start..end], wildcard).map_err(|problem| shift(problem, start))?;
    Ok(Url { https, host, port })
}

fn port(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

fn shift(problem: Problem, by: usize) -> Problem {
    let at: Range<usize> = problem.at.start + by..problem.at.end + by;
    Problem { at, ..problem }
}

/// A host name or address in lower case; IPv6 in brackets; with `wildcard`, `*.` may stand in front of a name.
pub(super) fn host(text: &str, wildcard: bool) -> Result<String, Problem> {
    let bad = |message: &str| Problem::at(0..text.len(), message);
    if let Some(inner) = text.strip_prefix('[') {
        let address = inner.strip_suffix(']').and_then(|inner| inner.parse::<Ipv6Addr>().ok());
        return address.map(|a| format!("[{a}]")).ok_or_else(|| bad("this is not an IPv6 address in brackets"));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(bad("an IPv6 address stands in brackets").help("write `[ADDRESS]`"));
    }
    if let Some(end) = text.find("://") {
        return Err(Problem::at(0..end + 3, "a host has no scheme").help("leave it out"));
    }
    if let Some(at) = text.find(':') {
        return Err(Problem::at(at..text.len(), "a port has no place here").help("leave it out"));
    }
    let name = match text.strip_prefix("*.") {
        Some(name) if wildcard => name,
        _ => text,
    };
    if name.is_empty() {
        return Err(bad("the host is empty"));
    }
    if let Some(at) = name.find('*') {
        let at = at + text.len() - name.len();
        let help = if wildcard { "only `*.` in front of a name" } else { "one name only" };
        return Err(Problem::at(at..at + 1, "`*` cannot stand here").help(help));
    }
    if let Some(odd) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c)) {
        let at = text.find(odd).unwrap_or(0);
        let problem = Problem::at(at..at + odd.len_utf8(), format!("a host name cannot hold `{}`", odd.escape_debug()));
        return Err(if odd.is_ascii() { problem } else { problem.help("write the name's ASCII form, `xn--...`") });
    }
    if name.ends_with('.') {
        return Err(Problem::at(text.len() - 1..text.len(), "a host name ends without a dot").help("leave it out"));
    }
    let wrong = |label: &str| label.is_empty() || label.len() > 63 || label.starts_with('-') || label.ends_with('-');
    if name.len() > 253 || name.split('.').any(wrong) {
        return Err(bad("this is not a host name").help("labels of 1 to 63 letters and digits with dots between"));
    }
    // As in the URL standard: a name whose last label is a number is an IPv4 address, or nothing.
    let number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if number && (name.parse::<Ipv4Addr>().is_err() || name.len() != text.len()) {
        return Err(bad("this is not an IPv4 address"));
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{Url, host, url};

    #[test]
    fn hosts_are_lower_case_and_ipv6_keeps_its_brackets() {
        assert_eq!(host("API.Example.com", false).as_deref(), Ok("api.example.com"));
        assert_eq!(host("*.Example.com", true).as_deref(), Ok("*.example.com"));
        assert_eq!(host("[::0001]", false).as_deref(), Ok("[::1]"));
    }

    #[test]
    fn what_is_no_host_is_a_problem() {
        let long = "a".repeat(64);
        let odd = [
            "",
            "a..b",
            "-a",
            "a-",
            "1.2.3",
            "1.2.3.4.5",
            "*.1.2.3.4",
            "*",
            "*a.b",
            "é",
            "a b",
            "[::1",
            "::1",
            "a:1",
            &long,
        ];
        for text in odd {
            assert!(host(text, true).is_err(), "{text}");
        }
    }

    #[test]
    fn a_url_without_a_port_has_that_of_its_scheme() {
        let parsed = |host: &str, https, port| Ok(Url { https, host: host.to_owned(), port });
        assert_eq!(url("http://app", false), parsed("app", false, 80));
        assert_eq!(url("https://App:8443", false), parsed("app", true, 8443));
        assert_eq!(url("http://[::1]:9000", false), parsed("[::1]", false, 9000));
        assert_eq!(url("https://[::1]", false), parsed("[::1]", true, 443));
        for text in
            ["http://", "http://a:", "http://a:+1", "http://a:0", "http://a:70000", "http://[::1]x:1", "HTTP//a"]
        {
            assert!(url(text, false).is_err(), "{text}");
        }
    }
}
