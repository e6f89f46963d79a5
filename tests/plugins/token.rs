//! Tokens: fixed ones of every algorithm, made by another implementation, and HS256 ones made here for the moment.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Made with PyJWT: key sets, keys as PEM, a token of each algorithm, forgeries. The tokens are alice's, of the issuer
/// `https://issuer.example` for the audience `api`, and hold until the year 2100. The private keys are gone.
pub(super) fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

/// One of the fixed tokens, by its algorithm.
pub(super) fn fixed(algorithm: &str) -> String {
    vectors()["tokens"][algorithm].as_str().unwrap().to_owned()
}

/// A token with these claims, signed with [`SECRET`].
pub(super) fn token(claims: &Value) -> String {
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, SECRET.as_bytes())
}

/// A token with HS256, whatever its header says.
pub(super) fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let signed = unsigned(header, claims);
    let signature = base64url(&hmac(secret, signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Header and claims, without the second dot.
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()))
}

/// Seconds since 1970. Plugins see the real time.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = if key.len() > 64 { Sha256::digest(key).to_vec() } else { key.to_vec() };
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).unwrap_or(&0) ^ with).collect() };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

/// Without padding (RFC 4648 section 5).
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = bytes.chunks(3).flat_map(|three| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(*three.get(at).unwrap_or(&0)));
        (0..=three.len()).map(move |at| char::from(DIGITS[bits >> (18 - 6 * at) & 63]))
    });
    digits.collect()
}
