//! What an operator configures.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::hash::Hash;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) users: BTreeMap<String, User>,
    #[serde(default = "yes")]
    pub(crate) required: bool,
    #[serde(default = "yes")]
    pub(crate) forward: bool,
    #[serde(default = "realm")]
    pub(crate) realm: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    pub(crate) hash: Hash,
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["users"],
  "properties": {
    "users": {
      "type": "object",
      "minProperties": 1,
      "propertyNames": { "pattern": "^[^:]*$" },
      "additionalProperties": {
        "type": "object",
        "additionalProperties": false,
        "required": ["hash"],
        "properties": {
          "hash": { "type": "string", "pattern": "^[$](argon2|2)" },
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
    "gateway".to_owned()
}
