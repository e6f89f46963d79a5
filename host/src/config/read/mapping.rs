//! `[routes.NAME.request]` and `[routes.NAME.response]`.

use std::borrow::Cow;

use http::{HeaderName, Method, StatusCode};

use super::{
    address,
    header::{self, OWN_HEADERS, Scope},
};
use crate::{
    config::{
        Edits, Part, RequestMapping, ResponseMapping, Statuses, Target, Template,
        problem::{Problem, quoted},
        template,
        value::{Entry, Node, Table},
    },
    path,
};

/// What may be named in a text: of the request alone, or of its answer too.
#[derive(Clone, Copy)]
struct Known<'s, 'a> {
    scope: &'s Scope<'a>,
    answer: bool,
}

pub(super) fn request(node: Node<'_>, scope: &Scope<'_>, target: &Target) -> Result<RequestMapping, Problem> {
    goes_upstream(node, target)?;
    let known = Known { scope, answer: false };
    let mut table = node.table()?;
    let read = RequestMapping {
        method: table.optional("method", method),
        path: table.optional("path", |node| whole_path(node, known)),
        host: table.optional("host", host),
        query: table.optional("query", |node| edits(node, known, parameter)).unwrap_or_default(),
        headers: table.optional("headers", |node| edits(node, known, header_name)).unwrap_or_default(),
    };
    table.finish(&[
        ("strip_prefix", "write `path = \"/${path.rest}\"`, with `{rest+}` at the end of the route's `path`"),
        ("add_prefix", "write `path = \"/PREFIX${request.path}\"`"),
        ("rewrite", "it is called `path`"),
        ("set_headers", "write `headers.set`"),
        ("set_query", "write `query.set`"),
        ("querystring", "it is called `query`"),
        ("body", "a plugin changes bodies, such as `transform`"),
    ]);
    Ok(read)
}

pub(super) fn response(node: Node<'_>, scope: &Scope<'_>, target: &Target) -> Result<ResponseMapping, Problem> {
    goes_upstream(node, target)?;
    let known = Known { scope, answer: true };
    let mut table = node.table()?;
    let read = ResponseMapping {
        status: table.optional("status", statuses).unwrap_or_default(),
        headers: table.optional("headers", |node| edits(node, known, header_name)).unwrap_or_default(),
    };
    table.finish(&[
        ("statuses", "it is called `status`"),
        ("statuscode", "it is called `status`"),
        ("code", "it is called `status`"),
        ("set_headers", "write `headers.set`"),
        ("body", "a plugin changes bodies, such as `transform`; a whole answer is called `respond`"),
    ]);
    Ok(read)
}

fn goes_upstream(node: Node<'_>, target: &Target) -> Result<(), Problem> {
    match target {
        Target::Upstream(_) => Ok(()),
        _ => Err(node.problem("a route that answers by itself asks nobody").help("give it an `upstream`")),
    }
}

fn method(node: Node<'_>) -> Result<Method, Problem> {
    let text = node.text()?;
    let upper = text.to_ascii_uppercase();
    match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT) => Err(node.problem("no gateway forwards `CONNECT`")),
        Ok(method) if upper == text => Ok(method),
        Ok(_) => Err(node.problem(format!("{} is not a method", quoted(text))).help(format!("write `{upper}`"))),
        Err(_) => Err(node.problem(format!("{} is not a method", quoted(text))).help("a token such as `GET`")),
    }
}

/// `users.internal`, `users.internal:8080`.
fn host(node: Node<'_>) -> Result<String, Problem> {
    let text = node.text()?;
    let port = text.rsplit_once(':').filter(|(name, port)| !name.ends_with(':') && !port.contains([']', '/']));
    let (name, port) = port.map_or((text, None), |(name, port)| (name, Some(port)));
    let name = address::host(name, false).map_err(|problem| node.within(problem))?;
    match port {
        None => Ok(name),
        Some(port) => match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(format!("{name}:{number}"))
            }
            _ => Err(node.problem("the port is not a number from 1 to 65535")),
        },
    }
}

/// What stands there as it is must be in canonical form already; values are put into that when they are known.
fn whole_path(node: Node<'_>, known: Known<'_, '_>) -> Result<Template, Problem> {
    let template = text(node, known)?;
    if template.parts.contains(&Part::Target) {
        return Err(node.problem("a path has no query").help("write `${request.path}`"));
    }
    let example = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Path => "/x".to_owned(),
        _ => "x".to_owned(),
    };
    let example: String = template.parts.iter().map(example).collect();
    if !example.starts_with('/') {
        return Err(node.problem("a path begins with `/`").help("or with `${request.path}`"));
    }
    match path::canonical(&example) {
        Ok(Cow::Borrowed(_)) => Ok(template),
        Ok(Cow::Owned(_)) => {
            let problem = node.problem("this path is not in canonical form");
            Err(problem.help("no empty or dot segments; what is no letter, digit or `-._~!$&'()*+,;=:@` is encoded"))
        }
        Err(error) => Err(node.problem(error.to_string()).help("write it as it goes to the upstream, without a query")),
    }
}

/// A text with references.
fn text(node: Node<'_>, known: Known<'_, '_>) -> Result<Template, Problem> {
    let parts = template::parts(node.text()?).map_err(|problem| node.within(problem))?;
    for (range, part) in parts.iter().filter(|_| known.scope.sound) {
        // What only an answer has: it is known by then which upstream was chosen, too.
        let of_answer = match part {
            Part::ResponseHeader(_) => true,
            Part::Attribute(name) => name == "upstream.name",
            _ => false,
        };
        if known.answer && of_answer {
            continue;
        }
        if let Err((message, help)) = header::check(part, known.scope) {
            node.context.report(node.within(Problem::at(range.clone(), message).help(help)));
        }
    }
    Ok(Template { parts: parts.into_iter().map(|(_, part)| part).collect() })
}

