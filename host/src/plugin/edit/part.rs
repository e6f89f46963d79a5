//! The parts of a hook's answer: headers, statuses, attributes, each within its bounds and one that HTTP can carry.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{HeaderEdit, PluginReply, Refused};
use crate::{exchange::isomorphic_encode, plugin::bindings::gatehouse::plugin::types};

/// The most header edits, headers or attributes in one answer of a hook.
const MOST: usize = 256;

/// The most bytes of the names and values of them together.
const MOST_BYTES: usize = 64 << 10;

pub(super) fn is_query(query: &str) -> bool {
    query.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'#' | b'<' | b'>' | b'"' | b'\\'))
}

pub(super) fn reply(code: u16, list: Vec<types::Header>, body: Vec<u8>) -> Result<PluginReply, Refused> {
    let status = status(code)?;
    let bodiless = matches!(code, 204 | 205 | 304);
    if bodiless && !body.is_empty() {
        return Err(format!("a body with status {code} (RFC 9110 section 6.4.1)"));
    }
    bounded(list.len(), "headers")?;
    bounded_bytes(list.iter().map(size), "headers")?;
    let mut headers = HeaderMap::with_capacity(list.len());
    for header in list {
        let (name, value) = field(header)?;
        headers.append(name, value);
    }
    Ok(PluginReply { status, headers, body: body.into() })
}

pub(super) fn status(code: u16) -> Result<StatusCode, Refused> {
    match StatusCode::from_u16(code) {
        Ok(status) if (200..600).contains(&code) => Ok(status),
        _ => Err(format!("the status {code}: it takes 200 to 599")),
    }
}

pub(super) fn edits(list: Vec<types::HeaderEdit>) -> Result<Vec<HeaderEdit>, Refused> {
    bounded(list.len(), "header edits")?;
    let sizes = list.iter().map(|edit| match edit {
        types::HeaderEdit::Set(header) | types::HeaderEdit::Append(header) => size(header),
        types::HeaderEdit::Remove(name) => name.len(),
    });
    bounded_bytes(sizes, "header edits")?;
    let edit = |edit| {
        Ok(match edit {
            types::HeaderEdit::Set(header) => field(header).map(|(name, value)| HeaderEdit::Set(name, value))?,
            types::HeaderEdit::Append(header) => field(header).map(|(name, value)| HeaderEdit::Append(name, value))?,
            types::HeaderEdit::Remove(name) => HeaderEdit::Remove(header_name(&name)?),
        })
    };
    list.into_iter().map(edit).collect()
}

fn field(header: types::Header) -> Result<(HeaderName, HeaderValue), Refused> {
    let name = header_name(&header.name)?;
    let unusable = |why: &str| format!("the value of header `{name}`: {why}");
    let bytes = isomorphic_encode(header.value).ok_or_else(|| unusable("a character above U+00FF"))?;
    let value = HeaderValue::from_maybe_shared(Bytes::from(bytes)).map_err(|_| unusable("a control character"))?;
    Ok((name, value))
}

/// A header that a plugin may touch: not one that frames the message or belongs to a connection.
fn header_name(name: &str) -> Result<HeaderName, Refused> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("the header name {name:?}"))?;
    let owned_by_host = [
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    match owned_by_host.contains(&parsed.as_str()) {
        true => Err(format!("the header `{parsed}`: it is the gateway's")),
        false => Ok(parsed),
    }
}

pub(super) fn attributes(list: Vec<types::Attribute>) -> Result<Vec<(String, String)>, Refused> {
    bounded(list.len(), "attributes")?;
    bounded_bytes(list.iter().map(|attribute| attribute.name.len() + attribute.value.len()), "attributes")?;
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= 128
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    };
    list.into_iter()
        .map(|attribute| match is_name(&attribute.name) {
            true => Ok((attribute.name, attribute.value)),
            false => Err(format!("the attribute name {:?}", attribute.name)),
        })
        .collect()
}

fn size(header: &types::Header) -> usize {
    header.name.len() + header.value.len()
}

pub(super) fn bounded_bytes(sizes: impl Iterator<Item = usize>, what: &str) -> Result<(), Refused> {
    match sizes.sum::<usize>() {
        bytes if bytes > MOST_BYTES => Err(format!("{bytes} bytes of {what}: {MOST_BYTES} at most")),
        _ => Ok(()),
    }
}

fn bounded(count: usize, what: &str) -> Result<(), Refused> {
    match count > MOST {
        true => Err(format!("{count} {what}: {MOST} at most")),
        false => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> types::Header {
        types::Header { name: name.into(), value: value.into() }
    }

    #[test]
    fn a_header_with_any_control_byte_is_refused() {
        for byte in (0..=255u8).map(char::from) {
            let allowed = byte == '\t' || (byte >= ' ' && byte != '\u{7f}');
            assert_eq!(field(header("x-a", &format!("a{byte}b"))).is_ok(), allowed, "{byte:?}");
        }
        assert!(field(header("x-a", "\u{100}")).is_err());
    }

    #[test]
    fn framing_headers_are_the_hosts() {
        for name in ["Content-Length", "transfer-encoding", "HOST", "connection", "x y", "", ":path", "a\r\nb"] {
            assert!(header_name(name).is_err(), "{name:?}");
        }
        assert!(header_name("X-User").is_ok());
    }

    #[test]
    fn a_status_or_body_that_breaks_the_message_is_refused() {
        assert!([0, 99, 100, 101, 199, 600, 1000].into_iter().all(|code| status(code).is_err()));
        assert!(reply(204, vec![], b"x".to_vec()).is_err());
        assert!(reply(304, vec![], vec![]).is_ok());
    }
}
