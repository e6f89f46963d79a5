//! Texts with references: `"${auth.tenant}/${path.id}"`, written as in the gateway's own configuration.
//!
//! A template of which a reference is absent gives nothing, and its rule is not applied.

use gatehouse_plugin::{Request, Response, Result};
use serde::{Deserialize, Deserializer, de::Error as _};

/// What references are read from.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) request: &'a Request,
    pub(crate) response: Option<&'a Response>,
}

/// Where the text goes, for each place writes bytes in its own way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A header's value: a character stands for a byte.
    Header,
    /// A path: bytes that are not plain are percent-encoded, those of references too, so that a value stays in its segment.
    Path,
    /// Text in Unicode.
    Text,
}

#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Reference(Reference),
}

#[derive(Debug)]
enum Reference {
    Attribute(String),
    RequestId,
    ClientIp,
    Route,
    Method,
    Scheme,
    Authority,
    Path,
    Query,
    PathParam(String),
    QueryParam(String),
    Header(String),
    Cookie(String),
    ResponseStatus,
    ResponseHeader(String),
}

/// What a reference gives.
enum Value {
    /// Text in Unicode.
    Text(String),
    /// A field's value: a character stands for a byte.
    Field(String),
    /// A piece of the request's path, in percent-encoding.
    Target(String),
}

impl Template {
    /// The text for that place. None when a reference is absent.
    pub(crate) fn render(&self, scope: Scope<'_>, place: Place) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(literal) if place == Place::Header => text.push_str(&to_field(literal)),
                Part::Text(literal) => text.push_str(literal),
                Part::Reference(reference) => text.push_str(&reference.read(scope)?.write(place)),
            }
        }
        Some(text)
    }

    pub(crate) fn reads_response(&self) -> bool {
        let response =
            |part: &Part| matches!(part, Part::Reference(Reference::ResponseStatus | Reference::ResponseHeader(_)));
        self.0.iter().any(response)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            parts.push(Part::Text(rest[..dollar].to_owned()));
            let after = &rest[dollar + 1..];
            if let Some(after) = after.strip_prefix('$') {
                parts.push(Part::Text("$".to_owned()));
                rest = after;
            } else if let Some((name, after)) = after.strip_prefix('{').and_then(|it| it.split_once('}')) {
                parts.push(Part::Reference(Reference::parse(name)?));
                rest = after;
            } else {
                return Err(format!("`{text}`: write `$$` for a `$`, `${{...}}` for a reference"));
            }
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Reference {
    fn parse(name: &str) -> Result<Self, String> {
        let unknown = || format!("there is nothing called ${{{name}}}");
        Ok(match name.split_once('.').ok_or_else(unknown)? {
            ("request", "id") => Self::RequestId,
            ("request", "client-ip") => Self::ClientIp,
            ("request", "route") => Self::Route,
            ("request", "method") => Self::Method,
            ("request", "scheme") => Self::Scheme,
            ("request", "authority") => Self::Authority,
            ("request", "path") => Self::Path,
            ("request", "query") => Self::Query,
            ("response", "status") => Self::ResponseStatus,
            ("response", rest) => Self::ResponseHeader(rest.strip_prefix("header.").ok_or_else(unknown)?.to_owned()),
            ("request", _) | (_, "") => return Err(unknown()),
            ("path", name) => Self::PathParam(name.to_owned()),
            ("query", name) => Self::QueryParam(name.to_owned()),
            ("header", name) => Self::Header(name.to_owned()),
            ("cookie", name) => Self::Cookie(name.to_owned()),
            _ => Self::Attribute(name.to_owned()),
        })
    }

    fn read(&self, scope: Scope<'_>) -> Option<Value> {
        let Scope { request, response } = scope;
        Some(match self {
            Self::Attribute(name) => Value::Text(request.attribute(name)?),
            Self::RequestId => Value::Text(request.id()),
            Self::ClientIp => Value::Text(request.client_ip()),
            Self::Route => Value::Text(request.route()),
            Self::Method => Value::Text(request.method()),
            Self::Scheme => Value::Text(request.scheme()),
            Self::Authority => Value::Text(request.authority()),
            Self::Path => Value::Target(request.path()),
            Self::Query => Value::Text(request.query()?),
            Self::PathParam(name) => Value::Target(request.path_param(name)?),
            Self::QueryParam(name) => Value::Text(request.query_param(name)?),
            Self::Header(name) => Value::Field(request.header(name)?),
            Self::Cookie(name) => Value::Field(request.cookie(name)?),
            Self::ResponseStatus => Value::Text(response?.status().to_string()),
            Self::ResponseHeader(name) => Value::Field(response?.header(name)?),
        })
    }
}

impl Value {
    fn write(self, place: Place) -> String {
        match (self, place) {
            (Self::Text(text), Place::Header) => to_field(&text),
            (Self::Text(text), Place::Path) => percent_encode(text.as_bytes()),
            (Self::Field(text), Place::Path) => percent_encode(&bytes(&text)),
            (Self::Field(text), Place::Text) => String::from_utf8(bytes(&text)).unwrap_or(text),
            (Self::Text(text), Place::Text) | (Self::Field(text), Place::Header) | (Self::Target(text), _) => text,
        }
    }
}

/// Text as UTF-8 in a header. What would end the field becomes a space (RFC 9110 section 5.5).
fn to_field(text: &str) -> String {
    text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n' | 0) { ' ' } else { char::from(byte) }).collect()
}

/// The bytes of a field's value.
fn bytes(field: &str) -> Vec<u8> {
    field.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

/// All but the unreserved characters of RFC 3986 section 2.3.
pub(crate) fn percent_encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
