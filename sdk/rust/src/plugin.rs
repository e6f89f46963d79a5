//! What a plugin implements: [`Plugin`] and one trait per hook.

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    ChunkAction, Outcome, Request, RequestAction, RequestBodyAction, Response, ResponseAction, ResponseBodyAction,
    Result, Verdict,
};

/// How a plugin starts.
///
/// A type that implements `Deserialize` has it already: it *is* its configuration.
pub trait Plugin: Sized + 'static {
    /// What the operator configures; [`NoConfig`] when there is nothing.
    type Config: DeserializeOwned;

    /// Makes an instance. It serves many requests, one after the other. An error refuses the configuration: its text is
    /// shown to the operator, and nothing changes in a gateway that is running.
    fn new(config: Self::Config) -> Result<Self>;

    /// A JSON Schema of the configuration: the gateway checks it before anything runs and shows the place in the
    /// operator's file.
    fn config_schema() -> Option<&'static str> {
        None
    }
}

impl<T: DeserializeOwned + 'static> Plugin for T {
    type Config = Self;

    fn new(config: Self) -> Result<Self> {
        Ok(config)
    }
}

/// The configuration of a plugin that has none: any key is refused.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// Decides whether a request may pass. Exported as `authorizer`.
pub trait Authorizer {
    /// What is read of the request here becomes the key under which the gateway keeps the verdict: read what the decision
    /// needs, and no more. An error refuses the request and is never kept.
    fn authorize(&self, request: &Request) -> Result<Verdict>;
}

/// Sees and changes the header section of a request. Exported as `request_filter`.
pub trait RequestFilter {
    /// Called after the authorizers. An error does what the plugin's `on_failure` says.
    fn on_request(&self, request: &Request) -> Result<RequestAction>;
}

/// Sees and changes a whole request body. Exported as `request_body_filter`.
pub trait RequestBodyFilter {
    /// How many bytes of this request's body the plugin wants to see; a longer body is refused with 413. None leaves
    /// the body alone. By default as many as the operator's `limits.body` lets it.
    fn request_body_limit(&self, _request: &Request) -> Option<u64> {
        Some(u64::MAX)
    }

    /// Called with the whole body, empty when there is none.
    fn on_request_body(&self, request: &Request, body: Vec<u8>) -> Result<RequestBodyAction>;
}

/// Sees and changes a request body piece by piece. Exported as `request_chunk_filter`.
pub trait RequestChunkFilter {
    /// Called for each piece in order, and once with `last`, then possibly with an empty piece. The instance stays with
    /// this request until then, so state between pieces may be kept in the plugin (in a `Cell` or `RefCell`).
    fn on_request_chunk(&self, request: &Request, chunk: Vec<u8>, last: bool) -> Result<ChunkAction>;
}

/// Sees and changes the header section of a response. Exported as `response_filter`.
pub trait ResponseFilter {
    /// Called for a response that an upstream or a filter made.
    fn on_response(&self, request: &Request, response: &Response) -> Result<ResponseAction>;
}

/// Sees and changes a whole response body. Exported as `response_body_filter`.
pub trait ResponseBodyFilter {
    /// As [`RequestBodyFilter::request_body_limit`]; a longer body is a 502.
    fn response_body_limit(&self, _request: &Request, _response: &Response) -> Option<u64> {
        Some(u64::MAX)
    }

    /// Called with the whole body, empty when there is none.
    fn on_response_body(&self, request: &Request, response: &Response, body: Vec<u8>) -> Result<ResponseBodyAction>;
}

/// Sees and changes a response body piece by piece. Exported as `response_chunk_filter`.
pub trait ResponseChunkFilter {
    /// As [`RequestChunkFilter::on_request_chunk`].
    fn on_response_chunk(
        &self,
        request: &Request,
        response: &Response,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<ChunkAction>;
}

/// Is told of an exchange that has ended. Exported as `logger`.
pub trait Logger {
    /// Called after the last byte; the client does not wait for it. An error drops this line and is counted.
    fn log(&self, request: &Request, response: &Response, outcome: &Outcome) -> Result<()>;
}
