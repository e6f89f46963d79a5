//! `[routes.NAME.mirror]`.

use std::ops::RangeInclusive;

use http::HeaderName;
use toml::de::DeValue;

use super::{
    route::{Names, refer},
    to_u32, to_usize,
};
use crate::config::{
    Mirror, Target,
    problem::{Problem, quoted},
    value::Node,
};

const BODY: RangeInclusive<u64> = 0..=1 << 20;

/// Copies at the same time.
const REQUESTS: RangeInclusive<u64> = 1..=10_000;

/// None where something is missing, which is reported.
pub(super) fn mirror(node: Node<'_>, names: &Names<'_>, target: &Target) -> Result<Option<Mirror>, Problem> {
    let mut table = node.table()?;
    let upstream = table.required("upstream", "\"NAME\"", |node| {
        let upstream = refer(node, "upstream", &names.upstreams)?;
        match names.http2.contains(&names.upstreams[upstream]) {
            false => Ok(upstream),
            true => {
                Err(node.problem("copies are sent over HTTP/1.1").help("name an upstream with `protocol = \"http1\"`"))
            }
        }
    });
    let per_million = table.optional("percent", percent).unwrap_or(1_000_000);
    let body_bytes = table.optional("body_bytes", |node| node.size(BODY)).unwrap_or(64 << 10);
    let max_requests = table.optional("max_requests", |node| node.integer(REQUESTS)).map_or(100, to_usize);
    let remove_headers = table.optional("remove_headers", |node| node.list(header)).unwrap_or_default();
    table.finish(&[
        ("url", "it is the `upstream`'s: `[upstreams.NAME]`"),
        ("fraction", "it is called `percent`"),
        ("max_concurrent", "it is called `max_requests`"),
        ("body", "it is called `body_bytes`"),
    ]);
    if !matches!(target, Target::Upstream(_)) {
        return Err(node.problem("a route that answers by itself has nothing to copy").help("give it an `upstream`"));
    }
    Ok(upstream.map(|upstream| Mirror { upstream, per_million, body_bytes, max_requests, remove_headers }))
}

/// 0 to 100, with a fraction or without, as parts of a million.
fn percent(node: Node<'_>) -> Result<u32, Problem> {
    let number: f64 = match node.value.get_ref() {
        DeValue::Float(number) => number.as_str().parse().unwrap_or(f64::NAN),
        _ => node.integer(0..=100)? as f64,
    };
    match (0.0..=100.0).contains(&number) {
        true => Ok(to_u32((number * 10_000.0).round() as u64)),
        false => Err(node.problem("`percent` must be between 0 and 100")),
    }
}

fn header(node: Node<'_>) -> Result<HeaderName, Problem> {
    let text = node.text()?;
    let name = HeaderName::try_from(text);
    let name = name.map_err(|_| node.problem(format!("{} is not a header's name", quoted(text))))?;
    match name.as_str() {
        "host" | "content-length" | "transfer-encoding" => {
            Err(node.problem(format!("no request can do without `{name}`")).help("choose another name"))
        }
        _ => Ok(name),
    }
}
