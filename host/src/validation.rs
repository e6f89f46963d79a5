//! Request validation: what AWS API Gateway calls a request validator and its model. A validator says no with a text that
//! the client may read: it names what is missing or wrong, and has parts of the schema in it but no values of the body.

pub(crate) mod document;
pub(crate) mod fuzz;
mod metered;
mod openapi;
mod parameter;
mod schema;

pub(crate) use openapi::{Loading, Operation, Operations};

use std::{
    num::NonZero,
    panic::resume_unwind,
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use tokio::sync::Semaphore;

use crate::{
    config::{self, BodyRule},
    failure::Failure,
    query,
    tls::Wrong,
};
use schema::{Schema, Unfit};

/// A longer body is read beside the workers: this one takes a tenth of a millisecond, and some of the worst kind.
const SHORT: usize = 16 << 10;

/// So many steps may a body take on a worker, which is about a millisecond.
const FEW: u64 = 50_000;

/// How many bodies are validated beside the workers at a time. Each may take 130 times its size in memory.
static BESIDE: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new((available_parallelism().map_or(1, NonZero::get) / 2).max(1))));

/// A validator with its schema, or the operations of its document.
#[derive(Debug)]
pub(crate) struct Validator {
    pub(crate) config: config::Validator,
    schema: Option<Arc<Schema>>,
    pub(crate) operations: Option<Operations>,
}

impl Validator {
    /// Reads the schema or the document. What is wrong has its place in `[validators.NAME]`.
    pub(crate) fn load(config: &config::Validator, loading: &Loading) -> Result<Arc<Self>, Vec<Wrong>> {
        let schema = config.body.as_ref().map(|body| Schema::load(&body.schema)).transpose();
        let schema = schema
            .map_err(|wrong| wrong.into_iter().map(|message| (vec!["body".to_owned()], message)).collect::<Vec<_>>())?;
        let operations = config.openapi.as_ref().map(|openapi| Operations::load(openapi, loading)).transpose()?;
        Ok(Arc::new(Self { config: config.clone(), schema: schema.map(Arc::new), operations }))
    }

    /// Whether all headers and query parameters are there that must be, and not blank, as in AWS.
    pub(crate) fn parameters(&self, headers: &HeaderMap, query: &str) -> Result<(), Failure> {
        let has_header = |name: &&http::HeaderName| {
            headers.get_all(*name).iter().any(|value| !value.as_bytes().trim_ascii().is_empty())
        };
        let has_parameter = |name: &&String| query::all(query, name).iter().any(|value| !value.trim().is_empty());
        let missing_headers = self.config.required_headers.iter().filter(|name| !has_header(name));
        let missing_parameters = self.config.required_query.iter().filter(|name| !has_parameter(name));
        let missing: Vec<String> = (missing_headers.map(|name| format!("the header `{name}`")))
            .chain(missing_parameters.map(|name| format!("the query parameter `{name}`")))
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(self.invalid(format!("missing: {}", missing.join(", ")))),
        }
    }

    /// What becomes of a request without a body.
    pub(crate) fn nothing(&self) -> Result<(), Failure> {
        match &self.config.body {
            Some(BodyRule { required: true, .. }) => Err(self.invalid("missing: the body".to_owned())),
            _ => Ok(()),
        }
    }

    /// Whether a body says that it is what can be read here. One that says nothing is taken at our word, as in AWS.
    pub(crate) fn content(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let Some(rule) = &self.config.body else { return Ok(()) };
        let accept = || match rule.content_types.is_empty() {
            true => "application/json".to_owned(),
            false => rule.content_types.join(", "),
        };
        coding(headers, accept)?;
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        match (types.next(), types.next()) {
            (None, _) => Ok(()),
            (Some(value), None) if reads(rule, value) => Ok(()),
            // Two might be read as either.
            _ => Err(of_type(accept())),
        }
    }

    /// What a body of an operation is held against; None: it goes on unread.
    pub(crate) fn schema_of(&self, operation: &Operation, headers: &HeaderMap) -> Result<Option<Arc<Schema>>, Failure> {
        let schema = operation.schema_of(headers).map_err(of_type)?;
        if schema.is_some() {
            coding(headers, || "application/json".to_owned())?;
        }
        Ok(schema)
    }

    /// Whether a body is as the schema says.
    pub(crate) async fn judge(&self, body: &Bytes) -> Result<(), Failure> {
        match &self.schema {
            Some(schema) => self.judge_by(schema, body).await,
            None => Ok(()),
        }
    }

    /// Whether a body is as a schema says.
    pub(crate) async fn judge_by(&self, schema: &Arc<Schema>, body: &Bytes) -> Result<(), Failure> {
        let judged = match body.len() <= SHORT {
            true => schema.judge(body, FEW),
            false => Err(Unfit::TooMuch),
        };
        let judged = match judged {
            Err(Unfit::TooMuch) => beside(schema.clone(), body.clone()).await,
            judged => judged,
        };
        judged.map_err(|unfit| self.invalid(unfit.to_string()))
    }

    /// A refusal with its reasons, which the client may read.
    pub(crate) fn invalid(&self, why: String) -> Failure {
        Failure::InvalidRequest { validator: self.config.name.clone(), why }
    }
}

