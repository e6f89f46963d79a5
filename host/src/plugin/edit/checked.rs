//! What each hook returned, made into what the gateway does: as a whole, or not at all.

use bytes::Bytes;
use http::Method;

use super::{
    ChunkAction, Denial, Grant, PluginReply, Refused, RequestAction, RequestEdit, ResponseAction, ResponseEdit,
    Verdict,
    part::{attributes, bounded_bytes, edits, is_query, reply, status},
};
use crate::plugin::bindings::{
    authorizer, gatehouse::plugin::types, request_body_filter as body, request_chunk_filter as chunk,
    request_filter as request, response_body_filter as response_body, response_filter as response,
};

/// Checks what a hook returned.
pub(in crate::plugin) trait Checked<T> {
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
