//! What an operator configures.

use std::collections::BTreeMap;

use gatehouse_plugin::{Request, Result};
use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(rename = "in", default = "Source::usual")]
    pub(crate) sources: Vec<Source>,
    pub(crate) keys: Vec<Key>,
    #[serde(default = "yes")]
    pub(crate) required: bool,
    #[serde(default = "yes")]
    pub(crate) forward: bool,
    #[serde(default = "realm")]
    pub(crate) realm: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) hash: Hash,
    pub(crate) principal: Option<String>,
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["keys"],
  "properties": {
    "in": {
      "type": "array",
      "minItems": 1,
      "items": { "type": "string", "pattern": "^(header|query|cookie|authorization):.+$" }
    },
    "keys": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "hash"],
        "properties": {
          "id": { "type": "string", "minLength": 1 },
          "hash": { "type": "string", "pattern": "^sha256:[0-9a-fA-F]{64}$" },
          "principal": { "type": "string" },
          "attributes": { "type": "object", "additionalProperties": { "type": "string" } }
        }
      }
    },
    "required": { "type": "boolean" },
    "forward": { "type": "boolean" },
    "realm": { "type": "string" }
  }
}"#;

fn yes() -> bool {
    true
}

fn realm() -> String {
    "api".to_owned()
}

/// Where a key may be: `header:NAME`, `query:NAME`, `cookie:NAME`, `authorization:SCHEME`.
pub(crate) enum Source {
    Header(String),
    Query(String),
    Cookie(String),
    Authorization(String),
}

impl Source {
    fn usual() -> Vec<Self> {
        vec![Self::Header("x-api-key".to_owned())]
    }

    /// The key, if one that is not empty is there.
    pub(crate) fn read(&self, request: &Request) -> Option<String> {
        let key = match self {
            Self::Header(name) => request.header(name),
            Self::Query(name) => request.query_param(name),
            Self::Cookie(name) => request.cookie(name),
            Self::Authorization(scheme) => {
                let value = request.header("authorization")?;
                let (said, key) = value.split_once(' ')?;
                said.eq_ignore_ascii_case(scheme).then(|| key.trim_start().to_owned())
            }
        };
        key.filter(|key| !key.is_empty())
    }

    /// The header that carries the key and nothing else.
    pub(crate) fn header(&self) -> Option<&str> {
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
            Some((other, _)) => {
                Err(format!("a key is not looked for in `{other}`, only in header, query, cookie, authorization"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The SHA-256 of a key, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hash(pub(crate) [u8; 32]);

impl Hash {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("sha256:")?.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 || !digits.is_ascii() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a hash is `sha256:` and 64 hexadecimal digits"))
    }
}
