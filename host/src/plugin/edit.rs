//! The boundary: what a hook returned, made into types that cannot break HTTP, or refused.
//!
//! Here are the types; `checked` makes them of a hook's answer, out of parts that `part` has checked. Nothing past these
//! files sees a string that a plugin wrote as a header, a status or a path.

mod checked;
pub(crate) mod fuzz;
mod part;

pub(super) use checked::Checked;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::logs::foreign;

/// Why an answer of a hook cannot be used.
type Refused = String;

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
    pub(crate) fn apply(self, headers: &mut HeaderMap) {
        match self {
            Self::Set(name, value) => drop(headers.insert(name, value)),
            Self::Append(name, value) => drop(headers.append(name, value)),
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

/// In a few words, for the log.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abstain => f.write_str("abstain"),
            Self::Allow(grant) => {
                let principal = grant.attributes.iter().find(|(name, _)| **name == *"auth.principal");
                f.write_str("allow")?;
                principal.map_or(Ok(()), |(_, who)| write!(f, " {}", foreign(who, 64)))
            }
            Self::Deny(denial) => {
                write!(f, "deny {}", denial.reply.status.as_u16())?;
                denial.reason.as_ref().map_or(Ok(()), |why| write!(f, ": {}", foreign(why, 256)))
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

impl RequestAction {
    /// In a word, for the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Unchanged => "request unchanged",
            Self::Edit(_) => "request edited",
            Self::Respond(_) => "request answered",
        }
    }
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

impl ResponseAction {
    /// In a word, for the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Unchanged => "response unchanged",
            Self::Edit(_) => "response edited",
            Self::Replace(_) => "response replaced",
        }
    }
}

/// What becomes of a piece of a body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ChunkAction {
    Unchanged,
    Replace(Bytes),
    Respond(PluginReply),
}
