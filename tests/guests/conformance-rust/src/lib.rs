//! The subject of the conformance battery: the same plugin in every language, run through the same cases
//! (`tests/conformance.rs`). What it does is told by headers of the request, so each hook shows all that it can do.

use std::cell::Cell;

use gatehouse_plugin::{http, prelude::*};

struct Subject {
    secret: String,
    url: String,
    /// How often this instance was asked to authorize.
    seen: Cell<u32>,
    /// Bytes of the body that is passing.
    counted: Cell<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    secret: String,
    #[serde(default)]
    url: String,
}

impl Plugin for Subject {
    type Config = Config;

    fn new(Config { secret, url }: Config) -> Result<Self> {
        if secret.is_empty() {
            return Err("`secret` is empty".into());
        }
        Ok(Self { secret, url, seen: Cell::new(0), counted: Cell::new(0) })
    }
}

impl Authorizer for Subject {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        self.seen.set(self.seen.get() + 1);
        let seen = self.seen.get().to_string();
        match request.header("x-act").as_deref() {
            Some("key") => match same_secret(&request.header("x-key").unwrap_or_default(), &self.secret) {
                true => Verdict::allow("key-holder").attribute("seen", seen).max_age(60).into(),
                false => Verdict::deny(403).json(json!({ "error": "unknown key" })).max_age(0).into(),
            },
            Some("deny") => Verdict::deny(402)
                .header("x-reason", "money")
                .header("www-authenticate", "Pay")
                .body("no money")
                .reason("out of money")
                .into(),
            Some("abstain") => Ok(Verdict::Abstain),
            Some("error") => Err("the subject was asked to fail".into()),
            Some("loop") => loop {
                self.seen.set(self.seen.get().wrapping_add(1));
            },
            Some("echo") => echo(request),
            Some("fetch") => self.fetch(),
            _ => Verdict::allow("alice")
                .attribute("plan", "gold")
                .attribute("seen", seen)
                .set_header("x-verdict", "allow")
                .max_age(0)
                .into(),
        }
    }
}

/// Tells the upstream all that can be read.
fn echo(request: &Request) -> Result<Verdict> {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    Grant::anonymous()
        .set_header("x-method", request.method())
        .set_header("x-path", request.path())
        .set_header("x-query", or_none(request.query()))
        .set_header("x-q", or_none(request.query_param("q")))
        .set_header("x-qs", request.query_params("q").join("|"))
        .set_header("x-p", or_none(request.path_param("p")))
        .set_header("x-scheme", request.scheme())
        .set_header("x-bytes", or_none(request.header("x-bytes")))
        .set_header("x-cookie", or_none(request.cookie("c")))
        .set_header("x-bearer", or_none(request.bearer()))
        .set_header("x-values", request.header_values("x-multi").join("|"))
        .set_header("x-client", request.client_ip())
        .set_header("x-route", request.route())
        .append_header("x-appended", "1")
        .append_header("x-appended", "2")
        .remove_header("x-gone")
        .max_age(0)
        .into()
}

impl Subject {
    fn fetch(&self) -> Result<Verdict> {
        match http::Request::new("GET", &self.url).header("x-from", "subject").send() {
            Ok(answer) => {
                let fetched = format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
                Grant::anonymous().set_header("x-fetched", fetched).into()
            }
            Err(_) => Verdict::deny(503).body("fetch failed").into(),
        }
    }
}

impl RequestFilter for Subject {
    fn on_request(&self, request: &Request) -> Result<RequestAction> {
        match request.header("x-edit").as_deref() {
            Some("edit") => RequestEdit::new()
                .method("PUT")
                .path("/edited")
                .query("a=b")
                .set_header("x-set", "1")
                .append_header("x-multi", "3")
                .remove_header("x-gone")
                .attribute("note", "edited")
                .into(),
            Some("respond") => Reply::new(418).header("x-teapot", "yes").body("short and stout").into(),
            Some("error") => Err("the filter was asked to fail".into()),
            _ => Ok(RequestAction::Unchanged),
        }
    }
}

impl RequestBodyFilter for Subject {
    fn request_body_limit(&self, request: &Request) -> Option<u64> {
        match request.header("x-body")?.as_str() {
            "trap" => panic!("the subject was asked to crash"),
            _ => Some(65536),
        }
    }

    fn on_request_body(&self, request: &Request, body: Vec<u8>) -> Result<RequestBodyAction> {
        match request.header("x-body").as_deref() {
            Some("double") => RequestEdit::new().body(body.repeat(2)).into(),
            Some("respond") => Reply::new(422).body(format!("{} bytes", body.len())).into(),
            Some("error") => Err("the filter was asked to fail".into()),
            _ => Ok(RequestBodyAction::Unchanged),
        }
    }
}

impl ResponseFilter for Subject {
    fn on_response(&self, request: &Request, response: &Response) -> Result<ResponseAction> {
        match request.header("x-answer").as_deref() {
            Some("edit") => ResponseEdit::new()
                .status(203)
                .set_header("x-upstream-status", response.status().to_string())
                .remove_header("x-gone")
                .attribute("answered", "yes")
                .into(),
            Some("replace") => Reply::new(503).body("replaced").into(),
            _ => Ok(ResponseAction::Unchanged),
        }
    }
}

impl ResponseChunkFilter for Subject {
    fn on_response_chunk(&self, request: &Request, _: &Response, chunk: Vec<u8>, last: bool) -> Result<ChunkAction> {
        match request.header("x-chunks").as_deref() {
            Some("upper") => Ok(ChunkAction::Replace(chunk.to_ascii_uppercase())),
            Some("count") => {
                self.counted.set(self.counted.get() + chunk.len());
                let text = if last { self.counted.take().to_string() } else { String::new() };
                Ok(ChunkAction::Replace(text.into_bytes()))
            }
            _ => Ok(ChunkAction::Unchanged),
        }
    }
}

impl Logger for Subject {
    fn log(&self, request: &Request, response: &Response, outcome: &Outcome) -> Result<()> {
        let principal = request.attribute("auth.principal").unwrap_or_else(|| "-".to_owned());
        let failure = outcome.failure().unwrap_or_else(|| "-".to_owned());
        info!("subject: {} {principal} {failure}", response.status());
        Ok(())
    }
}

export!(Subject: authorizer, request_filter, request_body_filter, response_filter, response_chunk_filter, logger);
