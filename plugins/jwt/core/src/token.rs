//! A token in the compact form of RFC 7515 section 7.1.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_plugin::serde_json::{self, Map, Value};
use serde::Deserialize;

/// A token that has the right form. Nothing in it is to be believed before its signature was checked.
pub(crate) struct Token<'a> {
    pub(crate) header: Header,
    pub(crate) signed: &'a [u8],
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

/// What is looked at. A key or URL in a token's header is not.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
    /// Extensions that must be understood. None are.
    pub(crate) crit: Option<Value>,
}

impl<'a> Token<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // A further dot makes the payload no base64.
        Some(Self { header, signed: signed.as_bytes(), signature, payload })
    }

    /// The claims. Call it when the signature was checked.
    pub(crate) fn claims(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(self.payload).ok()?).ok()
    }
}
