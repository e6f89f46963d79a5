//! Reads of the request that is being served.

#[cfg(target_arch = "wasm32")]
use crate::bindings::gatehouse::plugin::{attributes, request};
#[cfg(not(target_arch = "wasm32"))]
use crate::test::imports::{attributes, request};
use crate::{Attribute, Header};

/// The request that is being served, as the plugins before this one have left it.
///
/// It holds nothing: each method asks the gateway. While an authorizer runs, exactly what is read becomes the key under
/// which its verdict is kept.
#[derive(Debug)]
pub struct Request(pub(crate) ());

impl Request {
    /// The method: `GET`.
    pub fn method(&self) -> String {
        request::method()
    }

    /// The path in canonical form, without the query: the very string that routes are matched against.
    pub fn path(&self) -> String {
        request::path()
    }

    /// The query as sent, without the `?`.
    pub fn query(&self) -> Option<String> {
        request::query()
    }

    /// The first value of a query parameter, decoded.
    pub fn query_param(&self, name: &str) -> Option<String> {
        request::query_param(name)
    }

    /// All values of a query parameter, decoded.
    pub fn query_params(&self, name: &str) -> Vec<String> {
        request::query_params(name)
    }

    /// What the route's path template caught: for `/pets/{id}`, `path_param("id")`.
    pub fn path_param(&self, name: &str) -> Option<String> {
        request::path_param(name)
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> String {
        request::scheme()
    }

    /// The host, and port if any, that the client asked for, in lower case.
    pub fn authority(&self) -> String {
        request::authority()
    }

    /// `HTTP/1.1` or `HTTP/2.0`.
    pub fn protocol(&self) -> String {
        request::protocol()
    }

    /// The value of a header; of several fields with that name all values, joined by `, `.
    pub fn header(&self, name: &str) -> Option<String> {
        request::header(name)
    }

    /// The values of all header fields with that name.
    pub fn header_values(&self, name: &str) -> Vec<String> {
        request::header_values(name)
    }

    /// All header fields. For an authorizer this makes every header part of the key.
    pub fn headers(&self) -> Vec<Header> {
        request::headers()
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        request::cookie(name)
    }

    /// The token of `Authorization: Bearer` (RFC 6750 section 2.1). None when there is none, or another scheme.
    pub fn bearer(&self) -> Option<String> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    }

    /// The address of the client, without the port.
    pub fn client_ip(&self) -> String {
        request::client_ip()
    }

    /// The name of the matched route.
    pub fn route(&self) -> String {
        request::route()
    }

    /// The id of this exchange. It differs in every request: an authorizer that reads it gets no caching.
    pub fn id(&self) -> String {
        request::id()
    }

    /// An attribute by its full name: `auth.principal`, `PLUGIN.name`. No client and no upstream can set one.
    pub fn attribute(&self, name: &str) -> Option<String> {
        attributes::get(name)
    }

    /// All attributes set so far.
    pub fn attributes(&self) -> Vec<Attribute> {
        attributes::all()
    }
}
