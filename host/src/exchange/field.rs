//! What of an exchange a plugin can read: each readable thing has a name, so that the verdict cache can remember what
//! was read and find the same values in another request.
//!
//! Invariant: what [`Exchange::hash_field`] feeds determines what the contract's read returns. Two requests that feed
//! the same bytes for a field look the same to a plugin that reads it.

use std::hash::Hasher;

use http::header::COOKIE;

use super::Exchange;
use crate::query;

/// Something that a plugin can read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// `request.method`
    Method,
    /// `request.path`
    Path,
    /// `request.query`
    Query,
    /// `request.query-param`, `request.query-params`
    QueryParam(String),
    /// `request.path-param`
    PathParam(String),
    /// `request.scheme`
    Scheme,
    /// `request.authority`
    Authority,
    /// `request.protocol`
    Protocol,
    /// `request.header`, `request.header-values`; in lower case
    Header(String),
    /// `request.headers`
    Headers,
    /// `request.cookie`
    Cookie(String),
    /// `request.client-ip`
    ClientIp,
    /// `attributes.get`
    Attribute(String),
    /// `attributes.all`
    Attributes,
    /// Something that differs in every request, or that no request carries: `request.id`, `outcome`, `response`.
    /// A verdict that read it is never kept.
    Volatile,
}

impl Field {
    /// The name that the plugin read by, if it was one.
    pub fn name(&self) -> &str {
        match self {
            Self::QueryParam(name)
            | Self::PathParam(name)
            | Self::Header(name)
            | Self::Cookie(name)
            | Self::Attribute(name) => name,
            _ => "",
        }
    }
}

impl Exchange {
    /// Feeds the value of a field, unambiguously: with its length, absent apart from empty.
    pub fn hash_field(&self, field: &Field, hasher: &mut impl Hasher) {
        let request = &self.request;
        match field {
            Field::Method => feed(hasher, request.method.as_str().as_bytes()),
            Field::Path => feed(hasher, request.target.path().as_bytes()),
            Field::Query => feed_option(hasher, request.target.query()),
            Field::QueryParam(name) => {
                feed_all(hasher, query::all(request.target.query().unwrap_or(""), name).iter().map(String::as_bytes));
            }
            Field::PathParam(name) => feed_option(hasher, self.path_param(name)),
            Field::Scheme => feed(hasher, request.scheme.as_bytes()),
            Field::Authority => feed(hasher, request.authority.as_bytes()),
            Field::Protocol => feed(hasher, format!("{:?}", request.version).as_bytes()),
            Field::Header(name) => {
                feed_all(hasher, request.headers.get_all(name.as_str()).iter().map(http::HeaderValue::as_bytes));
            }
            Field::Headers => {
                for (name, value) in &request.headers {
                    feed(hasher, name.as_str().as_bytes());
                    feed(hasher, value.as_bytes());
                }
                hasher.write_u64(u64::MAX);
            }
            Field::Cookie(name) => feed_option(hasher, self.cookie(name).as_deref()),
            Field::ClientIp => match request.client {
                std::net::IpAddr::V4(a) => feed(hasher, &a.octets()),
                std::net::IpAddr::V6(a) => feed(hasher, &a.octets()),
            },
            Field::Attribute(name) => feed_option(hasher, self.attribute(name)),
            Field::Attributes => {
                for (name, value) in &self.attributes {
                    feed(hasher, name.as_bytes());
                    feed(hasher, value.as_bytes());
                }
                hasher.write_u64(u64::MAX);
            }
            Field::Volatile => hasher.write(self.id.as_str().as_bytes()),
        }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        query::cookie(self.request.headers.get_all(COOKIE).iter(), name)
    }
}

pub(crate) fn feed(hasher: &mut impl Hasher, bytes: &[u8]) {
    hasher.write_u64(bytes.len() as u64);
    hasher.write(bytes);
}

pub(crate) fn feed_option(hasher: &mut impl Hasher, value: Option<&str>) {
    match value {
        Some(value) => feed(hasher, value.as_bytes()),
        None => hasher.write_u64(u64::MAX),
    }
}

pub(crate) fn feed_all<'a>(hasher: &mut impl Hasher, values: impl Iterator<Item = &'a [u8]>) {
    values.for_each(|value| feed(hasher, value));
    hasher.write_u64(u64::MAX);
}

/// Bytes as text: byte 0xNN is the character U+00NN (Infra standard, "isomorphic decode").
pub fn isomorphic_decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.is_ascii() => text.to_owned(),
        _ => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// Text as bytes; None when a character is above U+00FF.
pub fn isomorphic_encode(text: String) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return Some(text.into_bytes());
    }
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_round_trip() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(isomorphic_encode(isomorphic_decode(&bytes)), Some(bytes));
        assert_eq!(isomorphic_encode("\u{100}".to_owned()), None);
    }
}
