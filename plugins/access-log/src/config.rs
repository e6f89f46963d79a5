//! What an operator configures.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) format: Format,
    pub(crate) query: bool,
    pub(crate) request_headers: Vec<String>,
    pub(crate) response_headers: Vec<String>,
    pub(crate) attributes: Vec<String>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Json,
    Combined,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: Format::Json,
            query: true,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            attributes: Vec::new(),
        }
    }
}

pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "format": { "enum": ["json", "combined"] },
    "query": { "type": "boolean" },
    "request_headers": { "type": "array", "items": { "type": "string" } },
    "response_headers": { "type": "array", "items": { "type": "string" } },
    "attributes": { "type": "array", "items": { "type": "string" } }
  }
}"#;
