//! The boundary: what a hook returned, made into types that cannot break HTTP, or refused.
//!
//! Nothing past this file sees a string that a plugin wrote as a header, a status or a path.

pub(crate) mod fuzz;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::bindings::{
    authorizer, gatehouse::plugin::types, request_body_filter as body, request_chunk_filter as chunk,
    request_filter as request, response_body_filter as response_body, response_filter as response,
};
use crate::exchange::isomorphic_encode;

/// The most header edits, headers or attributes in one answer of a hook.
const MOST: usize = 256;

/// The most bytes of the names and values of them together.
const MOST_BYTES: usize = 64 << 10;

/// Why an answer of a hook cannot be used.
pub(super) type Refused = String;

/// A change to a header section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeaderEdit {
    /// Replaces all of that name.
    Set(HeaderName, HeaderValue),
    /// Adds one.
    Append(HeaderName, HeaderValue),
    /// Removes all of that name.
    Remove(HeaderName),
}

impl HeaderEdit {
    /// Makes the change.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        match self {
            Self::Set(name, value) => drop(headers.insert(name.clone(), value.clone())),
            Self::Append(name, value) => drop(headers.append(name.clone(), value.clone())),
            Self::Remove(name) => drop(headers.remove(name)),
        }
    }
}

/// What an authorizer said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// The request may pass.
    Allow(Grant),
    /// It may not.
    Deny(Denial),
    /// The next authorizer is asked.
    Abstain,
}

impl Verdict {
    /// Bytes of the texts in it.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Abstain => 0,
            Self::Allow(grant) => {
                let attributes = grant.attributes.iter().map(|(name, value)| name.len() + value.len());
                let edits = grant.edits.iter().map(|edit| match edit {
                    HeaderEdit::Set(name, value) | HeaderEdit::Append(name, value) => name.as_str().len() + value.len(),
                    HeaderEdit::Remove(name) => name.as_str().len(),
                });
                attributes.chain(edits).sum()
            }
            Self::Deny(Denial { reply, reason, .. }) => {
                let headers = reply.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
                headers.sum::<usize>() + reply.body.len() + reason.as_ref().map_or(0, String::len)
            }
        }
    }
}

/// The request may pass, with this.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grant {
    /// By full name, `auth.` in front. Shared: the cache hands a grant out many times.
    pub(crate) attributes: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) edits: Vec<HeaderEdit>,
    /// Seconds.
    pub(crate) max_age: Option<u32>,
}

/// The request may not pass; this is the answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Denial {
    pub(crate) reply: PluginReply,
    pub(crate) reason: Option<String>,
    /// Seconds.
    pub(crate) max_age: Option<u32>,
}

/// A whole answer made by a plugin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PluginReply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Changes to a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RequestEdit {
    pub(crate) method: Option<Method>,
    pub(crate) path: Option<String>,
    pub(crate) query: Option<String>,
    pub(crate) headers: Vec<HeaderEdit>,
    /// Without the plugin's name.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) body: Option<Bytes>,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RequestAction {
    Unchanged,
    Edit(RequestEdit),
    Respond(PluginReply),
}

/// Changes to a response.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ResponseEdit {
    pub(crate) status: Option<StatusCode>,
    pub(crate) headers: Vec<HeaderEdit>,
    /// Without the plugin's name.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) body: Option<Bytes>,
}

/// What becomes of a response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ResponseAction {
    Unchanged,
    Edit(ResponseEdit),
    Replace(PluginReply),
}

/// What becomes of a piece of a body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ChunkAction {
    Unchanged,
    Replace(Bytes),
    Respond(PluginReply),
}

/// Checks what a hook returned.
pub(super) trait Checked<T> {
    fn checked(self) -> Result<T, Refused>;
}

impl Checked<Verdict> for authorizer::Verdict {
    fn checked(self) -> Result<Verdict, Refused> {
        Ok(match self {
            Self::Abstain => Verdict::Abstain,
            Self::Allow(grant) => {
                let attributes = attributes(grant.attributes)?;
                let own = attributes.into_iter().map(|(name, value)| (format!("auth.{name}").into(), value.into()));
                bounded_bytes(grant.principal.iter().map(String::len), "the principal")?;
                let principal = grant.principal.map(|principal| ("auth.principal".into(), principal.into()));
                let attributes = own.chain(principal).collect();
                Verdict::Allow(Grant { attributes, edits: edits(grant.request_headers)?, max_age: grant.max_age })
            }
            Self::Deny(denial) => {
                let reply = reply(denial.status, denial.headers, denial.body)?;
                if !(400..600).contains(&denial.status) {
                    return Err(format!("a denial with status {}: it takes 400 to 599", denial.status));
                }
                Verdict::Deny(Denial { reply, reason: denial.reason, max_age: denial.max_age })
            }
        })
    }
}

