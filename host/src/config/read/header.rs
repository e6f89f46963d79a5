//! Tables whose keys are header names: what a route matches, and what it sets on the way upstream.

use http::{HeaderName, HeaderValue};

use crate::config::{
    Template,
    problem::{Problem, quoted, suggestion},
    template::{self, Part},
    value::{Entry, Node},
};

/// Headers that frame a message, belong to one connection, or that the gateway itself sets.
pub(super) const OWN_HEADERS: [&str; 15] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "host",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "forwarded",
    "x-request-id",
];

/// What references in a template may name.
pub(super) struct Scope<'a> {
    /// The plugins of the route.
    pub(super) chain: Vec<&'a str>,
    /// The parameters of its path.
    pub(super) params: Vec<&'a str>,
    /// Whether it asks for an API key.
    pub(super) api_key: bool,
    /// Whether all are as they were written: with a typo in them, what refers to them is not wrong too.
    pub(super) sound: bool,
}

/// What is set on the request that goes upstream.
pub(super) fn upstream(node: Node<'_>, scope: &Scope<'_>) -> Result<Vec<(HeaderName, Template)>, Problem> {
    header_table(node, |name, entry| {
        if OWN_HEADERS.contains(&name.as_str()) {
            let problem = Problem::at(entry.at.clone(), format!("`{name}` is the gateway's own to set"));
            return Err(problem.help("choose another name"));
        }
        let node = entry.node;
        let parts = template::parts(node.text()?).map_err(|problem| node.within(problem))?;
        for (range, part) in parts.iter().filter(|_| scope.sound) {
            if let Err((message, help)) = check(part, scope) {
                let problem = Problem::at(range.clone(), message).help(help);
                node.context.report(node.within(problem));
            }
        }
        Ok(Template { parts: parts.into_iter().map(|(_, part)| part).collect() })
    })
}

/// What is set on an answer that the configuration writes.
pub(super) fn fixed(node: Node<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, Problem> {
    header_table(node, |name, entry| {
        if OWN_HEADERS.contains(&name.as_str()) {
            return Err(Problem::at(entry.at.clone(), format!("`{name}` is the gateway's own to set")));
        }
        let text = entry.node.text()?;
        HeaderValue::from_str(text).map_err(|_| entry.node.problem("this cannot be a header's value"))
    })
}

/// Whether the route can resolve it; else a message and a help.
pub(super) fn check(part: &Part, scope: &Scope<'_>) -> Result<(), (String, String)> {
    let Scope { chain, params, .. } = scope;
    let or_none = |name: &str, names: &[&str], none: &str| {
        if names.is_empty() { none.to_owned() } else { suggestion(name, names) }
    };
    match part {
        Part::Attribute(full) => match full.split_once('.') {
            Some(("auth", _)) if chain.is_empty() => {
                Err(("this route has no plugin that could authorize".to_owned(), "add `plugins = [...]`".to_owned()))
            }
            Some(("api_key" | "usage_plan", _)) if scope.api_key => Ok(()),
            Some(("api_key" | "usage_plan", _)) => {
                Err(("this route asks for no API key".to_owned(), "add `api_key = \"required\"`".to_owned()))
            }
            Some((plugin, _)) if plugin != "auth" && plugin != "tls" && !chain.contains(&plugin) => Err((
                format!("plugin `{plugin}` is not in this route's chain"),
                or_none(plugin, chain, "the route has no plugins"),
            )),
            _ => Ok(()),
        },
        Part::PathParam(param) if !params.contains(&param.as_str()) => Err((
            format!("this route's path has no parameter `{param}`"),
            or_none(param, params, "write one as `{NAME}` in `path`"),
        )),
        Part::Text(_)
        | Part::RequestId
        | Part::ClientIp
        | Part::Route
        | Part::Host
        | Part::Target
        | Part::Path
        | Part::Field(_)
        | Part::PathParam(_) => Ok(()),
        Part::ResponseHeader(name) => Err((
            format!("there is no answer yet that has `{name}`"),
            "it belongs in `[routes.NAME.response]`".to_owned(),
        )),
    }
}

/// What a request must have; none as a value: any.
pub(super) fn matched(node: Node<'_>) -> Result<Vec<(HeaderName, Option<String>)>, Problem> {
    header_table(node, |name, Entry { at, node, .. }| {
        if name == http::header::HOST {
            let problem = Problem::at(at.clone(), "the host is not matched as a header");
            return Err(problem.help("write `host = \"...\"`"));
        }
        let text = node.text()?;
        if text == "*" {
            return Ok(None);
        }
        match HeaderValue::from_str(text) {
            Ok(_) if text.trim() == text => Ok(Some(text.to_owned())),
            _ => {
                let problem = node.problem("this route can never match: no header has this value");
                Err(problem.help("no control characters, no space at either end; `\"*\"` for any value"))
            }
        }
    })
}

/// A table whose keys are header names, each once.
pub(super) fn header_table<'a, T>(
    node: Node<'a>,
    read: impl Fn(&HeaderName, &Entry<'a>) -> Result<T, Problem>,
) -> Result<Vec<(HeaderName, T)>, Problem> {
    let table = node.table()?;
    let mut headers: Vec<(HeaderName, T)> = Vec::new();
    for entry in table.entries() {
        let read = header_name(entry).and_then(|name| {
            if headers.iter().any(|(other, _)| *other == name) {
                let problem = Problem::at(entry.at.clone(), format!("header `{name}` is already in this table"));
                return Err(problem.help("case does not matter in header names"));
            }
            read(&name, entry).map(|value| (name, value))
        });
        match read {
            Ok(header) => headers.push(header),
            Err(problem) => table.report(problem),
        }
    }
    Ok(headers)
}

fn header_name(entry: &Entry<'_>) -> Result<HeaderName, Problem> {
    HeaderName::try_from(entry.name)
        .map_err(|_| Problem::at(entry.at.clone(), format!("{} is not a header's name", quoted(entry.name))))
}
