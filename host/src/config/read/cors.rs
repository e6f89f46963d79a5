//! `[cors.NAME]`.

use std::time::Duration;

use http::HeaderName;
use toml::de::DeValue;

use super::{address, route::methods};
use crate::config::{
    AllowedOrigin, Cors, Names,
    problem::{Problem, quoted},
    value::{Entry, Node, Table},
};

/// Browsers keep the answer to a preflight for no longer (Firefox a day, Chromium two hours).
const MAX_AGE: Duration = Duration::from_hours(24);

pub(super) fn cors(entry: &Entry<'_>, mut table: Table<'_>) -> Option<Cors> {
    let origins = table.required("allow_origins", "[\"https://app.example\"]", origins);
    let any = origins.as_ref().is_some_and(|origins| origins.contains(&AllowedOrigin::Any));
    let credentials = table.optional("allow_credentials", |node| match node.boolean()? {
        true if any => {
            let message = "with credentials, any site could do what its visitor may";
            Err(node.problem(message).help("list the origins that may, instead of `*`"))
        }
        value => Ok(value),
    });
    let cors = Cors {
        name: entry.name.to_owned(),
        allow_origins: origins.unwrap_or_default(),
        allow_methods: table.optional("allow_methods", methods),
        allow_headers: table.optional("allow_headers", names).unwrap_or_default(),
        expose_headers: table.optional("expose_headers", names).unwrap_or_default(),
        allow_credentials: credentials.unwrap_or(false),
        max_age: table.optional("max_age", |node| node.duration(Duration::ZERO..=MAX_AGE)),
    };
    table.finish(&[
        ("origins", "it is called `allow_origins`"),
        ("methods", "it is called `allow_methods`"),
        ("headers", "it is called `allow_headers`"),
        ("expose", "it is called `expose_headers`"),
        ("credentials", "it is called `allow_credentials`"),
        ("allowed_origins", "it is called `allow_origins`"),
        ("allowed_methods", "it is called `allow_methods`"),
        ("allowed_headers", "it is called `allow_headers`"),
    ]);
    Some(cors)
}

fn origins(node: Node<'_>) -> Result<Vec<AllowedOrigin>, Problem> {
    let origins = node.list(origin)?;
    match node.value.get_ref() {
        DeValue::Array(items) if items.is_empty() => {
            Err(node.problem("no origin is allowed").help("add one, as in `[\"https://app.example\"]`"))
        }
        _ => Ok(origins),
    }
}

/// As a browser serializes it: `https://app.example`, `http://localhost:3000`, `null`.
fn origin(node: Node<'_>) -> Result<AllowedOrigin, Problem> {
    let text = node.text()?;
    match text {
        "*" => return Ok(AllowedOrigin::Any),
        "null" => return Ok(AllowedOrigin::Exact(text.into())),
        _ => {}
    }
    let address::Url { https, host, port } = address::url(text, true).map_err(|problem| node.within(problem))?;
    let scheme = if https { "https://" } else { "http://" };
    let port = if port == [80, 443][usize::from(https)] { String::new() } else { format!(":{port}") };
    Ok(match host.strip_prefix('*') {
        Some(below) => AllowedOrigin::Below { scheme: scheme.into(), suffix: format!("{below}{port}").into() },
        None => AllowedOrigin::Exact(format!("{scheme}{host}{port}").into()),
    })
}

fn names(node: Node<'_>) -> Result<Names, Problem> {
    let mut any = false;
    let names = node.list(|node| {
        let text = node.text()?;
        any |= text == "*";
        HeaderName::try_from(text).map_err(|_| node.problem(format!("{} is not a header's name", quoted(text))))
    })?;
    Ok(if any { Names::Any } else { Names::These(names) })
}
