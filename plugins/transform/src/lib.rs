//! Changes requests on their way to the upstream and responses on their way back: headers, path, query, JSON bodies.
//!
//! All references in one hook see the message as it was before this plugin changed it.

mod config;
mod headers;
mod json;
mod target;
mod template;

use gatehouse_plugin::prelude::*;

use config::Config;
use template::Scope;

/// What describes the bytes of a body, and is wrong once they have changed.
const STALE: [&str; 6] = ["etag", "content-md5", "digest", "content-digest", "repr-digest", "accept-ranges"];

/// What would make the upstream answer with something else than the whole body in plain JSON.
const PARTIAL: [&str; 3] = ["accept-encoding", "range", "if-range"];

struct Transform(Config);

impl Plugin for Transform {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        config.check()?;
        Ok(Self(config))
    }

    fn config_schema() -> Option<&'static str> {
        Some(config::SCHEMA)
    }
}

impl RequestFilter for Transform {
    fn on_request(&self, request: &Request) -> Result<RequestAction> {
        let rules = &self.0.request;
        let scope = Scope { request, response: None };
        let mut edit = RequestEdit {
            path: target::path(rules, scope),
            query: target::query(&rules.query, scope),
            headers: headers::edits(&rules.headers, |name| request.header_values(name), scope),
            ..RequestEdit::new()
        };
        if !edit.path.as_deref().is_none_or(target::is_clear) {
            return Reply::new(400).into();
        }
        if !self.0.response.body.is_empty() {
            edit.headers.extend(PARTIAL.map(|name| HeaderEdit::Remove(name.to_owned())));
        }
        if edit == RequestEdit::new() { Ok(RequestAction::Unchanged) } else { edit.into() }
    }
}

impl RequestBodyFilter for Transform {
    fn request_body_limit(&self, request: &Request) -> Option<u64> {
        let wanted = !self.0.request.body.is_empty() && json::is_json(request.header("content-type"));
        wanted.then_some(u64::MAX)
    }

    fn on_request_body(&self, request: &Request, body: Vec<u8>) -> Result<RequestBodyAction> {
        if body.is_empty() {
            return Ok(RequestBodyAction::Unchanged);
        }
        if json::is_encoded(request.header("content-encoding")) {
            return Reply::new(415).header("accept-encoding", "identity").into();
        }
        let scope = Scope { request, response: None };
        match json::edit(&body, &self.0.request.body, scope) {
            Ok(body) => RequestEdit::new().body(body).into(),
            Err(error) => {
                info!("the request's body is not JSON: {error}");
                Reply::new(400).json(json!({ "error": "invalid_json" })).into()
            }
        }
    }
}

impl ResponseFilter for Transform {
    fn on_response(&self, request: &Request, response: &Response) -> Result<ResponseAction> {
        let rules = &self.0.response;
        let scope = Scope { request, response: Some(response) };
        let headers = headers::edits(&rules.headers, |name| response.header_values(name), scope);
        let edit = ResponseEdit { status: rules.status, headers, ..ResponseEdit::new() };
        if edit == ResponseEdit::new() { Ok(ResponseAction::Unchanged) } else { edit.into() }
    }
}

impl ResponseBodyFilter for Transform {
    fn response_body_limit(&self, _request: &Request, response: &Response) -> Option<u64> {
        let wanted = !self.0.response.body.is_empty() && json::is_json(response.header("content-type"));
        wanted.then_some(u64::MAX)
    }

    fn on_response_body(&self, request: &Request, response: &Response, body: Vec<u8>) -> Result<ResponseBodyAction> {
        if body.is_empty() {
            return Ok(ResponseBodyAction::Unchanged);
        }
        if json::is_encoded(response.header("content-encoding")) {
            Err("the response's body is encoded although the request did not accept that")?;
        }
        let body = json::edit(&body, &self.0.response.body, Scope { request, response: Some(response) })
            .map_err(|error| format!("the response's body is not JSON: {error}"))?;
        let edit = STALE.iter().fold(ResponseEdit::new(), |edit, name| edit.remove_header(*name));
        edit.body(body).into()
    }
}

export!(Transform: request_filter, request_body_filter, response_filter, response_body_filter);

#[cfg(test)]
mod tests;
