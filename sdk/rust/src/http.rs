//! Requests to other servers. Needs the grant `http` for their origins.
//!
//! Sending waits for the answer; meanwhile the gateway serves other requests with other instances. How long a hook may
//! wait in all is the plugin's `limits.time`.

#[cfg(target_arch = "wasm32")]
mod send;

use std::time::Duration;

use crate::Result;
#[cfg(not(target_arch = "wasm32"))]
use crate::test::imports::http as send;

/// Sends a GET request.
///
/// # Errors
/// When no answer came, whatever the reason; an answer of any status is none.
pub fn get(url: &str) -> Result<Response> {
    Request::new("GET", url).send()
}

/// A request to another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, in upper case.
    pub method: String,
    /// `https://host:port/path?query`.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long to wait for the connection, for the header section of the answer, and between bytes of its body.
    pub timeout: Option<Duration>,
    /// The longest body of an answer that is taken, in bytes; default 1 MiB.
    pub limit: usize,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
            limit: 1024 * 1024,
        }
    }

    /// Adds a header field.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// How long to wait for the connection, for the header section of the answer, and between bytes of its body.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The longest body of an answer that is taken, in bytes.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Sends it and waits for the answer with its body.
    ///
    /// # Errors
    /// As [`get`].
    pub fn send(&self) -> Result<Response> {
        send::send(self)
    }
}

/// The answer of another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer, for tests.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
