//! `[validators.NAME]`.

use std::ops::RangeInclusive;

use http::HeaderName;

use super::file;
use crate::{
    config::{
        BodyRule, OpenApi, Validator,
        problem::{Problem, quoted},
        value::{Entry, Node, Table},
    },
    path,
};

const BYTES: RangeInclusive<u64> = 1 << 10..=16 << 20;

pub(super) fn validator(entry: &Entry<'_>, mut table: Table<'_>) -> Option<Validator> {
    let headers = table.optional("required_headers", |node| distinct(node, header));
    let query = table.optional("required_query", |node| distinct(node, parameter));
    let given = ["required_headers", "required_query", "openapi"]
        .map(|key| table.entries().iter().any(|entry| entry.name == key));
    let schema = table.entries().iter().any(|entry| entry.name == "body");
    let openapi = openapi(&mut table, schema);
    let body = match given.contains(&true) || schema {
        true => table.optional("body", file),
        // What is missing most probably; it says so with an example.
        false => table.required("body", "\"FILE.schema.json\"", file),
    };
    let required = table.optional("body_required", |node| of_body(node, schema)?.boolean());
    let bytes = table.optional("body_bytes", |node| of_body(node, schema || openapi.is_some())?.size(BYTES));
    let content_types = table.optional("content_types", |node| distinct(of_body(node, schema)?, media_type));
    table.finish(&[
        ("headers", "it is called `required_headers`"),
        ("query", "it is called `required_query`"),
        ("query_parameters", "it is called `required_query`"),
        ("schema", "it is called `body`"),
        ("document", "it is called `openapi`"),
        ("operation_id", "it is called `operation`"),
        ("model", "it is called `body`"),
        ("body_schema", "it is called `body`"),
        ("content_type", "it is called `content_types`"),
        ("required_body", "it is called `body_required`"),
        ("max_body", "it is called `body_bytes`"),
    ]);
    Some(Validator {
        name: entry.name.to_owned(),
        required_headers: headers.unwrap_or_default(),
        required_query: query.unwrap_or_default(),
        body: body.map(|schema| BodyRule {
            schema,
            required: required.unwrap_or(true),
            bytes: bytes.unwrap_or(1 << 20),
            content_types: content_types.unwrap_or_default(),
        }),
        openapi: openapi.map(|openapi| OpenApi { bytes: bytes.unwrap_or(1 << 20), ..openapi }),
    })
}

/// What of a request may be held against a document.
#[derive(Clone, Copy, PartialEq)]
enum Check {
    Parameters,
    Body,
}

fn openapi(table: &mut Table<'_>, schema: bool) -> Option<OpenApi> {
    let document = table.optional("openapi", |node| match schema {
        true => {
            Err(node.problem("there is a `body` too").help("the document says what bodies must be: leave `body` out"))
        }
        false => file(node),
    });
    let given = table.entries().iter().any(|entry| entry.name == "openapi");
    let of = |node| of_document(node, given);
    let operation = table.optional("operation", |node| match of(node)?.text()? {
        "" => Err(node.problem("an operation has a name")),
        text => Ok(text.to_owned()),
    });
    let base_path = table.optional("base_path", |node| base_path(of(node)?, operation.is_some()));
    let choices = [("parameters", Check::Parameters), ("body", Check::Body)];
    let checks = table.optional("checks", |node| distinct(of(node)?, |node| node.choice(&choices)));
    let does = |check| checks.as_ref().is_none_or(|checks: &Vec<Check>| checks.contains(&check));
    Some(OpenApi {
        document: document?,
        operation,
        base_path: base_path.unwrap_or_default(),
        parameters: does(Check::Parameters),
        body: does(Check::Body),
        bytes: 0,
    })
}

/// What comes before all paths of a document.
fn base_path(node: Node<'_>, named: bool) -> Result<String, Problem> {
    let text = node.text()?;
    if named {
        return Err(node.problem("an `operation` is found by its name").help("leave `base_path` out"));
    }
    if !text.starts_with('/') || text.ends_with('/') || text.contains(['{', '}']) || path::canonical(text).is_err() {
        return Err(node.problem(format!("{} cannot come before a path", quoted(text))).help("write `/v1`, say"));
    }
    Ok(text.to_owned())
}

fn of_document(node: Node<'_>, there: bool) -> Result<Node<'_>, Problem> {
    match there {
        true => Ok(node),
        false => {
            Err(node.problem(format!("`{}` is about an `openapi`, and there is none", node.name)).help("add `openapi`"))
        }
    }
}

fn of_body(node: Node<'_>, there: bool) -> Result<Node<'_>, Problem> {
    match there {
        true => Ok(node),
        false => Err(node.problem(format!("`{}` is about a `body`, and there is none", node.name)).help("add `body`")),
    }
}

/// A list with something in it, and nothing twice.
fn distinct<T: Clone + PartialEq>(
    node: Node<'_>,
    read: impl Fn(Node<'_>) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let mut seen: Vec<T> = Vec::new();
    let reported = node.context.reported();
    let values = node.list(|node| {
        let value = read(node)?;
        if seen.contains(&value) {
            return Err(node.problem(format!("{} is already in this list", quoted(node.text()?))));
        }
        seen.push(value.clone());
        Ok(value)
    })?;
    match values.is_empty() && node.context.reported() == reported {
        true => Err(node.problem("this list is empty").help(format!("leave `{}` out", node.name))),
        false => Ok(values),
    }
}

fn header(node: Node<'_>) -> Result<HeaderName, Problem> {
    let text = node.text()?;
    if text.eq_ignore_ascii_case("host") {
        return Err(node.problem("every request has a host").help("leave it out"));
    }
    HeaderName::try_from(text).map_err(|_| node.problem(format!("{} is not a header's name", quoted(text))))
}

fn parameter(node: Node<'_>) -> Result<String, Problem> {
    match node.text()? {
        "" => Err(node.problem("a query parameter has a name")),
        text => Ok(text.to_owned()),
    }
}

/// `application/json`: a type and a subtype (RFC 9110 section 8.3.1).
fn media_type(node: Node<'_>) -> Result<String, Problem> {
    let text = node.text()?;
    let token = |part: &str| !part.is_empty() && part.bytes().all(is_token);
    match text.split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) && !text.contains('*') => Ok(text.to_ascii_lowercase()),
        _ => {
            let problem = node.problem(format!("{} is not a media type", quoted(text)));
            Err(problem.help("write a type and a subtype, as in `\"application/json\"`; parameters are not looked at"))
        }
    }
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