/// A body that is not as it is read is not read.
fn coding(headers: &HeaderMap, accept: impl FnOnce() -> String) -> Result<(), Failure> {
    match headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        true => {
            let why = "a body with a `Content-Encoding` is not read".to_owned();
            Err(Failure::UnsupportedMediaType { why, accept: accept() })
        }
        false => Ok(()),
    }
}

/// The body is of another type.
fn of_type(accept: String) -> Failure {
    let why = format!("the body must be of the type {}", accept.replace(", ", " or "));
    Failure::UnsupportedMediaType { why, accept }
}

/// Whether a rule's bodies may be of a type. Its parameters are not looked at: JSON is UTF-8 (RFC 8259 section 8.1).
fn reads(rule: &BodyRule, value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    match rule.content_types.is_empty() {
        true => {
            let json = essence.strip_suffix("+json").and_then(|rest| rest.split_once('/'));
            essence == "application/json" || json.is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty())
        }
        false => rule.content_types.contains(&essence),
    }
}

/// Judges where no other request waits for it. What was begun is ended, whether or not anybody still wants it.
async fn beside(schema: Arc<Schema>, body: Bytes) -> Result<(), Unfit> {
    let turn = BESIDE.clone().acquire_owned().await;
    let judged = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        schema.judge(&body, schema::most(body.len()))
    });
    judged.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn validator(content_types: &[&str]) -> Validator {
        let body = BodyRule {
            schema: PathBuf::new(),
            required: true,
            bytes: 1 << 20,
            content_types: content_types.iter().map(|&text| text.to_owned()).collect(),
        };
        let config = config::Validator {
            name: "v".to_owned(),
            required_headers: vec![http::header::IF_MATCH],
            required_query: vec!["a b".to_owned()],
            body: Some(body),
            openapi: None,
        };
        Validator { config, schema: None, operations: None }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_body_is_read_by_its_type() {
        let types = |pairs: &[&'static str], allowed: &[&str]| {
            let mut map = HeaderMap::new();
            pairs.iter().for_each(|value| {
                map.append(CONTENT_TYPE, HeaderValue::from_static(value));
            });
            validator(allowed).content(&map).is_ok()
        };
        for good in ["application/json", "Application/JSON ; charset=utf-8", "application/problem+json", "a/b+json;c"] {
            assert!(types(&[good], &[]), "{good}");
        }
        for bad in ["text/json", "application/json, text/xml", "+json", "/+json", "json", "", "application/json+xml"] {
            assert!(!types(&[bad], &[]), "{bad}");
        }
        assert!(types(&[], &[]) && !types(&["application/json", "application/json"], &[]));
        assert!(types(&["text/JSON"], &["text/json"]) && !types(&["application/json"], &["text/json"]));
        assert!(validator(&[]).content(&headers(&[("content-encoding", "gzip")])).is_err());
        assert!(validator(&[]).content(&headers(&[("content-encoding", "identity")])).is_ok());
    }

    #[test]
    fn what_is_blank_is_missing() {
        let told = |pairs, query| match validator(&[]).parameters(&headers(pairs), query) {
            Ok(()) => String::new(),
            Err(failure) => failure.public(),
        };
        assert_eq!(told(&[("if-match", "x")], "%61+b=1"), "");
        assert_eq!(told(&[("if-match", " ")], "a+b=1"), "missing: the header `if-match`");
        for query in ["", "a+b", "a+b=", "a+b=%20", "A+B=1"] {
            assert_eq!(told(&[("if-match", "x")], query), "missing: the query parameter `a b`", "{query}");
        }
        assert_eq!(told(&[], ""), "missing: the header `if-match`, the query parameter `a b`");
    }
}
