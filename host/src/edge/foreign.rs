//! Headers that a client has no say in.
//!
//! Three kinds: what the gateway or the route sets itself, what only a trusted proxy may tell about the client, and
//! what makes some upstreams serve another target than the one that was routed and authorized. All of them also in the
//! spelling with `_` for `-`: CGI, WSGI and PHP read `x_user` and `x-user` as one variable (RFC 3875 section 4.1.18).

use http::{HeaderMap, HeaderName};

use crate::config::Forwarded;

/// Removes what a client may not say.
///
/// - `reserved`: the names that the route sets on its upstream requests.
/// - From anyone: `x-request-id` (the gateway makes it), `proxy` (a CGI program takes it for its own `HTTP_PROXY`,
///   CVE-2016-5385), `x-original-url` and `x-rewrite-url` (Symfony and IIS serve that path instead, CVE-2018-14773).
/// - From anyone but a trusted proxy: `forwarded`, `x-forwarded-*`, and what other gateways call the client's address,
///   host or scheme: `x-real-ip`, `x-client-ip`, `client-ip`, `true-client-ip`, `cf-connecting-ip`, `fastly-client-ip`,
///   `x-cluster-client-ip`, `x-original-forwarded-for`, `x-original-host`, `x-envoy-external-address`,
///   `front-end-https`, `x-url-scheme`.
/// - From a trusted proxy: the chain that it does not speak, as told by `speaks`, for it may have passed on a client's:
///   `forwarded`, or `x-forwarded-for`, `-proto` and `-host`.
pub(crate) fn strip_request(headers: &mut HeaderMap, reserved: &[HeaderName], trusted: bool, speaks: Forwarded) {
    let is_foreign = |name: &str| match (class(name), trusted, speaks) {
        (Class::Client, ..) => false,
        (Class::Gateway, ..) | (_, false, _) => true,
        (Class::Forwarded, ..) => speaks == Forwarded::XForwarded,
        (Class::XForwarded, ..) => speaks == Forwarded::Rfc7239,
        (Class::Proxy, ..) => false,
    };
    let is_reserved = |name: &str| reserved.iter().any(|reserved| is_same_variable(reserved.as_str(), name));
    let is_alias = |name: &str| name.contains('_') && is_foreign(&name.replace('_', "-"));
    let refused = |name: &str| is_foreign(name) || is_reserved(name) || is_alias(name);
    let foreign: Vec<HeaderName> = headers.keys().filter(|name| refused(name.as_str())).cloned().collect();
    for name in foreign {
        headers.remove(name);
    }
}

/// Whether a client's header may have to go, whoever the client is: most have none such, and need no closer look.
pub(super) fn is_doubtful(name: &str) -> bool {
    !matches!(class(name), Class::Client) || name.bytes().any(|byte| byte == b'_')
}

/// Whether two header names are one variable to a CGI program.
fn is_same_variable(one: &str, other: &str) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte };
    one.len() == other.len() && one.bytes().map(fold).eq(other.bytes().map(fold))
}

/// Who may say a header.
enum Class {
    Client,
    /// Any trusted proxy.
    Proxy,
    /// A trusted proxy that speaks RFC 7239.
    Forwarded,
    /// A trusted proxy that speaks the older headers.
    XForwarded,
    Gateway,
}

fn class(name: &str) -> Class {
    match name.as_bytes()[0] {
        b'x' => match name {
            "x-request-id" | "x-original-url" | "x-rewrite-url" => Class::Gateway,
            "x-http-method-override" | "x-http-method" | "x-method-override" => Class::Gateway,
            "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host" => Class::XForwarded,
            "x-real-ip" | "x-client-ip" | "x-cluster-client-ip" | "x-url-scheme" => Class::Proxy,
            "x-original-forwarded-for" | "x-original-host" | "x-envoy-external-address" => Class::Proxy,
            _ if name.starts_with("x-forwarded-") => Class::Proxy,
            _ => Class::Client,
        },
        b'f' => match name {
            "forwarded" => Class::Forwarded,
            "fastly-client-ip" | "front-end-https" => Class::Proxy,
            _ => Class::Client,
        },
        b'c' if matches!(name, "client-ip" | "cf-connecting-ip") => Class::Proxy,
        b't' if name == "true-client-ip" => Class::Proxy,
        b'p' if name == "proxy" => Class::Gateway,
        _ => Class::Client,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const CHAINS: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

    fn left(names: &[&'static str], reserved: &[HeaderName], trusted: bool, speaks: Forwarded) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for &name in names {
            headers.append(name, HeaderValue::from_static("1"));
            headers.append(name, HeaderValue::from_static("2"));
        }
        strip_request(&mut headers, reserved, trusted, speaks);
        let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_that_an_untrusted_client_says_of_itself_passes() {
        let names = "x-forwarded-port x-forwarded-prefix x-forwarded-server x-real-ip x-client-ip \
            client-ip true-client-ip cf-connecting-ip fastly-client-ip x-cluster-client-ip \
            x-original-forwarded-for x-original-host x-envoy-external-address front-end-https x-url-scheme \
            x-request-id proxy x-original-url x-rewrite-url \
            x-http-method-override x-http-method x-method-override";
        for name in names.split(' ').chain(CHAINS) {
            for speaks in [Forwarded::Off, Forwarded::XForwarded, Forwarded::Rfc7239, Forwarded::Both] {
                assert_eq!(
                    left(&[name, "accept", "x-other", "x-forward"], &[], false, speaks),
                    ["accept", "x-forward", "x-other"],
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn a_trusted_proxy_is_heard_in_the_chain_it_speaks() {
        assert_eq!(left(&CHAINS, &[], true, Forwarded::XForwarded), CHAINS[1..]);
        assert_eq!(left(&CHAINS, &[], true, Forwarded::Rfc7239), CHAINS[..1]);
        assert_eq!(left(&CHAINS, &[], true, Forwarded::Both), CHAINS);
        assert_eq!(left(&CHAINS, &[], true, Forwarded::Off), CHAINS);
        let names = ["x-real-ip", "x-forwarded-prefix", "x-request-id", "proxy", "x-original-url"];
        assert_eq!(left(&names, &[], true, Forwarded::XForwarded), ["x-forwarded-prefix", "x-real-ip"]);
    }

    #[test]
    fn reserved_names_go_in_every_spelling_and_from_anyone() {
        let reserved = [HeaderName::from_static("x-user-id"), HeaderName::from_static("x_role")];
        for trusted in [false, true] {
            let names = ["x-user-id", "x_user_id", "x-user_id", "x-role", "x_role", "x-user-ids", "a_b"];
            assert_eq!(left(&names, &reserved, trusted, Forwarded::Both), ["a_b", "x-user-ids"]);
        }
    }

    #[test]
    fn an_underscore_does_not_get_around_the_list() {
        assert_eq!(
            left(&["x_forwarded_for", "x_request-id", "x_forwarded_port", "a_b"], &[], false, Forwarded::Off),
            ["a_b"]
        );
    }
}
