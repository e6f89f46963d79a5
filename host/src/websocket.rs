//! The opening handshake of WebSocket (RFC 6455 section 4): what makes a request one, and what answers it.

mod frames;

pub(crate) use frames::{Frames, GOODBYE_TO_CLIENT, GOODBYE_TO_UPSTREAM};

use data_encoding::BASE64;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version,
    header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// What is put behind a key to answer it (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The key of a request that is a handshake as section 4.2.1 has it, before the headers of its hop are removed. It may
/// offer this one protocol only.
pub(crate) fn key(method: &Method, version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = one(headers, &UPGRADE)?;
    if method != Method::GET || version != Version::HTTP_11 || !protocol.as_bytes().eq_ignore_ascii_case(b"websocket") {
        return None;
    }
    let mut options = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let upgrades = options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
    let version = one(headers, &SEC_WEBSOCKET_VERSION)?;
    let key = one(headers, &SEC_WEBSOCKET_KEY)?;
    let bytes = BASE64.decode(key.as_bytes()).ok()?;
    (upgrades && version == "13" && bytes.len() == 16).then(|| key.clone())
}

/// The value of `Sec-WebSocket-Accept` for a key (section 4.2.2).
pub(crate) fn accept(key: &HeaderValue) -> HeaderValue {
    let text = [key.as_bytes(), GUID].concat();
    let accept = BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &text).as_ref());
    HeaderValue::try_from(accept).expect("base64 has no characters that a header may not have")
}

/// The value of a field that is there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn fields(changed: (&'static str, &'static str)) -> HeaderMap {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in
            good.into_iter().map(|(name, value)| if name == changed.0 { changed } else { (name, value) })
        {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_key_is_answered_as_in_the_rfc() {
        assert_eq!(accept(&HeaderValue::from_static(KEY)), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_handshake_is_one_to_the_letter() {
        let good = fields(("", ""));
        assert_eq!(key(&Method::GET, Version::HTTP_11, &good), Some(HeaderValue::from_static(KEY)));
        for (method, version) in
            [(Method::POST, Version::HTTP_11), (Method::GET, Version::HTTP_10), (Method::GET, Version::HTTP_2)]
        {
            assert_eq!(key(&method, version, &good), None, "{method} {version:?}");
        }
        for changed in [
            ("connection", "keep-alive"),
            ("connection", "x-upgrade"),
            ("upgrade", "h2c"),
            ("upgrade", "websocket, h2c"),
            ("upgrade", "websocket/13"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-version", "13, 8"),
            ("sec-websocket-key", ""),
            ("sec-websocket-key", "c2hvcnQ="),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"),
        ] {
            assert_eq!(key(&Method::GET, Version::HTTP_11, &fields(changed)), None, "{changed:?}");
        }
        for name in ["upgrade", "sec-websocket-version", "sec-websocket-key"] {
            let mut twice = good.clone();
            twice.append(name, good[name].clone());
            assert_eq!(key(&Method::GET, Version::HTTP_11, &twice), None, "{name} twice");
            let mut without = good.clone();
            without.remove(name);
            assert_eq!(key(&Method::GET, Version::HTTP_11, &without), None, "no {name}");
        }
    }
}
