//! Where a credential is.

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::Request;

/// Where to look for a credential; in a configuration `header:NAME`, `query:NAME`, `cookie:NAME` or
/// `authorization:SCHEME` (`Authorization: SCHEME CREDENTIAL`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The whole value of a header.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
    /// What follows a scheme in `authorization`.
    Authorization(String),
}

impl Source {
    /// The credential, if one that is not empty is there.
    pub fn read(&self, request: &Request) -> Option<String> {
        let credential = match self {
            Self::Header(name) => request.header(name),
            Self::Query(name) => request.query_param(name),
            Self::Cookie(name) => request.cookie(name),
            Self::Authorization(scheme) => {
                let value = request.header("authorization")?;
                let (said, credential) = value.split_once(' ')?;
                said.eq_ignore_ascii_case(scheme).then(|| credential.trim().to_owned())
            }
        };
        credential.filter(|it| !it.is_empty())
    }

    /// The header that carries the credential and nothing else.
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Header(name) => Some(name),
            Self::Authorization(_) => Some("authorization"),
            Self::Query(_) | Self::Cookie(_) => None,
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((_, "")) | None => Err(format!("`{text}` is not of the form `header:NAME`")),
            Some(("header", name)) => Ok(Self::Header(name.to_ascii_lowercase())),
            Some(("query", name)) => Ok(Self::Query(name.to_owned())),
            Some(("cookie", name)) => Ok(Self::Cookie(name.to_owned())),
            Some(("authorization", scheme)) => Ok(Self::Authorization(scheme.to_owned())),
            Some((other, _)) => Err(format!(
                "a credential is not looked for in `{other}`, only in header, query, cookie, authorization"
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
