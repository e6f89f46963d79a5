//! JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_plugin::{
    Result,
    serde_json::{self, Value},
};
use rsa::{BigUint, RsaPublicKey};
use serde::Deserialize;

use crate::{
    algorithm::Algorithm,
    key::{Key, KeySet, Material},
};

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    /// The keys of a JSON Web Key Set that are good for checking signatures. Others are passed over: a set may hold keys
    /// for other purposes and of kinds yet to come.
    ///
    /// # Errors
    /// When the text is no key set, or has no such key.
    pub fn from_jwks(text: &str) -> Result<Self> {
        let jwks: Jwks = serde_json::from_str(text).map_err(|error| format!("not a JSON Web Key Set: {error}"))?;
        let keys: Vec<_> = jwks.keys.into_iter().filter_map(|jwk| key(jwk).ok().flatten()).collect();
        if keys.is_empty() {
            Err("the JSON Web Key Set has no key for checking signatures")?;
        }
        Ok(Self(keys))
    }

    /// Takes out the keys that are secrets: what can be fetched by anyone is none.
    pub fn without_secrets(mut self) -> Self {
        self.0.retain(|key| !key.is_secret());
        self
    }
}

/// The key, or none if it is for another purpose.
pub(crate) fn key(jwk: Value) -> Result<Option<Key>, String> {
    let jwk: Jwk = serde_json::from_value(jwk).map_err(|error| format!("not a JSON Web Key: {error}"))?;
    let other_use = jwk.purpose.as_deref().is_some_and(|it| it != "sig");
    let other_operations = jwk.key_ops.as_ref().is_some_and(|it| !it.iter().any(|it| it == "verify"));
    if other_use || other_operations {
        return Ok(None);
    }
    let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => rsa(&jwk),
        ("EC", Some("P-256")) => {
            point(&jwk).and_then(|it| Some(Material::P256(p256::ecdsa::VerifyingKey::from_sec1_bytes(&it).ok()?)))
        }
        ("EC", Some("P-384")) => {
            point(&jwk).and_then(|it| Some(Material::P384(p384::ecdsa::VerifyingKey::from_sec1_bytes(&it).ok()?)))
        }
        ("OKP", Some("Ed25519")) => ed25519(&jwk),
        ("oct", _) => decode(&jwk.k).map(Material::Secret),
        (kty, crv) => return Err(format!("a key of kind {kty} {} is not supported", crv.unwrap_or_default())),
    };
    let material =
        material.ok_or_else(|| format!("the key {} is malformed", jwk.kid.as_deref().unwrap_or_default()))?;
    let algorithms = match &jwk.alg {
        Some(name) => vec![Algorithm::named(name).ok_or_else(|| format!("the algorithm {name} is not supported"))?],
        None => Vec::new(),
    };
    Ok(Some(Key::new(jwk.kid, material, algorithms)?))
}

fn rsa(jwk: &Jwk) -> Option<Material> {
    let (n, e) = (BigUint::from_bytes_be(&decode(&jwk.n)?), BigUint::from_bytes_be(&decode(&jwk.e)?));
    RsaPublicKey::new(n, e).ok().map(Material::Rsa)
}

/// The uncompressed form of SEC 1 section 2.3.3; its reader checks that the point is on the curve.
fn point(jwk: &Jwk) -> Option<Vec<u8>> {
    Some([vec![4], decode(&jwk.x)?, decode(&jwk.y)?].concat())
}

fn ed25519(jwk: &Jwk) -> Option<Material> {
    let bytes = decode(&jwk.x)?.try_into().ok()?;
    ed25519_dalek::VerifyingKey::from_bytes(&bytes).ok().map(Material::Ed25519)
}

fn decode(text: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()
}
