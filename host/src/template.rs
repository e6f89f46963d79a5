//! What the configuration names of an exchange: texts for headers and keys of rate limits, and fields that identify.

use std::{borrow::Cow, net::IpAddr};

use http::HeaderValue;

use crate::{
    config::{HashKey, Identity, Part, Template},
    exchange::{Exchange, isomorphic_decode},
    query,
};

/// The text of a template; None when something that it names is not there.
pub(crate) fn fill(template: &Template, exchange: &Exchange) -> Option<String> {
    fill_with(template, exchange, |address| address.to_string())
}

/// The same where `address` writes the client's.
pub(crate) fn fill_with(
    template: &Template,
    exchange: &Exchange,
    address: impl Fn(IpAddr) -> String,
) -> Option<String> {
    let mut text = String::new();
    for part in &template.parts {
        text.push_str(&value_with(part, exchange, &address)?);
    }
    Some(text)
}

/// What a request has of a key; None when it has not all of it.
pub(crate) fn key(key: &HashKey, exchange: &Exchange) -> Option<String> {
    match key {
        HashKey::Field(identity) => field(identity, exchange),
        HashKey::Template(template) => fill(template, exchange),
    }
}

/// The value of a part; None when it is not there.
pub(crate) fn value<'a>(part: &'a Part, exchange: &'a Exchange) -> Option<Cow<'a, str>> {
    value_with(part, exchange, |address| address.to_string())
}

fn value_with<'a>(part: &'a Part, exchange: &'a Exchange, address: impl Fn(IpAddr) -> String) -> Option<Cow<'a, str>> {
    let value = match part {
        Part::Text(fixed) => fixed,
        Part::Attribute(name) => exchange.attribute(name)?,
        Part::RequestId => exchange.id.as_str(),
        Part::ClientIp => return Some(address(exchange.request.client).into()),
        Part::Route => exchange.route_name(),
        Part::Host => host(&exchange.request.authority),
        Part::Target => match exchange.request.target.as_str() {
            // `*`, of OPTIONS, is no place.
            target if !target.starts_with('/') => "/",
            target => target,
        },
        Part::Path => exchange.request.target.path(),
        Part::PathParam(name) => exchange.path_param(name)?,
        Part::Field(Identity::Header(name)) => return exchange.request.headers.get(name).map(header),
        Part::Field(other) => return field(other, exchange).map(Cow::Owned),
        Part::ResponseHeader(name) => return exchange.response.as_ref()?.headers.get(name).map(header),
    };
    Some(value.into())
}

/// The value of a field that identifies; of several of a name the first.
pub(crate) fn field(identity: &Identity, exchange: &Exchange) -> Option<String> {
    match identity {
        Identity::Header(name) => exchange.request.headers.get(name).map(|value| isomorphic_decode(value.as_bytes())),
        Identity::Query(name) => query::first(exchange.request.target.query().unwrap_or(""), name),
        Identity::Cookie(name) => exchange.cookie(name),
    }
}

/// A header's value with its bytes as they are, where they are UTF-8.
fn header(value: &HeaderValue) -> Cow<'_, str> {
    std::str::from_utf8(value.as_bytes()).map_or_else(|_| isomorphic_decode(value.as_bytes()).into(), Cow::Borrowed)
}

/// An authority without its port; an IPv6 address keeps its brackets.
fn host(authority: &str) -> &str {
    let end = authority.find(']').map_or(0, |end| end + 1);
    authority[end..].find(':').map_or(authority, |colon| &authority[..end + colon])
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn a_host_is_an_authority_without_its_port() {
        for (authority, expected) in [("a", "a"), ("a:1", "a"), ("[::1]", "[::1]"), ("[::1]:1", "[::1]"), ("", "")] {
            assert_eq!(host(authority), expected);
        }
    }
}
