//! Requests held against the operations of an OpenAPI document: one that is named, or the one that a request is of.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};
use serde_json::Value;

use super::{
    parameter::{Fault, Parameter},
    schema::Schema,
};
use crate::{
    config::{self, Match, Segment},
    exchange::Exchange,
    logs::foreign,
    openapi::{self, Dialect, Documents, Place},
    route::{Found, Lookup, Params, Router},
};

/// All parameters of a request together may take so many steps, which is about a millisecond.
const STEPS: u64 = 50_000;

/// And each of them so many, if they are many.
const LEAST: u64 = 1_000;

/// The documents of a load, and the schemas that were taken out of them, each once.
#[derive(Default)]
pub(crate) struct Loading {
    documents: Documents,
    apis: RefCell<BTreeMap<PathBuf, Arc<Api>>>,
    schemas: RefCell<BTreeMap<(PathBuf, String), Made>>,
}

/// A schema, and its text.
type Made = (Arc<Schema>, Arc<Value>);

struct Api {
    dialect: Dialect,
    operations: Vec<openapi::Operation>,
}

impl Loading {
    /// All files that were read.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.documents.files()
    }

    fn api(&self, path: &Path) -> Result<Arc<Api>, String> {
        if let Some(api) = self.apis.borrow().get(path) {
            return Ok(api.clone());
        }
        let root = self.documents.open(path)?;
        let dialect = openapi::dialect(&root)?;
        let api = Arc::new(Api { dialect, operations: openapi::operations(&root, &self.documents)? });
        self.apis.borrow_mut().insert(path.to_owned(), api.clone());
        Ok(api)
    }

    /// A schema with its text; None where there is none.
    pub(super) fn schema(&self, place: &Place, dialect: Dialect) -> Result<Option<Made>, Vec<String>> {
        if place.value().is_none() {
            return Ok(None);
        }
        // What only refers is what it refers to.
        let only_refers = place.value().and_then(Value::as_object).is_some_and(|map| map.len() == 1);
        let place = match only_refers {
            true => self.documents.resolve(place).map_err(|why| vec![why])?,
            false => place.clone(),
        };
        if let Some(known) = self.schemas.borrow().get(&place.key()) {
            return Ok(Some(known.clone()));
        }
        let (schema, value) = Schema::of_document(&place, &self.documents, dialect)?;
        let made = (Arc::new(schema), Arc::new(value));
        self.schemas.borrow_mut().insert(place.key(), made.clone());
        Ok(Some(made))
    }
}

/// What a validator holds requests against.
#[derive(Debug)]
pub(crate) enum Operations {
    /// One, that was named.
    One(Operation),
    /// Those of a document, and which is whose.
    All(Vec<Operation>, Router),
}

/// What an operation asks of requests.
#[derive(Debug)]
pub(crate) struct Operation {
    title: String,
    parameters: Vec<Parameter>,
    body: Option<Body>,
}

#[derive(Debug)]
struct Body {
    required: bool,
    /// Media types and ranges, lower case, the most special first, each with its schema if it is JSON that has one.
    types: Vec<(String, Option<Arc<Schema>>)>,
}

