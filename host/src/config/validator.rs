//! What the requests of a route must have.

use std::path::PathBuf;

use http::HeaderName;

/// `[validators.NAME]`: what a request must have to go on, once it is authorized. AWS: a request validator with its model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// Its name.
    pub name: String,
    /// Headers that must be there and not blank.
    pub required_headers: Vec<HeaderName>,
    /// Query parameters that must be there and not blank.
    pub required_query: Vec<String>,
    /// What bodies must be; default: anything.
    pub body: Option<BodyRule>,
    /// What an OpenAPI document says of requests; instead of `body`.
    pub openapi: Option<OpenApi>,
}

/// Which operations of which document requests are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenApi {
    /// `openapi`: the document's file.
    pub document: PathBuf,
    /// `operation`: an `operationId`, or `GET /pets/{id}`; none: that of the request's method and path.
    pub operation: Option<String>,
    /// `base_path`: what comes before the document's paths; default empty.
    pub base_path: String,
    /// `checks`: whether parameters are held against it; default true.
    pub parameters: bool,
    /// `checks`: whether bodies are; default true.
    pub body: bool,
    /// `body_bytes`: a longer body is 413; default 1 MiB.
    pub bytes: u64,
}

/// What a body must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyRule {
    /// `body`: the file of the JSON Schema.
    pub schema: PathBuf,
    /// `body_required`: whether a request without a body is refused; default true.
    pub required: bool,
    /// `body_bytes`: a longer body is 413; default 1 MiB. That of the route or of `[limits]` holds too.
    pub bytes: u64,
    /// `content_types`: what it may say that it is, lower case; none: `application/json` and all that end in `+json`.
    pub content_types: Vec<String>,
}
