//! Keys, and checking a signature with one.

use ed25519_dalek::pkcs8::DecodePublicKey as _;
use gatehouse_plugin::Result;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::{
    RsaPublicKey, pkcs1v15, pkcs8::DecodePublicKey as _, pss, sha2 as rsa_sha2, signature::Verifier as _,
    traits::PublicKeyParts as _,
};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::algorithm::{Algorithm, Kind};

/// A key with the algorithms it may be used with.
pub struct Key {
    pub(crate) id: Option<String>,
    algorithms: Vec<Algorithm>,
    material: Material,
}

pub(crate) enum Material {
    Secret(Vec<u8>),
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// Bits of an RSA modulus: less is breakable, more takes too long.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

impl Key {
    /// Without `algorithms`, all that fit the key.
    pub(crate) fn new(id: Option<String>, material: Material, algorithms: Vec<Algorithm>) -> Result<Self, String> {
        let kind = material.kind();
        let algorithms = if algorithms.is_empty() { Algorithm::of(kind) } else { algorithms };
        if let Some(other) = algorithms.iter().find(|it| it.kind() != kind) {
            return Err(format!("{other:?} does not go with a key of this kind"));
        }
        match &material {
            Material::Secret(_) if algorithms.is_empty() => return Err("a secret needs its algorithm".to_owned()),
            Material::Secret(secret) => {
                let least = algorithms.iter().map(|it| it.least_secret()).max().unwrap_or_default();
                if secret.len() < least {
                    return Err(format!(
                        "the secret has {} bytes and needs {least} (RFC 7518 section 3.2)",
                        secret.len()
                    ));
                }
            }
            Material::Rsa(key) if !RSA_BITS.contains(&key.n().bits()) => {
                return Err(format!("the RSA key has {} bits, allowed are {RSA_BITS:?}", key.n().bits()));
            }
            _ => {}
        }
        Ok(Self { id, algorithms, material })
    }

    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.material, Material::Secret(_))
    }

    /// Whether a signature is of this key, made with that algorithm.
    pub(crate) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.algorithms.contains(&algorithm) && self.material.verifies(algorithm, signed, signature).is_some()
    }
}

impl Material {
    /// A public key as PEM (`-----BEGIN PUBLIC KEY-----`), of whichever kind.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, String> {
        let pem = pem.trim();
        let rsa = || RsaPublicKey::from_public_key_pem(pem).ok().map(Self::Rsa);
        let p256 = || p256::ecdsa::VerifyingKey::from_public_key_pem(pem).ok().map(Self::P256);
        let p384 = || p384::ecdsa::VerifyingKey::from_public_key_pem(pem).ok().map(Self::P384);
        let ed25519 = || ed25519_dalek::VerifyingKey::from_public_key_pem(pem).ok().map(Self::Ed25519);
        rsa().or_else(p256).or_else(p384).or_else(ed25519).ok_or_else(|| {
            "not a public key in PEM (`-----BEGIN PUBLIC KEY-----`) of RSA (up to 4096 bits), P-256, P-384 or Ed25519".to_owned()
        })
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Secret(_) => Kind::Secret,
            Self::Rsa(_) => Kind::Rsa,
            Self::P256(_) => Kind::P256,
            Self::P384(_) => Kind::P384,
            Self::Ed25519(_) => Kind::Ed25519,
        }
    }

    /// None when the signature is wrong, or the algorithm is not one of this kind of key.
    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Option<()> {
        match (self, algorithm) {
            (Self::Secret(secret), Algorithm::HS256) => hmac::<Hmac<Sha256>>(secret, signed, signature),
            (Self::Secret(secret), Algorithm::HS384) => hmac::<Hmac<Sha384>>(secret, signed, signature),
            (Self::Secret(secret), Algorithm::HS512) => hmac::<Hmac<Sha512>>(secret, signed, signature),
            (Self::Rsa(key), Algorithm::PS256) => {
                let signature = pss::Signature::try_from(signature).ok()?;
                pss::VerifyingKey::<rsa_sha2::Sha256>::new(key.clone()).verify(signed, &signature).ok()
            }
            (Self::Rsa(key), algorithm) => {
                let signature = pkcs1v15::Signature::try_from(signature).ok()?;
                let key = key.clone();
                match algorithm {
                    Algorithm::RS256 => {
                        pkcs1v15::VerifyingKey::<rsa_sha2::Sha256>::new(key).verify(signed, &signature).ok()
                    }
                    Algorithm::RS384 => {
                        pkcs1v15::VerifyingKey::<rsa_sha2::Sha384>::new(key).verify(signed, &signature).ok()
                    }
                    Algorithm::RS512 => {
                        pkcs1v15::VerifyingKey::<rsa_sha2::Sha512>::new(key).verify(signed, &signature).ok()
                    }
                    _ => None,
                }
            }
            (Self::P256(key), Algorithm::ES256) => {
                key.verify_prehash(&Sha256::digest(signed), &p256::ecdsa::Signature::from_slice(signature).ok()?).ok()
            }
            (Self::P384(key), Algorithm::ES384) => {
                key.verify_prehash(&Sha384::digest(signed), &p384::ecdsa::Signature::from_slice(signature).ok()?).ok()
            }
            (Self::Ed25519(key), Algorithm::EdDSA) => {
                key.verify_strict(signed, &ed25519_dalek::Signature::from_slice(signature).ok()?).ok()
            }
            _ => None,
        }
    }
}

/// Compares in constant time.
fn hmac<M: Mac + KeyInit>(secret: &[u8], signed: &[u8], signature: &[u8]) -> Option<()> {
    M::new_from_slice(secret).ok()?.chain_update(signed).verify_slice(signature).ok()
}

/// The keys of an issuer.
#[derive(Default)]
pub struct KeySet(pub(crate) Vec<Key>);

impl KeySet {
    /// Whether there is a key with that id.
    pub fn knows(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that a token with that id may be signed with: a key without an id may be any.
    pub(crate) fn candidates(&self, id: Option<&str>) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| id.is_none() || key.id.is_none() || key.id.as_deref() == id)
    }
}
