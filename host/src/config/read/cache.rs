//! `[caches.NAME]`, and what a route says of its cache.

use std::{ops::RangeInclusive, time::Duration};

use http::Method;
use toml::de::DeValue;

use super::{
    header::{self, Scope},
    plugin::identity,
    route::refer,
};
use crate::config::{
    Cache, CacheRules, HashKey, Identity, Match, Part, RouteCache, RouteRules, Target, Template,
    problem::{Problem, quoted},
    value::{Entry, Node, Table},
};

/// Longer than a month nobody remembers what is kept.
const TTL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(720);

const STALE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(720);

const COLLAPSE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(1);

/// A hit looks at each.
const PARTS: usize = 16;

pub(super) fn cache(entry: &Entry<'_>, mut table: Table<'_>) -> Option<Cache> {
    let bytes = table.optional("bytes", |node| node.size(1 << 20..=1 << 36)).unwrap_or(64 << 20);
    let entry_bytes = table.optional("entry_bytes", |node| {
        let size = node.size(1 << 10..=64 << 20)?;
        match size <= bytes {
            true => Ok(size),
            false => Err(node.problem("an answer of this size is larger than all of `bytes`")),
        }
    });
    let collapse = table.optional("collapse", |node| node.duration(COLLAPSE));
    let rules = CacheRules::default().with(&rules(&mut table, None));
    table.finish(&ANSWERS);
    Some(Cache {
        name: entry.name.to_owned(),
        bytes,
        entry_bytes: entry_bytes.unwrap_or(bytes.min(1 << 20)),
        collapse: collapse.unwrap_or(Duration::from_secs(2)),
        rules,
    })
}

/// What people try, and what to say.
const ANSWERS: [(&str, &str); 10] = [
    ("size", "it is called `bytes`"),
    ("max_size", "it is called `bytes`"),
    ("max_entry", "it is called `entry_bytes`"),
    ("default_ttl", "it is called `ttl`"),
    ("override", "it is called `ttl_overrides`"),
    ("vary", "it is called `key`; `Vary` of answers is heard anyway"),
    ("keys", "it is called `key`"),
    ("lock_timeout", "it is called `collapse`"),
    ("stale", "it is called `stale_if_error`"),
    ("methods", "answers to GET are kept, and serve HEAD too"),
];

/// The keys that both a cache and a route may have.
fn rules(table: &mut Table<'_>, scope: Option<&Scope<'_>>) -> RouteRules {
    let ttl = table.optional("ttl", |node| node.duration(TTL));
    let ttl_overrides = table.optional("ttl_overrides", Node::boolean);
    RouteRules {
        ttl,
        ttl_overrides,
        max_ttl: table.optional("max_ttl", |node| node.duration(TTL)),
        negative_ttl: table.optional("negative_ttl", |node| node.duration(TTL)),
        stale_if_error: table.optional("stale_if_error", |node| node.duration(STALE)),
        key: table.optional("key", |node| {
            let key = node.list(|node| part(node, scope))?;
            short(node, key)
        }),
        query: table.optional("query", |node| {
            let query = node.list(parameter)?;
            short(node, query)
        }),
        shared: table.optional("shared", Node::boolean),
        client_control: table.optional("client_control", |node| node.choice(&[("ignore", false), ("allow", true)])),
    }
}

fn short<T>(node: Node<'_>, list: Vec<T>) -> Result<Vec<T>, Problem> {
    match list.len() <= PARTS {
        true => Ok(list),
        false => Err(node.problem(format!("`{}` has more than {PARTS} parts", node.name))),
    }
}

fn parameter(node: Node<'_>) -> Result<String, Problem> {
    match node.text()? {
        "" => Err(node.problem("a query parameter has a name")),
        text => Ok(text.to_owned()),
    }
}

/// `header:NAME`, `cookie:NAME` or a text with references.
fn part(node: Node<'_>, scope: Option<&Scope<'_>>) -> Result<HashKey, Problem> {
    let text = node.text()?;
    if !text.contains("${") {
        let field = identity(node).map_err(|problem| {
            problem.help("write `header:NAME`, `cookie:NAME`, `${auth.NAME}`, `${tls.NAME}` or `${request.client-ip}`")
        })?;
        return match field {
            Identity::Query(_) => {
                Err(node.problem("all of the query is in the key").help("name what matters of it in `query`"))
            }
            field => Ok(HashKey::Field(field)),
        };
    }
    let template = Template::parse(text).map_err(|problem| node.within(problem))?;
    if template.parts.contains(&Part::RequestId) {
        return Err(node.problem("every request has an id of its own: nothing would be found again"));
    }
    if let Some(scope) = scope
        && let Some((message, help)) = template.parts.iter().find_map(|part| header::check(part, scope).err())
        && scope.sound
    {
        return Err(node.problem(message).help(help));
    }
    Ok(HashKey::Template(template))
}

/// A route's cache: its name, or a table with it.
pub(super) fn of_route(
    node: Node<'_>,
    names: &[&str],
    caches: &[Cache],
    scope: &Scope<'_>,
    (matches, target): (&Match, &Target),
) -> Result<RouteCache, Problem> {
    let (cache, rules) = match node.value.get_ref() {
        DeValue::Table(_) => {
            let mut table = node.table()?;
            let cache = table.required("name", "\"NAME\"", |node| refer(node, "cache", names));
            let rules = rules(&mut table, Some(scope));
            table.finish(&[
                ("cache", "it is called `name`"),
                ("bytes", "it belongs in `[caches.NAME]`"),
                ("entry_bytes", "it belongs in `[caches.NAME]`"),
                ("collapse", "it belongs in `[caches.NAME]`"),
                ("override", "it is called `ttl_overrides`"),
                ("default_ttl", "it is called `ttl`"),
                ("keys", "it is called `key`"),
            ]);
            (cache.unwrap_or_default(), rules)
        }
        _ => (refer(node, "cache", names)?, RouteRules::default()),
    };
    if !matches!(target, Target::Upstream(_)) {
        return Err(node.problem("a route that answers by itself needs no cache").help("give it an `upstream`"));
    }
    if matches
        .methods
        .as_ref()
        .is_some_and(|methods| !methods.iter().any(|method| [Method::GET, Method::HEAD].contains(method)))
    {
        let problem = node.problem("only answers to GET are kept, which is not among the `methods`");
        return Err(problem.help("leave `cache` out"));
    }
    let named = names.get(cache).and_then(|name| caches.iter().find(|cache| cache.name == *name));
    if let Some(named) = named.filter(|_| rules.key.is_none() && scope.sound) {
        let unknown = named.rules.key.iter().find_map(|key| match key {
            HashKey::Template(template) => template.parts.iter().find_map(|part| header::check(part, scope).err()),
            HashKey::Field(_) => None,
        });
        if let Some((message, help)) = unknown {
            let problem =
                node.problem(format!("the key of cache {} cannot be known here: {message}", quoted(&named.name)));
            return Err(problem.help(help));
        }
    }
    Ok(RouteCache { cache, rules })
}
