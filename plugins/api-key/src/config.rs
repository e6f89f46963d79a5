//! What an operator configures.

use std::collections::BTreeMap;

use gatehouse_plugin::Source;
use serde::{Deserialize, Deserializer, de::Error as _};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(rename = "in", default = "usual")]
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

fn usual() -> Vec<Source> {
    vec![Source::Header("x-api-key".to_owned())]
}

fn yes() -> bool {
    true
}

fn realm() -> String {
    "api".to_owned()
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
