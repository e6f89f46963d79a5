//! `[quotas.NAME]`, `[usage_plans.NAME]`, `[api_keys.NAME]`, `[concurrency_limits.NAME]`, and `api_key` of a route.

use http::HeaderName;
use toml::de::DeValue;

use super::{
    file,
    rate_limit::{burst, key, rate},
    route::refer_in,
};
use crate::config::{
    ApiKey, Calendar, ConcurrencyLimit, KeySecret, KeySource, Period, PlanQuota, Quota, Rate, RouteKey, Store,
    UsagePlan,
    problem::{Problem, quoted, suggestion},
    value::{Entry, Node, Table},
};

/// Where an API key is looked for if nothing else is said, as in AWS.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Requests of a quota.
const REQUESTS: std::ops::RangeInclusive<u64> = 1..=1_000_000_000_000;

pub(super) fn quota(entry: &Entry<'_>, mut table: Table<'_>, stores: &[&str]) -> Option<Quota> {
    let (requests, calendar) = amount(&mut table);
    let key = table.optional("key", key);
    let entries = table.optional("entries", |node| node.integer(1..=1_000_000)).unwrap_or(100_000);
    let store = table.optional("store", |node| store(node, stores)).unwrap_or(Store::Memory);
    table.finish(&[
        ("limit", "it is called `requests`"),
        ("rate", "it is `requests` and `per`, or a limit of `[rate_limits.NAME]`"),
        ("period", "it is called `per`"),
        ("by", "it is called `key`"),
        ("name", "it is the table's: `[quotas.NAME]`"),
    ]);
    Some(Quota { name: entry.name.to_owned(), requests: requests?, calendar: calendar?, key, entries, store })
}

/// `requests`, `per` and `offset`.
fn amount(table: &mut Table<'_>) -> (Option<u64>, Option<Calendar>) {
    let requests = table.required("requests", "10000", |node| node.integer(REQUESTS));
    let periods = [("day", Period::Day), ("week", Period::Week), ("month", Period::Month)];
    let per = table.required("per", "\"month\"", |node| node.choice(&periods));
    let offset = table.optional("offset", |node| {
        let most = match per {
            Some(Period::Day) => return Err(node.problem("a day begins at midnight UTC").help("leave `offset` out")),
            Some(Period::Week) => 6,
            _ => 27,
        };
        Ok(node.integer(0..=most)? as u8)
    });
    (requests, per.map(|per| Calendar { per, offset: offset.unwrap_or(0) }))
}

/// `"memory"`, or `"redis.NAME"`.
pub(super) fn store(node: Node<'_>, stores: &[&str]) -> Result<Store, Problem> {
    let text = node.text()?;
    match text.strip_prefix("redis.") {
        Some(name) if stores.contains(&name) => Ok(Store::Redis(name.to_owned())),
        Some(name) if !stores.is_empty() => {
            let problem = node.problem(format!("there is no redis {}", quoted(name)));
            Err(problem.help(suggestion(name, stores)))
        }
        Some(name) => {
            Err(node.problem(format!("there is no redis {}", quoted(name))).help("add a table `[redis.NAME]`"))
        }
        None if text == "memory" => Ok(Store::Memory),
        None => {
            let problem = node.problem(format!("{} is no place to count", quoted(text)));
            Err(problem.help("write `\"memory\"` or `\"redis.NAME\"`"))
        }
    }
}

/// `routes` are the names of all.
pub(super) fn plan(entry: &Entry<'_>, mut table: Table<'_>, routes: &[&str], stores: &[&str]) -> Option<UsagePlan> {
    let rate = plan_rate(&mut table);
    let quota = table.optional("quota", |node| {
        let mut table = node.table()?;
        let (requests, calendar) = amount(&mut table);
        table.finish(&[("limit", "it is called `requests`"), ("period", "it is called `per`")]);
        Ok(requests.zip(calendar).map(|(requests, calendar)| PlanQuota { requests, calendar }))
    });
    let covered = table.optional("routes", |node| {
        let covered = node.list(|node| Ok(routes[refer_in(node, "route", "routes", routes)?].to_owned()))?;
        match node.value.get_ref() {
            DeValue::Array(items) if items.is_empty() => {
                Err(node.problem("its keys could use no route").help("leave `routes` out for all that ask for a key"))
            }
            _ => Ok(covered),
        }
    });
    let route_rates = table.optional("route_rates", |node| route_rates(node, routes, covered.as_deref()));
    let keys_file = table.optional("keys_file", file);
    let store = table.optional("store", |node| store(node, stores)).unwrap_or(Store::Memory);
    table.finish(&[
        ("throttle", "it is `rate` and `burst`"),
        ("limit", "it is `rate` and `burst`, or `quota`"),
        ("keys", "a key says its `plan`: `[api_keys.NAME]`"),
        ("api_stages", "it is called `routes`"),
        ("name", "it is the table's: `[usage_plans.NAME]`"),
    ]);
    let name = entry.name.to_owned();
    let route_rates = route_rates.unwrap_or_default();
    Some(UsagePlan { name, rate, quota: quota.flatten(), routes: covered, route_rates, keys_file, store })
}

/// `rate` and `burst`, which there is only with it.
fn plan_rate(table: &mut Table<'_>) -> Option<Rate> {
    let there = table.entries().iter().any(|entry| entry.name == "rate");
    let rate = table.optional("rate", rate);
    let burst = table.optional("burst", |node| match there {
        true => burst(node),
        false => Err(node.problem("there is no `rate` that it could belong to").help("add `rate = \"100/s\"`")),
    });
    rate.map(|(requests, per)| Rate { requests, per, burst: burst.unwrap_or(requests) })
}