impl Operations {
    /// Reads what `[validators.NAME]` names. What is wrong is told with its key.
    pub(crate) fn load(config: &config::OpenApi, loading: &Loading) -> Result<Self, Vec<(Vec<String>, String)>> {
        let of = |key: &str| {
            let key = key.to_owned();
            move |why: String| (vec![key.clone()], why)
        };
        let api = loading.api(&config.document).map_err(|why| vec![of("openapi")(why)])?;
        let told = |wrong: Vec<String>| wrong.into_iter().take(20).map(of("openapi")).collect::<Vec<_>>();
        let load = |operation| Operation::load(operation, &api, config, loading);
        if let Some(name) = &config.operation {
            let found = openapi::find(&api.operations, name)
                .ok_or_else(|| vec![of("operation")(unknown(name, &api.operations, config))])?;
            return load(found).map(Self::One).map_err(told);
        }
        let (mut loaded, mut matches, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
        for operation in &api.operations {
            match rule(operation, &config.base_path) {
                Some(rule) => matches.push(rule),
                None => wrong.push(operation.place.wrong(format!(
                    "no route can have the path `{}`: name the `operation` of each route instead",
                    foreign(&operation.path, 100)
                ))),
            }
            match load(operation) {
                Ok(operation) => loaded.push(operation),
                Err(more) => wrong.extend(more),
            }
        }
        match wrong.is_empty() {
            true => Ok(Self::All(loaded, Router::of(&matches))),
            false => Err(told(wrong)),
        }
    }

    /// Whether each request of a route has an operation, as far as it can be said; else why not.
    pub(crate) fn fits(&self, rule: &Match) -> Result<(), String> {
        let path = rule.path.as_deref();
        match self {
            Self::One(operation) => {
                let has = |name: &&str| {
                    path.into_iter().flatten().any(|segment| match segment {
                        Segment::Param(known) | Segment::Greedy(known) => known == name,
                        Segment::Literal(_) => false,
                    })
                };
                let mut asked = operation.parameters.iter().filter_map(Parameter::of_path);
                match asked.find(|name| !has(name)) {
                    Some(name) => Err(format!(
                        "the operation `{}` asks for the path parameter `{name}`, which this route's path has not",
                        operation.title
                    )),
                    None => Ok(()),
                }
            }
            Self::All(_, router) => {
                let Some(path) = path.filter(|path| !matches!(path.last(), Some(Segment::Greedy(_)))) else {
                    return Ok(());
                };
                let sample: String = path
                    .iter()
                    .map(|segment| match segment {
                        Segment::Literal(text) => format!("/{text}"),
                        Segment::Param(_) | Segment::Greedy(_) => "/x".to_owned(),
                    })
                    .collect();
                let lost = rule.methods.iter().flatten().find(|method| operation(router, method, &sample).is_none());
                match lost {
                    Some(method) => Err(format!("the document has no operation for {method} on this route's path")),
                    None => Ok(()),
                }
            }
        }
    }

    /// The operation of a request, and what its path's template has caught if it is ours.
    pub(crate) fn of<'o>(&'o self, exchange: &Exchange) -> Option<(&'o Operation, Option<Params>)> {
        match self {
            Self::One(operation) => Some((operation, None)),
            Self::All(operations, router) => {
                let (index, params) = operation(router, &exchange.request.method, exchange.request.target.path())?;
                Some((&operations[index], Some(params)))
            }
        }
    }
}

/// The operation of a method on a path. That of GET is that of HEAD too.
fn operation(router: &Router, method: &Method, path: &str) -> Option<(usize, Params)> {
    let headers = HeaderMap::new();
    let find = |method: &Method| match router.find(&Lookup { host: "", method, path, headers: &headers }) {
        Found::Match { route, params } => Some((route, params)),
        _ => None,
    };
    find(method).or_else(|| (*method == Method::HEAD).then(|| find(&Method::GET)).flatten())
}

fn rule(operation: &openapi::Operation, base: &str) -> Option<Match> {
    let path = openapi::segments(&format!("{base}{}", operation.path))?;
    let methods = operation.method.clone().map(|method| vec![method]);
    Some(Match { host: None, methods, path: Some(path), headers: Vec::new() })
}

fn unknown(name: &str, operations: &[openapi::Operation], config: &config::OpenApi) -> String {
    let names: Vec<String> = (operations.iter())
        .map(|operation| operation.id.clone().unwrap_or_else(|| operation.title()))
        .map(|name| foreign(&name, 100).into_owned())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let help = if names.is_empty() { "it has none".to_owned() } else { config::suggestion(name, &names) };
    format!("{} has no operation `{}`: {help}", config.document.display(), foreign(name, 100))
}

