//! `[rate_limits.NAME]`.

use std::{ops::RangeInclusive, time::Duration};

use super::usage::store;

use crate::config::{
    Part, RateLimit, Store, Template,
    problem::{Problem, quoted},
    value::{Entry, Node, Table},
};

const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

const NUMBER: RangeInclusive<u32> = 1..=1_000_000;

pub(super) fn rate_limit(entry: &Entry<'_>, mut table: Table<'_>, stores: &[&str]) -> Option<RateLimit> {
    let rate = table.required("rate", "\"100/s\"", rate);
    let burst = table.optional("burst", burst);
    let key = table.optional("key", key);
    let entries = table.optional("entries", |node| node.integer(1..=10_000_000)).unwrap_or(100_000);
    let store = table.optional("store", |node| store(node, stores)).unwrap_or(Store::Memory);
    table.finish(&[
        ("limit", "it is called `rate`"),
        ("requests", "it is called `rate`, as in `\"100/s\"`"),
        ("per", "it is part of `rate`, as in `\"100/s\"`"),
        ("period", "it is part of `rate`, as in `\"100/s\"`"),
        ("by", "it is called `key`"),
        ("name", "it is the table's: `[rate_limits.NAME]`"),
    ]);
    let (requests, per) = rate?;
    let burst = burst.unwrap_or(requests);
    Some(RateLimit { name: entry.name.to_owned(), requests, per, burst, key, entries, store })
}

pub(super) fn burst(node: Node<'_>) -> Result<u32, Problem> {
    let number = node.integer(u64::from(*NUMBER.start())..=u64::from(*NUMBER.end()))?;
    Ok(u32::try_from(number).unwrap_or(*NUMBER.end()))
}

/// `100/s`.
pub(super) fn rate(node: Node<'_>) -> Result<(u32, Duration), Problem> {
    let text = node.text()?;
    let help =
        "a whole number of requests and a unit of time, as in `\"100/s\"`, `\"30/m\"`, `\"1000/h\"`, `\"10000/d\"`";
    let read = text.split_once('/').and_then(|(number, unit)| {
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        Some((number.parse::<u32>().ok().filter(|_| digits)?, Duration::from_secs(*seconds)))
    });
    let (number, unit) = read.ok_or_else(|| node.problem(format!("{} is not a rate", quoted(text))).help(help))?;
    match NUMBER.contains(&number) {
        true => Ok((number, unit)),
        false => Err(node.problem(format!("a rate's number must be between {} and {}", NUMBER.start(), NUMBER.end()))),
    }
}

pub(super) fn key(node: Node<'_>) -> Result<Template, Problem> {
    let text = node.text()?;
    let template = Template::parse(text).map_err(|problem| node.within(problem))?;
    if template.parts.contains(&Part::RequestId) {
        return Err(node.problem("every request has an id of its own: nothing would be limited"));
    }
    for part in &template.parts {
        if let Part::Attribute(name) = part
            && !["auth.", "tls.", "api_key.", "usage_plan."].iter().any(|prefix| name.starts_with(prefix))
        {
            let problem = node.problem(format!("`{name}` is not known yet when requests are counted"));
            return Err(problem.help("write `${auth.NAME}`, `${tls.NAME}`, `${path.NAME}` or `${request.client-ip}`"));
        }
    }
    match template.parts.iter().all(|part| matches!(part, Part::Text(_))) {
        true => {
            Err(node.problem("this key is the same for all requests").help("leave `key` out for one bucket for all"))
        }
        false => Ok(template),
    }
}
