//! What an operator configures.

use std::collections::BTreeMap;

use gatehouse_plugin::{Result, serde_json::Value};
use serde::Deserialize;

use crate::{json::Pointer, template::Template};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) request: RequestRules,
    pub(crate) response: ResponseRules,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RequestRules {
    pub(crate) headers: Rules,
    pub(crate) path: Option<Template>,
    pub(crate) strip_prefix: Option<String>,
    pub(crate) add_prefix: Option<String>,
    pub(crate) query: Rules,
    pub(crate) body: BodyRules,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ResponseRules {
    pub(crate) status: Option<u16>,
    pub(crate) headers: Rules,
    pub(crate) body: BodyRules,
}

/// For headers or query parameters, applied in this order.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rules {
    pub(crate) remove: Vec<String>,
    pub(crate) rename: BTreeMap<String, String>,
    pub(crate) set: BTreeMap<String, Template>,
    pub(crate) append: BTreeMap<String, Template>,
}

/// For a JSON body, applied in this order.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BodyRules {
    pub(crate) remove: Vec<Pointer>,
    pub(crate) set: BTreeMap<Pointer, NewValue>,
}

/// A text is a template; anything else is put in as it is.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum NewValue {
    Text(Template),
    Value(Value),
}

/// Those that frame a message or belong to a connection: the gateway's own.
const FRAMING: [&str; 9] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "proxy-connection",
    "host",
];

impl Config {
    /// What would fail in every request fails now.
    pub(crate) fn check(&self) -> Result<()> {
        for rules in [&self.request.headers, &self.response.headers] {
            let renamed = rules.rename.iter().flat_map(|(from, to)| [from, to]);
            let names = rules.remove.iter().chain(renamed).chain(rules.set.keys()).chain(rules.append.keys());
            for name in names {
                if FRAMING.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                    Err(format!("the header {name} is the gateway's: a plugin cannot change it"))?;
                }
            }
        }
        let request = &self.request;
        if request.path.is_some() && (request.strip_prefix.is_some() || request.add_prefix.is_some()) {
            Err("`path` makes a whole new path: it does not go together with `strip_prefix` and `add_prefix`")?;
        }
        for prefix in [&request.strip_prefix, &request.add_prefix].into_iter().flatten() {
            if !prefix.starts_with('/') || prefix.ends_with('/') {
                Err(format!("the prefix {prefix} must begin with `/` and not end with it"))?;
            }
        }
        if request.templates().any(Template::reads_response) {
            Err("a rule for requests cannot refer to `response`")?;
        }
        Ok(())
    }
}

impl RequestRules {
    fn templates(&self) -> impl Iterator<Item = &Template> {
        let body = self.body.set.values().filter_map(|value| match value {
            NewValue::Text(template) => Some(template),
            NewValue::Value(_) => None,
        });
        let pairs =
            [&self.headers, &self.query].into_iter().flat_map(|rules| rules.set.values().chain(rules.append.values()));
        pairs.chain(&self.path).chain(body)
    }
}

impl BodyRules {
    pub(crate) fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty()
    }
}

pub(crate) const SCHEMA: &str = r##"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "request": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "headers": { "$ref": "#/$defs/rules" },
        "path": { "type": "string", "pattern": "^[/$]" },
        "strip_prefix": { "type": "string", "pattern": "^/.*[^/]$" },
        "add_prefix": { "type": "string", "pattern": "^/.*[^/]$" },
        "query": { "$ref": "#/$defs/rules" },
        "body": { "$ref": "#/$defs/body" }
      }
    },
    "response": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "status": { "type": "integer", "minimum": 200, "maximum": 599 },
        "headers": { "$ref": "#/$defs/rules" },
        "body": { "$ref": "#/$defs/body" }
      }
    }
  },
  "$defs": {
    "templates": { "type": "object", "additionalProperties": { "type": "string" } },
    "rules": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "remove": { "type": "array", "items": { "type": "string" } },
        "rename": { "$ref": "#/$defs/templates" },
        "set": { "$ref": "#/$defs/templates" },
        "append": { "$ref": "#/$defs/templates" }
      }
    },
    "body": {
      "type": "object",
      "additionalProperties": false,
      "properties": {
        "remove": { "type": "array", "items": { "type": "string", "pattern": "^/" } },
        "set": { "type": "object", "propertyNames": { "pattern": "^/" } }
      }
    }
  }
}"##;