impl Operation {
    fn load(
        described: &openapi::Operation,
        api: &Api,
        config: &config::OpenApi,
        loading: &Loading,
    ) -> Result<Self, Vec<String>> {
        let (mut parameters, mut wrong) = (Vec::new(), Vec::new());
        if config.parameters {
            for parameter in described.parameters(&loading.documents).map_err(|why| vec![why])? {
                match Parameter::load(&parameter, loading, api.dialect) {
                    Ok(parameter) => parameters.push(parameter),
                    Err(more) => wrong.extend(more),
                }
            }
        }
        let body = match config.body {
            true => Body::load(&described.place.child("requestBody"), loading, api.dialect),
            false => Ok(None),
        };
        match (body, wrong.is_empty()) {
            (Ok(body), true) => Ok(Self { title: described.title(), parameters, body }),
            (Ok(_), false) => Err(wrong),
            (Err(more), _) => Err(wrong.into_iter().chain(more).collect()),
        }
    }

    /// Whether a request has its parameters as they should be; else what is told of them.
    pub(crate) fn parameters(&self, exchange: &Exchange, params: Option<&Params>) -> Result<(), String> {
        let steps = (STEPS / self.parameters.len().max(1) as u64).max(LEAST);
        let (mut missing, mut wrong) = (Vec::new(), Vec::new());
        for parameter in &self.parameters {
            let path = parameter.of_path().and_then(|name| match params {
                Some(params) => params.get(name, exchange.request.target.path()),
                None => exchange.path_param(name),
            });
            match parameter.judge(exchange, path, steps) {
                Ok(()) => {}
                Err(Fault::Missing(title)) => missing.push(title),
                Err(Fault::Wrong(why)) => wrong.push(why),
            }
        }
        if !missing.is_empty() {
            wrong.insert(0, format!("missing: {}", missing.join(", ")));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }

    /// Whether a request without a body is refused.
    pub(crate) fn asks_for_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.required)
    }

    /// Whether it says anything of bodies.
    pub(crate) fn knows_body(&self) -> bool {
        self.body.is_some()
    }

    /// What a body is held against; else the types that it could be of. One that does not say its type is taken for JSON.
    pub(crate) fn schema_of(&self, headers: &HeaderMap) -> Result<Option<Arc<Schema>>, String> {
        let Some(body) = &self.body else { return Ok(None) };
        let types = || body.types.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let mut fields = headers.get_all(CONTENT_TYPE).iter();
        let known = match (fields.next(), fields.next()) {
            (None, _) => body.types.iter().find(|(name, _)| is_json(name)),
            (Some(value), None) => {
                essence(value).and_then(|essence| body.types.iter().find(|(range, _)| takes(range, &essence)))
            }
            _ => None,
        };
        // A range may take what is no JSON as well.
        let json =
            headers.get(CONTENT_TYPE).is_none_or(|value| essence(value).is_some_and(|essence| is_json(&essence)));
        known.map(|(_, schema)| schema.clone().filter(|_| json)).ok_or_else(types)
    }
}

impl Body {
    fn load(place: &Place, loading: &Loading, dialect: Dialect) -> Result<Option<Self>, Vec<String>> {
        if place.value().is_none() {
            return Ok(None);
        }
        let place = loading.documents.resolve(place).map_err(|why| vec![why])?;
        let (mut types, mut wrong) = (Vec::new(), Vec::new());
        for (name, media) in place.child("content").children() {
            let range = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let schema = match is_json(&range) {
                true => loading.schema(&media.child("schema"), dialect),
                false => Ok(None),
            };
            match schema {
                Ok(schema) => types.push((range, schema.map(|(schema, _)| schema))),
                Err(more) => wrong.extend(more),
            }
        }
        // `application/json`, then `application/*`, then `*/*`.
        types.sort_by_key(|(range, _)| range.matches('*').count());
        match wrong.is_empty() {
            true => Ok(Some(Self { required: place.flag("required"), types })),
            false => Err(wrong),
        }
    }
}

/// Whether what is of a type or range is read as JSON.
fn is_json(range: &str) -> bool {
    matches!(range, "application/json" | "*/*" | "application/*") || range.ends_with("+json")
}

fn takes(range: &str, essence: &str) -> bool {
    match range.strip_suffix('*') {
        Some("*/") => true,
        Some(kind) => essence.starts_with(kind),
        None => range == essence,
    }
}

fn essence(value: &HeaderValue) -> Option<String> {
    Some(value.to_str().ok()?.split(';').next()?.trim_ascii().to_ascii_lowercase())
}
