//! A plugin for tests that sees whole bodies.
//!
//! ```toml
//! [plugins.probe-body.config]
//! request = { upper = true, reject = "virus" }
//! response = { upper = true, reject = "secret", limit = 1024 }
//! ```
//!
//! For each way: `limit` is how many bytes it wants to see (default: as many as it may); `off` wants none; a body with the
//! word `reject` is answered with a 422; `upper` makes ASCII letters large; `fail` is the text of an error.
//! When it changes a body it also sets the header `x-body-bytes` to the length it saw.

use gatehouse_plugin::prelude::*;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct ProbeBody {
    request: Way,
    response: Way,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Way {
    off: bool,
    limit: Option<u64>,
    reject: String,
    upper: bool,
    fail: Option<String>,
}

enum Outcome {
    Unchanged,
    New(Vec<u8>),
    Rejected,
}

impl Way {
    fn limit(&self) -> Option<u64> {
        if self.off { None } else { Some(self.limit.unwrap_or(u64::MAX)) }
    }

    fn apply(&self, body: &[u8]) -> Result<Outcome> {
        if let Some(text) = &self.fail {
            Err(text)?;
        }
        let word = self.reject.as_bytes();
        if !word.is_empty() && body.windows(word.len()).any(|it| it == word) {
            return Ok(Outcome::Rejected);
        }
        Ok(if self.upper { Outcome::New(body.to_ascii_uppercase()) } else { Outcome::Unchanged })
    }
}

impl RequestBodyFilter for ProbeBody {
    fn request_body_limit(&self, _request: &Request) -> Option<u64> {
        self.request.limit()
    }

    fn on_request_body(&self, _request: &Request, body: Vec<u8>) -> Result<RequestBodyAction> {
        match self.request.apply(&body)? {
            Outcome::Unchanged => Ok(RequestBodyAction::Unchanged),
            Outcome::New(new) => RequestEdit::new().set_header("x-body-bytes", body.len().to_string()).body(new).into(),
            Outcome::Rejected => Reply::new(422).text("rejected").into(),
        }
    }
}

impl ResponseBodyFilter for ProbeBody {
    fn response_body_limit(&self, _request: &Request, _response: &Response) -> Option<u64> {
        self.response.limit()
    }

    fn on_response_body(&self, _request: &Request, _response: &Response, body: Vec<u8>) -> Result<ResponseBodyAction> {
        match self.response.apply(&body)? {
            Outcome::Unchanged => Ok(ResponseBodyAction::Unchanged),
            Outcome::New(new) => {
                ResponseEdit::new().set_header("x-body-bytes", body.len().to_string()).body(new).into()
            }
            Outcome::Rejected => Reply::new(422).text("rejected").into(),
        }
    }
}

export!(ProbeBody: request_body_filter, response_body_filter);