/// `{ remove = [...], rename = { OLD = "NEW" }, set = { NAME = "TEXT" }, append = { NAME = "TEXT" } }`
fn edits<N: Clone + PartialEq>(
    node: Node<'_>,
    known: Known<'_, '_>,
    name: fn(&str) -> Result<N, (String, String)>,
) -> Result<Edits<N>, Problem> {
    let mut table = node.table()?;
    let of_value = |node: Node<'_>| name(node.text()?).map_err(|(message, help)| node.problem(message).help(help));
    let texts = |node| pairs(node, name, |node| text(node, known));
    let read = Edits {
        remove: table.optional("remove", |node| node.list(of_value)).unwrap_or_default(),
        rename: table.optional("rename", |node| renames(node, name)).unwrap_or_default(),
        set: table.optional("set", texts).unwrap_or_default(),
        append: table.optional("append", texts).unwrap_or_default(),
    };
    table.finish(&[
        ("add", "it is called `append`"),
        ("overwrite", "it is called `set`"),
        ("replace", "it is called `set`"),
        ("delete", "it is called `remove`"),
    ]);
    Ok(read)
}

/// A new name is new to all, so that what comes out does not depend on an order.
fn renames<N: PartialEq>(
    node: Node<'_>,
    name: fn(&str) -> Result<N, (String, String)>,
) -> Result<Vec<(N, N)>, Problem> {
    let read = pairs(node, name, |node| {
        let new = name(node.text()?).map_err(|(message, help)| node.problem(message).help(help))?;
        Ok((new, node))
    })?;
    for (_, (new, node)) in &read {
        let many = read.iter().filter(|(_, (other, _))| other == new).count() > 1;
        if many || read.iter().any(|(old, _)| old == new) {
            node.context.report(node.problem("this name is in this table more than once"));
        }
    }
    Ok(read.into_iter().map(|(old, (new, _))| (old, new)).collect())
}

/// A table whose keys are names, each once.
fn pairs<'a, N: PartialEq, T>(
    node: Node<'a>,
    name: fn(&str) -> Result<N, (String, String)>,
    value: impl Fn(Node<'a>) -> Result<T, Problem>,
) -> Result<Vec<(N, T)>, Problem> {
    let table: Table<'a> = node.table()?;
    let mut read: Vec<(N, T)> = Vec::new();
    for entry @ Entry { at, node, .. } in table.entries() {
        let bad = |(message, help): (String, String)| Problem::at(at.clone(), message).help(help);
        let pair = name(entry.name).map_err(bad).and_then(|name| {
            if read.iter().any(|(other, _)| *other == name) {
                let message = format!("{} is already in this table", quoted(entry.name));
                return Err(Problem::at(at.clone(), message).help("case does not matter in header names"));
            }
            Ok((name, value(*node)?))
        });
        match pair {
            Ok(pair) => read.push(pair),
            Err(problem) => table.report(problem),
        }
    }
    Ok(read)
}

fn header_name(text: &str) -> Result<HeaderName, (String, String)> {
    let name = HeaderName::try_from(text);
    let name = name.map_err(|_| (format!("{} is not a header's name", quoted(text)), "a token".to_owned()))?;
    match name.as_str() {
        "host" => Err(("`host` is no header here".to_owned(), "write `host = \"...\"` in the request".to_owned())),
        own if OWN_HEADERS.contains(&own) => {
            Err((format!("`{own}` is the gateway's own to set"), "choose another name".to_owned()))
        }
        _ => Ok(name),
    }
}

fn parameter(text: &str) -> Result<String, (String, String)> {
    match text {
        "" => Err(("a query parameter has a name".to_owned(), "leave it out".to_owned())),
        text => Ok(text.to_owned()),
    }
}

/// `{ 404 = 410, 5xx = 502 }`: codes come before classes.
fn statuses(node: Node<'_>) -> Result<Vec<(Statuses, StatusCode)>, Problem> {
    let mut table: Vec<_> = Vec::new();
    for Entry { name, at, node } in node.table()?.entries() {
        let code = |text: &str| text.parse().ok().filter(|code| (200..=599).contains(code)).and_then(status);
        let from = match name.strip_suffix("xx") {
            Some(class @ ("2" | "3" | "4" | "5")) => class.parse().ok().map(Statuses::Class),
            _ => code(name).map(Statuses::Code),
        };
        let to = node.integer(200..=599).and_then(|code| match code {
            205 => Err(node.problem("an answer with status 205 has no body")),
            code => status(code as u16).ok_or_else(|| node.problem("this is not a status")),
        });
        match (from, to) {
            (Some(from), Ok(to)) => table.push((from, to)),
            (None, _) => {
                let problem = Problem::at(at.clone(), format!("{} is no status of an answer", quoted(name)));
                node.context.report(problem.help("200 to 599, or `2xx`, `3xx`, `4xx`, `5xx`"));
            }
            (_, Err(problem)) => node.context.report(problem),
        }
    }
    table.sort_by_key(|(from, _)| matches!(from, Statuses::Class(_)));
    Ok(table)
}

fn status(code: u16) -> Option<StatusCode> {
    StatusCode::from_u16(code).ok()
}
