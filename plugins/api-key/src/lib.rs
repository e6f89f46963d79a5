//! Lets requests with a known API key pass.
//!
//! Of a key only its SHA-256 is kept, and it is looked up by that: a comparison that stops early tells nothing of a key.
//! A plain hash is enough because a key is random, not a password: make it of 128 random bits or more.

mod config;

use std::collections::{BTreeMap, BTreeSet};

use gatehouse_plugin::{Source, prelude::*, quoted};
use sha2::{Digest as _, Sha256};

use config::{Config, Hash, Key};

struct ApiKey {
    sources: Vec<Source>,
    keys: BTreeMap<Hash, Key>,
    required: bool,
    forward: bool,
    challenge: String,
}

impl Plugin for ApiKey {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        if config.sources.is_empty() {
            Err("`in` names no place to look for a key")?;
        }
        let mut ids = BTreeSet::new();
        let mut keys = BTreeMap::new();
        for key in config.keys {
            if !ids.insert(key.id.clone()) {
                Err(format!("two keys have the id {}", key.id))?;
            }
            if let Some(other) = keys.insert(key.hash, key) {
                Err(format!("the key {} has the hash of another", other.id))?;
            }
        }
        let challenge = format!("ApiKey realm={}", quoted(&config.realm));
        Ok(Self { sources: config.sources, keys, required: config.required, forward: config.forward, challenge })
    }

    fn config_schema() -> Option<&'static str> {
        Some(config::SCHEMA)
    }
}

impl Authorizer for ApiKey {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        let Some((source, key)) = self.sources.iter().find_map(|it| Some((it, it.read(request)?))) else {
            return if self.required { self.deny("missing_key").into() } else { Ok(Verdict::Abstain) };
        };
        let hash = Hash(Sha256::digest(key.as_bytes()).into());
        match self.keys.get(&hash) {
            Some(key) => self.allow(key, source).into(),
            None => self.deny("invalid_key").into(),
        }
    }
}

impl ApiKey {
    fn allow(&self, key: &Key, source: &Source) -> Grant {
        let mut grant = Verdict::allow(key.principal.as_ref().unwrap_or(&key.id)).attribute("key_id", &key.id);
        for (name, value) in &key.attributes {
            grant = grant.attribute(name, value);
        }
        match source.header() {
            Some(header) if !self.forward => grant.remove_header(header),
            _ => grant,
        }
    }

    fn deny(&self, error: &str) -> Denial {
        Verdict::deny(401).header("www-authenticate", &self.challenge).json(json!({ "error": error })).reason(error)
    }
}

export!(ApiKey: authorizer);

#[cfg(test)]
mod tests;