fn route_rates(node: Node<'_>, routes: &[&str], covered: Option<&[String]>) -> Result<Vec<(String, Rate)>, Problem> {
    let table = node.table()?;
    let mut rates = Vec::new();
    for entry in table.entries() {
        if !routes.contains(&entry.name) {
            let problem = Problem::at(entry.at.clone(), format!("there is no route {}", quoted(entry.name)));
            table.report(problem.help(suggestion(entry.name, routes)));
        } else if covered.is_some_and(|covered| !covered.iter().any(|name| name == entry.name)) {
            let problem =
                Problem::at(entry.at.clone(), format!("{} is not in this plan's `routes`", quoted(entry.name)));
            table.report(problem.help("add it there"));
        }
        let mut of_route = match entry.node.table() {
            Ok(table) => table,
            Err(problem) => {
                table.report(problem.help("write `{ rate = \"10/s\", burst = 5 }`"));
                continue;
            }
        };
        of_route.required("rate", "\"10/s\"", rate);
        let rate = plan_rate(&mut of_route);
        of_route.finish(&[("quota", "a quota is of the whole plan")]);
        rates.extend(rate.map(|rate| (entry.name.to_owned(), rate)));
    }
    Ok(rates)
}

pub(super) fn api_key(entry: &Entry<'_>, mut table: Table<'_>, plans: &[&str]) -> Option<ApiKey> {
    let given = ["sha256", "value_file", "value_env"].map(|key| table.entries().iter().any(|entry| entry.name == key));
    let digest = table.optional("sha256", digest).map(KeySecret::Digest);
    let path = table.optional("value_file", file).map(KeySecret::File);
    let variable = table.optional("value_env", |node| match node.text()? {
        "" => Err(node.problem("`value_env` is empty")),
        name => Ok(KeySecret::Variable(name.to_owned())),
    });
    if given.iter().filter(|given| **given).count() != 1 {
        let problem = Problem::at(entry.at.clone(), "a key has one of `sha256`, `value_file` and `value_env`");
        table.report(problem.help("`gatehouse key new` makes a value and its digest"));
    }
    let plan = table.required("plan", "\"NAME\"", |node| refer_in(node, "usage plan", "usage_plans", plans));
    let enabled = table.optional("enabled", |node| node.boolean()).unwrap_or(true);
    table.finish(&[
        ("value", "a configuration is no place for it: write its digest as `sha256`, or `value_file` or `value_env`"),
        ("key", "write its digest as `sha256`, or `value_file` or `value_env`"),
        ("hash", "it is called `sha256`"),
        ("digest", "it is called `sha256`"),
        ("usage_plan", "it is called `plan`"),
        ("disabled", "write `enabled = false`"),
        ("name", "it is the table's: `[api_keys.NAME]`"),
    ]);
    Some(ApiKey { name: entry.name.to_owned(), secret: digest.or(path).or(variable)?, plan: plan?, enabled })
}

fn digest(node: Node<'_>) -> Result<[u8; 32], Problem> {
    parse_digest(node.text()?).ok_or_else(|| {
        // Whatever it is, it may be the key itself.
        let problem = node.problem("this is not the SHA-256 of a key");
        problem.help("64 hexadecimal digits; `gatehouse key digest` computes them")
    })
}

/// 64 hexadecimal digits.
pub(crate) fn parse_digest(text: &str) -> Option<[u8; 32]> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
    bytes.try_into().ok()
}

/// `"required"`, or a table.
pub(super) fn route_key(node: Node<'_>) -> Result<RouteKey, Problem> {
    let (source, forward) = match node.value.get_ref() {
        DeValue::Table(_) => {
            let mut table = node.table()?;
            let source = table.optional("from", key_source);
            let forward = table.optional("forward", |node| node.boolean());
            if let (Some(KeySource::Attribute(_)), Some(node)) = (&source, table.node("forward")) {
                table.report(node.problem("no header is taken away").help("leave `forward` out"));
            }
            table.finish(&[
                ("header", "write `from = \"header:NAME\"`"),
                ("source", "it is called `from`"),
                ("required", "it is, where there is an `api_key`"),
            ]);
            (source, forward)
        }
        _ => (None, node.choice(&[("required", None)])?),
    };
    let source = source.unwrap_or(KeySource::Header(X_API_KEY));
    Ok(RouteKey { source, forward: forward.unwrap_or(false) })
}

fn key_source(node: Node<'_>) -> Result<KeySource, Problem> {
    let text = node.text()?;
    let help = "write `\"header:NAME\"` or `\"auth.NAME\"`";
    match (text.split_once(':'), text.split_once('.')) {
        (Some(("header", name)), _) => HeaderName::try_from(name)
            .map(KeySource::Header)
            .map_err(|_| node.problem(format!("{} is not a header's name", quoted(name)))),
        (None, Some(("auth", name))) if !name.is_empty() => Ok(KeySource::Attribute(text.to_owned())),
        _ => Err(node.problem(format!("{} is no place of an API key", quoted(text))).help(help)),
    }
}

pub(super) fn concurrency_limit(entry: &Entry<'_>, mut table: Table<'_>) -> Option<ConcurrencyLimit> {
    let max = table.required("max", "100", |node| node.integer(1..=1_000_000));
    let key = table.optional("key", key);
    table.finish(&[
        ("limit", "it is called `max`"),
        ("amount", "it is called `max`"),
        ("requests", "it is called `max`"),
        ("by", "it is called `key`"),
        ("name", "it is the table's: `[concurrency_limits.NAME]`"),
    ]);
    Some(ConcurrencyLimit { name: entry.name.to_owned(), max: super::to_u32(max?), key })
}
