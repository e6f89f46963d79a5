//! What becomes of a route's requests.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use super::Template;

/// What becomes of a route's requests, once the chain has let them pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `upstream`: an index into [`Config::upstreams`].
    Upstream(usize),
    /// `redirect`
    Redirect(Redirect),
    /// `respond`
    Respond(Respond),
}

/// `redirect`: the client is sent elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The value of `Location`.
    pub to: Template,
    /// Default 307: the same request, and nobody remembers it.
    pub status: Option<StatusCode>,
}

/// `respond`: an answer that the configuration writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respond {
    /// Default 200.
    pub status: StatusCode,
    /// Default none, but a `content-type` of plain text where there is a body.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Default empty.
    pub body: Bytes,
}