impl Checked<RequestAction> for request::RequestAction {
    fn checked(self) -> Result<RequestAction, Refused> {
        Ok(match self {
            Self::Unchanged => RequestAction::Unchanged,
            Self::Edit(edit) => RequestAction::Edit(request_edit(edit, None)?),
            Self::Respond(answer) => RequestAction::Respond(answer.checked()?),
        })
    }
}

impl Checked<RequestAction> for body::RequestBodyAction {
    fn checked(self) -> Result<RequestAction, Refused> {
        Ok(match self {
            Self::Unchanged => RequestAction::Unchanged,
            Self::Edit(edit) => RequestAction::Edit(request_edit(edit.request, edit.body)?),
            Self::Respond(answer) => RequestAction::Respond(answer.checked()?),
        })
    }
}

impl Checked<ResponseAction> for response::ResponseAction {
    fn checked(self) -> Result<ResponseAction, Refused> {
        Ok(match self {
            Self::Unchanged => ResponseAction::Unchanged,
            Self::Edit(edit) => ResponseAction::Edit(response_edit(edit, None)?),
            Self::Replace(answer) => ResponseAction::Replace(answer.checked()?),
        })
    }
}

impl Checked<ResponseAction> for response_body::ResponseBodyAction {
    fn checked(self) -> Result<ResponseAction, Refused> {
        Ok(match self {
            Self::Unchanged => ResponseAction::Unchanged,
            Self::Edit(edit) => ResponseAction::Edit(response_edit(edit.response, edit.body)?),
            Self::Replace(answer) => ResponseAction::Replace(answer.checked()?),
        })
    }
}

impl Checked<ChunkAction> for chunk::ChunkAction {
    fn checked(self) -> Result<ChunkAction, Refused> {
        Ok(match self {
            Self::Unchanged => ChunkAction::Unchanged,
            Self::Replace(bytes) => ChunkAction::Replace(bytes.into()),
            Self::Respond(answer) => ChunkAction::Respond(answer.checked()?),
        })
    }
}

impl Checked<PluginReply> for types::Reply {
    fn checked(self) -> Result<PluginReply, Refused> {
        reply(self.status, self.headers, self.body)
    }
}

fn request_edit(edit: request::RequestEdit, body: Option<Vec<u8>>) -> Result<RequestEdit, Refused> {
    let line = [&edit.method, &edit.path, &edit.query];
    bounded_bytes(line.into_iter().flatten().map(String::len), "a request line")?;
    let method = edit.method.map(|method| match Method::from_bytes(method.as_bytes()) {
        Ok(method) if method != Method::CONNECT => Ok(method),
        _ => Err(format!("the method {method:?}")),
    });
    let path = edit.path.map(|path| match crate::path::canonical(&path) {
        Ok(canonical) => Ok(canonical.into_owned()),
        Err(why) => Err(format!("the path {path:?}: {why}")),
    });
    if let Some(query) = edit.query.as_deref().filter(|query| !is_query(query)) {
        return Err(format!(
            "the query {query:?}: it has characters that must be percent-encoded (RFC 3986 section 3.4)"
        ));
    }
    Ok(RequestEdit {
        method: method.transpose()?,
        path: path.transpose()?,
        query: edit.query,
        headers: edits(edit.headers)?,
        attributes: attributes(edit.attributes)?,
        body: body.map(Bytes::from),
    })
}

fn response_edit(edit: response::ResponseEdit, body: Option<Vec<u8>>) -> Result<ResponseEdit, Refused> {
    Ok(ResponseEdit {
        status: edit.status.map(status).transpose()?,
        headers: edits(edit.headers)?,
        attributes: attributes(edit.attributes)?,
        body: body.map(Bytes::from),
    })
}

fn is_query(query: &str) -> bool {
    query.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'#' | b'<' | b'>' | b'"' | b'\\'))
}

fn reply(code: u16, list: Vec<types::Header>, body: Vec<u8>) -> Result<PluginReply, Refused> {
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

fn status(code: u16) -> Result<StatusCode, Refused> {
    match StatusCode::from_u16(code) {
        Ok(status) if (200..600).contains(&code) => Ok(status),
        _ => Err(format!("the status {code}: it takes 200 to 599")),
    }
}

fn edits(list: Vec<types::HeaderEdit>) -> Result<Vec<HeaderEdit>, Refused> {
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
    let bytes = isomorphic_encode(&header.value).ok_or_else(|| unusable("a character above U+00FF"))?;
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

fn attributes(list: Vec<types::Attribute>) -> Result<Vec<(String, String)>, Refused> {
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

fn bounded_bytes(sizes: impl Iterator<Item = usize>, what: &str) -> Result<(), Refused> {
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
