//! `upstream` of a route, where it names several, and `[routes.NAME.split]`.

use std::{ops::RangeInclusive, time::Duration};

use http::HeaderName;
use toml::de::DeValue;

use super::{
    header::{self, OWN_HEADERS, Scope},
    route::refer_by,
    to_u32, upstream,
};
use crate::config::{
    HashKey, Split, Sticky,
    problem::{Problem, quoted},
    value::{Node, Table},
};

const WEIGHTS: RangeInclusive<u64> = 0..=1_000_000;

/// A year and a day: browsers keep a cookie for 400 days at the most.
const MAX_AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(366 * 24);

/// Of a route's keys; none where it has one upstream.
pub(super) fn split(table: &mut Table<'_>, names: &[&str], scope: &Scope<'_>) -> Option<Split> {
    let upstreams = match table.node("upstream").map(|node| (node, node.value.get_ref())) {
        Some((node, DeValue::Table(_))) => upstreams(node, names).map_err(|problem| table.report(problem)).ok(),
        _ => None,
    };
    let rest = table.node("split");
    if let (Some(node), None) = (rest, &upstreams) {
        let problem = node.problem("there are no several upstreams to choose from");
        table.report(problem.help("write `upstream = { STABLE = 95, NEXT = 5 }`"));
    }
    let choice = rest.and_then(|node| choice(node, scope).map_err(|problem| table.report(problem)).ok());
    let (sticky, header) = choice.unwrap_or_default();
    Some(Split { upstreams: upstreams?, sticky, header })
}

/// `{ stable = 95, next = 5 }`
fn upstreams(node: Node<'_>, names: &[&str]) -> Result<Vec<(usize, u32)>, Problem> {
    let mut found = Vec::new();
    for entry in node.table()?.entries() {
        match refer_by(entry.name, entry.at.clone(), "upstream", "upstreams", names) {
            Err(problem) => node.context.report(problem),
            Ok(index) => match entry.node.integer(WEIGHTS) {
                Err(problem) => node.context.report(problem),
                Ok(weight) => found.push((index, to_u32(weight))),
            },
        }
    }
    if node.table()?.entries().is_empty() {
        return Err(node.problem("no upstream is named").help("write `{ STABLE = 95, NEXT = 5 }`"));
    }
    if !found.is_empty() && found.iter().all(|(_, weight)| *weight == 0) {
        return Err(node.problem("no upstream gets any requests").help("one weight at least is more than 0"));
    }
    Ok(found)
}

fn choice(node: Node<'_>, scope: &Scope<'_>) -> Result<(Sticky, Option<HeaderName>), Problem> {
    let mut table = node.table()?;
    let key = table.node("sticky");
    let cookie = table.node("cookie");
    let age = table.node("cookie_max_age");
    if let (Some(_), Some(node)) = (key, cookie) {
        table.report(node.problem("there is already a `sticky`").help("a cookie is set where nothing else tells"));
    }
    if let (None, Some(node)) = (cookie, age) {
        table.report(node.problem("there is no `cookie` to be kept"));
    }
    let sticky = table.optional("sticky", |node| self::key(node, scope)).map(Sticky::Key);
    let max_age = table.optional("cookie_max_age", |node| node.duration(MAX_AGE));
    let cookie = table.optional("cookie", cookie_name).map(|name| Sticky::Cookie { name, max_age });
    let header = table.optional("header", |node| {
        let text = node.text()?;
        let name = HeaderName::try_from(text).ok().filter(|name| !OWN_HEADERS.contains(&name.as_str()));
        name.ok_or_else(|| node.problem(format!("{} is not the name of a client's header", quoted(text))))
    });
    table.finish(&[
        ("key", "it is called `sticky`"),
        ("hash_key", "it is called `sticky`"),
        ("weights", "they stand in `upstream = { NAME = WEIGHT }`"),
        ("upstreams", "they stand in `upstream = { NAME = WEIGHT }`"),
        ("max_age", "it is called `cookie_max_age`"),
        ("force", "it is called `header`"),
    ]);
    Ok((sticky.or(cookie).unwrap_or_default(), header))
}

fn key(node: Node<'_>, scope: &Scope<'_>) -> Result<HashKey, Problem> {
    let key = upstream::hash_key(node)?;
    if let HashKey::Template(template) = &key
        && scope.sound
        && let Some((message, help)) = template.parts.iter().find_map(|part| header::check(part, scope).err())
    {
        return Err(node.problem(message).help(help));
    }
    Ok(key)
}

/// RFC 6265 section 4.1.1: a token.
fn cookie_name(node: Node<'_>) -> Result<String, Problem> {
    let text = node.text()?;
    match HeaderName::try_from(text) {
        Ok(_) if text.len() <= 64 => Ok(text.to_owned()),
        _ => Err(node.problem(format!("{} is not a cookie's name", quoted(text))).help("a token such as `canary`")),
    }
}
