//! Reads of the response that is on its way to the client.

use crate::Header;
#[cfg(target_arch = "wasm32")]
use crate::bindings::gatehouse::plugin::response;
#[cfg(not(target_arch = "wasm32"))]
use crate::test::imports::response;

/// The response that is on its way to the client. It holds nothing: each method asks the gateway.
#[derive(Debug)]
pub struct Response(pub(crate) ());

impl Response {
    /// The status code.
    pub fn status(&self) -> u16 {
        response::status()
    }

    /// The value of a header; of several fields with that name all values, joined by `, `.
    pub fn header(&self, name: &str) -> Option<String> {
        response::header(name)
    }

    /// The values of all header fields with that name.
    pub fn header_values(&self, name: &str) -> Vec<String> {
        response::header_values(name)
    }

    /// All header fields.
    pub fn headers(&self) -> Vec<Header> {
        response::headers()
    }
}
