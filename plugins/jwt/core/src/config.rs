//! What an operator configures.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatehouse_plugin::{Result, Source, serde_json::Value};
use serde::Deserialize;

use crate::{
    algorithm::Algorithm,
    jwk,
    key::{Key, KeySet, Material},
};

/// The configuration of `jwt` and of `jwt-remote`: where the keys come from is the only difference.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    keys: Vec<KeyConfig>,
    jwks: Option<String>,
    /// Where `jwt-remote` gets the keys.
    pub jwks_url: Option<String>,
    /// Seconds after which the keys are fetched anew.
    #[serde(default = "refresh")]
    pub refresh: u32,
    /// Seconds that must pass between two attempts to fetch them, for an unknown key or after a failure.
    #[serde(default = "unknown_kid_interval")]
    pub unknown_kid_interval: u32,
    /// Milliseconds to wait for them.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u32,
    #[serde(rename = "in", default = "sources")]
    pub(crate) sources: Vec<Source>,
    pub(crate) algorithms: Option<Vec<Algorithm>>,
    #[serde(default)]
    pub(crate) issuer: Texts,
    #[serde(default)]
    pub(crate) audience: Texts,
    #[serde(default = "leeway")]
    pub(crate) leeway: u32,
    #[serde(default = "required_claims")]
    pub(crate) required_claims: Vec<String>,
    #[serde(rename = "type")]
    pub(crate) token_type: Option<String>,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    #[serde(default = "principal")]
    pub(crate) principal: String,
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
    #[serde(default = "yes")]
    pub(crate) required: bool,
    #[serde(default = "yes")]
    pub(crate) forward: bool,
    #[serde(default = "realm")]
    pub(crate) realm: String,
}

/// A key in one of four forms.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyConfig {
    kid: Option<String>,
    #[serde(default)]
    algorithms: Vec<Algorithm>,
    secret: Option<String>,
    secret_base64: Option<String>,
    public_key: Option<String>,
    jwk: Option<Value>,
}

/// One text or several.
#[derive(Deserialize, Default)]
#[serde(untagged)]
pub(crate) enum Texts {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Texts {
    pub(crate) fn list(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

impl Config {
    /// Whether it names keys itself.
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty() || self.jwks.is_some()
    }

    /// The keys that it names.
    ///
    /// # Errors
    /// When one is malformed or unsafe.
    pub fn keys(&mut self) -> Result<KeySet> {
        let mut set = match &self.jwks {
            Some(text) => KeySet::from_jwks(text)?,
            None => KeySet::default(),
        };
        for (at, key) in std::mem::take(&mut self.keys).into_iter().enumerate() {
            let name = key.kid.clone().unwrap_or_else(|| format!("number {}", at + 1));
            set.0.push(key.read().map_err(|error| format!("the key {name}: {error}"))?);
        }
        Ok(set)
    }
}

impl KeyConfig {
    fn read(self) -> Result<Key, String> {
        let material = match (self.secret, self.secret_base64, self.public_key, self.jwk) {
            (Some(secret), None, None, None) => Material::Secret(secret.into_bytes()),
            (None, Some(secret), None, None) => {
                Material::Secret(STANDARD.decode(secret).map_err(|_| "`secret_base64` is not base64")?)
            }
            (None, None, Some(pem), None) => Material::from_pem(&pem)?,
            (None, None, None, Some(_)) if self.kid.is_some() || !self.algorithms.is_empty() => {
                return Err("a `jwk` has its own `kid` and `alg`".to_owned());
            }
            (None, None, None, Some(jwk)) => {
                return jwk::key(jwk)?.ok_or_else(|| "the `jwk` is not for checking signatures".to_owned());
            }
            _ => return Err("one of `secret`, `secret_base64`, `public_key` and `jwk` is needed".to_owned()),
        };
        Key::new(self.kid, material, self.algorithms)
    }
}

fn refresh() -> u32 {
    300
}

fn unknown_kid_interval() -> u32 {
    60
}

/// Below the second that a hook may take by default.
fn timeout_ms() -> u32 {
    900
}

fn sources() -> Vec<Source> {
    vec![Source::Authorization("Bearer".to_owned())]
}

fn leeway() -> u32 {
    30
}

fn required_claims() -> Vec<String> {
    vec!["exp".to_owned()]
}

fn principal() -> String {
    "sub".to_owned()
}

fn realm() -> String {
    "api".to_owned()
}

fn yes() -> bool {
    true
}

/// The JSON Schema of both configurations.
pub const SCHEMA: &str = r##"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "keys": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "properties": {
          "kid": { "type": "string" },
          "algorithms": { "$ref": "#/$defs/algorithms" },
          "secret": { "type": "string" },
          "secret_base64": { "type": "string" },
          "public_key": { "type": "string" },
          "jwk": { "type": "object", "required": ["kty"] }
        }
      }
    },
    "jwks": { "type": "string" },
    "jwks_url": { "type": "string", "pattern": "^https?://" },
    "refresh": { "type": "integer", "minimum": 1, "maximum": 4294967295 },
    "unknown_kid_interval": { "type": "integer", "minimum": 1, "maximum": 4294967295 },
    "timeout_ms": { "type": "integer", "minimum": 1, "maximum": 4294967295 },
    "in": {
      "type": "array",
      "minItems": 1,
      "items": { "type": "string", "pattern": "^(header|query|cookie|authorization):.+$" }
    },
    "algorithms": { "$ref": "#/$defs/algorithms" },
    "issuer": { "$ref": "#/$defs/texts" },
    "audience": { "$ref": "#/$defs/texts" },
    "leeway": { "type": "integer", "minimum": 0, "maximum": 4294967295 },
    "required_claims": { "type": "array", "items": { "type": "string" } },
    "type": { "type": "string" },
    "scopes": { "type": "array", "items": { "type": "string" } },
    "principal": { "type": "string" },
    "attributes": { "type": "object", "additionalProperties": { "type": "string" } },
    "required": { "type": "boolean" },
    "forward": { "type": "boolean" },
    "realm": { "type": "string" }
  },
  "$defs": {
    "texts": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
    "algorithms": {
      "type": "array",
      "minItems": 1,
      "items": { "enum": ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"] }
    }
  }
}"##;
