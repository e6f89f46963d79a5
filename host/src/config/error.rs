//! What failures are answered with, instead of the gateway's own answer.

use http::{HeaderName, HeaderValue, StatusCode};

use super::Template;

/// `[errors.CODE]`, `[errors.4xx]`, `[errors.5xx]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The failure's code, or the class of its status where no table has the code.
    pub code: String,
    /// Default the failure's own.
    pub status: Option<StatusCode>,
    /// Set on the answer; default none.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Default the gateway's own, `{"code": ..., "message": ..., "request_id": ...}`.
    pub body: Option<ErrorBody>,
}

/// The body of an answer to a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// What it is put together of.
    pub text: Template,
    /// What values are made harmless for.
    pub form: TextForm,
}

/// What a text is, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    /// `application/json`, `TYPE/SUBTYPE+json`: values stand within strings.
    Json,
    /// `text/html`, XML: values are text, or stand within quoted attributes.
    Markup,
    /// Anything else: values are as they are.
    Plain,
}
