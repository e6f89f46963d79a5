//! The operations of a document, and what each says of requests.

use std::str::FromStr as _;

use http::Method;

use super::text::{Documents, Place};
use crate::{config::Segment, path};

/// Members of a path item that are operations.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// AWS: an operation for every method that has none of its own.
const ANY: &str = "x-amazon-apigateway-any-method";

/// What can be asked of an API.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// Its `operationId`.
    pub(crate) id: Option<String>,
    /// None: any.
    pub(crate) method: Option<Method>,
    /// The template, as it is written.
    pub(crate) path: String,
    /// Where it stands.
    pub(crate) place: Place,
    /// Its path item, whose parameters are its own too.
    item: Place,
}

/// Where a parameter is in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    Path,
    Query,
    Header,
    Cookie,
}

/// A parameter as it is described.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) at: Where,
    pub(crate) required: bool,
    /// References are followed.
    pub(crate) place: Place,
}

impl Operation {
    /// How it is told from others: `GET /pets/{id}`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.method.as_ref().map_or("ANY", Method::as_str), self.path)
    }

    /// Its path item.
    pub(crate) fn item(&self) -> &Place {
        &self.item
    }

    /// What it and its path item say of parameters. The operation's word counts.
    pub(crate) fn parameters(&self, documents: &Documents) -> Result<Vec<Parameter>, String> {
        let mut all: Vec<Parameter> = Vec::new();
        for list in [&self.place, &self.item] {
            for (_, place) in list.child("parameters").children() {
                let Some(parameter) = parameter(&documents.resolve(&place)?)? else { continue };
                if !all.iter().any(|known| (known.at, &known.name) == (parameter.at, &parameter.name)) {
                    all.push(parameter);
                }
            }
        }
        Ok(all)
    }
}

fn parameter(place: &Place) -> Result<Option<Parameter>, String> {
    let name = place.text("name").ok_or_else(|| place.wrong("a parameter has a `name`"))?.to_owned();
    let at = match place.text("in") {
        Some("path") => Where::Path,
        Some("query") => Where::Query,
        Some("header") => Where::Header,
        Some("cookie") => Where::Cookie,
        _ => return Err(place.wrong("a parameter is `in` the path, query, header or cookie")),
    };
    // OpenAPI 3.1 section 4.8.12.2.1: these are said elsewhere.
    let elsewhere = ["accept", "content-type", "authorization"].iter().any(|known| name.eq_ignore_ascii_case(known));
    if at == Where::Header && elsewhere {
        return Ok(None);
    }
    let required = at == Where::Path || place.flag("required");
    Ok(Some(Parameter { name, at, required, place: place.clone() }))
}

/// All operations of a document.
pub(crate) fn operations(root: &Place, documents: &Documents) -> Result<Vec<Operation>, String> {
    let mut found = Vec::new();
    for (path, place) in root.child("paths").children().into_iter().filter(|(path, _)| !path.starts_with("x-")) {
        let item = documents.resolve(&place)?;
        for name in METHODS.iter().chain([&ANY]) {
            let place = item.child(name);
            if !place.value().is_some_and(serde_json::Value::is_object) {
                continue;
            }
            let method = Method::from_str(&name.to_ascii_uppercase()).ok().filter(|_| *name != ANY);
            let id = place.text("operationId").map(str::to_owned);
            found.push(Operation { id, method, path: path.clone(), place, item: item.clone() });
        }
    }
    Ok(found)
}

/// The operation of an `operationId`, or of `GET /pets/{id}`; else the names that there are.
pub(crate) fn find<'o>(operations: &'o [Operation], name: &str) -> Option<&'o Operation> {
    let by_id = operations.iter().find(|operation| operation.id.as_deref() == Some(name));
    by_id.or_else(|| operations.iter().find(|operation| operation.title() == name))
}

/// The segments of a template, in canonical form; None: the router has no such.
pub(crate) fn segments(template: &str) -> Option<Vec<Segment>> {
    let rest = template.strip_prefix('/')?;
    let count = rest.split('/').count();
    let mut found: Vec<Segment> = Vec::with_capacity(count);
    for (index, raw) in rest.split('/').enumerate() {
        let last = index + 1 == count;
        let segment = match raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')) {
            Some(name) if name.contains(['{', '}']) => return None,
            Some(name) => match name.strip_suffix('+') {
                Some(name) if last => Segment::Greedy(name.to_owned()),
                Some(_) => return None,
                None => Segment::Param(name.to_owned()),
            },
            None if raw.contains(['{', '}']) || (raw.is_empty() && !last) => return None,
            None => Segment::Literal(path::canonical(&format!("/{raw}")).ok()?.get(1..)?.to_owned()),
        };
        found.push(segment);
    }
    Some(found)
}
