//! `[plugins.NAME]` with its `config`, `grants`, `limits` and `cache`.

use std::{ops::RangeInclusive, time::Duration};

use http::HeaderName;
use serde_json::{Map, Value};
use toml::de::DeValue;

use super::{address, file, quantity::show_duration, to_usize};
use crate::config::{
    Grants, Identity, Isolation, OnFailure, Origin, Output, Plugin, PluginLimits, VerdictCache,
    problem::{Problem, quoted},
    value::{Entry, Node, Table},
};

/// They mean something else in `${NAME.…}`.
const RESERVED: &[&str] = &[
    "auth",
    "request",
    "response",
    "path",
    "header",
    "query",
    "cookie",
    "env",
    "tls",
    "error",
    "upstream",
    "api_key",
    "usage_plan",
];

pub(super) fn plugin(entry: &Entry<'_>, mut table: Table<'_>) -> Option<Plugin> {
    if RESERVED.contains(&entry.name) {
        let problem = Problem::at(entry.at.clone(), format!("a plugin cannot be called `{}`", entry.name));
        table.report(problem.help(format!("`${{{}.NAME}}` already means something else", entry.name)));
    }
    let failure = [("deny", OnFailure::Deny), ("skip", OnFailure::Skip)];
    let isolation = [("reuse", Isolation::Reuse), ("request", Isolation::Request)];
    let component = table.required("component", "\"plugins/NAME.wasm\"", file);
    let config = table.optional("config", |node| match node.value.get_ref() {
        DeValue::Table(_) => Ok(node.json()),
        _ => Err(node.mismatch("a table")),
    });
    let plugin = Plugin {
        name: entry.name.to_owned(),
        component: component.unwrap_or_default(),
        source: table.optional("source", file),
        config: config.unwrap_or_else(|| Value::Object(Map::new())),
        on_failure: table.optional("on_failure", |node| node.choice(&failure)).unwrap_or(OnFailure::Deny),
        isolation: table.optional("isolation", |node| node.choice(&isolation)).unwrap_or(Isolation::Reuse),
        grants: grants(table.section("grants")),
        limits: limits(table.section("limits")),
        cache: cache(table.section("cache")),
    };
    let (limit, grant) = ("it belongs in the plugin's `limits`", "it belongs in the plugin's `grants`");
    table.finish(&[
        ("file", "it is called `component`"),
        ("path", "it is called `component`"),
        ("wasm", "it is called `component`"),
        ("module", "it is called `component`"),
        ("settings", "it is called `config`"),
        ("options", "it is called `config`"),
        ("timeout", "it is called `time` and belongs in the plugin's `limits`"),
        ("time", limit),
        ("cpu", limit),
        ("memory", limit),
        ("instances", limit),
        ("http", grant),
        ("keyvalue", grant),
        ("output", grant),
        ("ttl", "it belongs in the plugin's `cache`"),
        ("identity", "it belongs in the plugin's `cache`"),
    ]);
    Some(plugin)
}

fn grants(mut table: Table<'_>) -> Grants {
    let grants = Grants {
        http: table.optional("http", |node| node.list(origin)).unwrap_or_default(),
        http_private: table.optional("http_private", Node::boolean).unwrap_or(false),
        keyvalue: table.optional("keyvalue", Node::boolean).unwrap_or(false),
        output: table.optional("output", |node| match node.text()? {
            "stdout" => Ok(Output::Stdout),
            "stderr" => Ok(Output::Stderr),
            _ => file(node).map(Output::File),
        }),
    };
    table.finish(&[
        ("network", "it is called `http`"),
        ("hosts", "it is called `http`"),
        ("outbound", "it is called `http`"),
        ("kv", "it is called `keyvalue`"),
        ("stdout", "write `output = \"stdout\"`"),
        ("stderr", "write `output = \"stderr\"`"),
        ("env", "a plugin gets `${env.NAME}` through its `config`"),
    ]);
    grants
}

fn origin(node: Node<'_>) -> Result<Origin, Problem> {
    let address::Url { https, host, port } =
        address::url(node.text()?, true).map_err(|problem| node.within(problem))?;
    Ok(Origin { https, host, port })
}

fn limits(mut table: Table<'_>) -> PluginLimits {
    let ms = Duration::from_millis(1);
    let seconds = Duration::from_secs;
    let time_node = table.node("time");
    let cpu_node = table.node("cpu");
    let time = table.optional("time", |node| node.duration(ms..=seconds(300))).unwrap_or(seconds(1));
    let cpu = table.optional("cpu", |node| node.duration(ms..=seconds(10)));
    let cpu = cpu.unwrap_or(time.min(ms * 10));
    if let (true, Some(node)) = (cpu > time, time_node.or(cpu_node)) {
        let message = format!("`time` ({}) is less than `cpu` ({})", show_duration(time), show_duration(cpu));
        table.report(node.problem(message).help("waiting counts for `time` too, so it is the longer of the two"));
    }
    let mut count =
        |key, range: RangeInclusive<u64>, default| table.optional(key, |node| node.integer(range)).unwrap_or(default);
    let (instances, uses) = (count("instances", 1..=10_000, 100), count("uses", 1..=u64::MAX, 1_000_000));
    let (host_calls, handles) = (count("host_calls", 1..=10_000_000, 10_000), count("handles", 16..=100_000, 1024));
    let table_elements = count("table_elements", 0..=200_000, 20_000);
    let (http_calls, log_lines) = (count("http_calls", 0..=10_000, 8), count("log_lines", 0..=1_000_000, 100));
    let mut size =
        |key, range: RangeInclusive<u64>, default| table.optional(key, |node| node.size(range)).unwrap_or(default);
    let memory = size("memory", 64 << 10..=256 << 20, 64 << 20);
    let body = size("body", 0..=1 << 30, 1 << 20);
    let host_bytes = size("host_bytes", 64 << 10..=1 << 30, 8 << 20);
    let keyvalue_bytes = size("keyvalue_bytes", 0..=1 << 30, 1 << 20);
    let init = table.optional("init", |node| node.duration(ms..=seconds(60))).unwrap_or(seconds(1));
    table.finish(&[
        ("timeout", "it is called `time`"),
        ("wall", "it is called `time`"),
        ("cpu_time", "it is called `cpu`"),
        ("fuel", "it is called `cpu`"),
        ("mem", "it is called `memory`"),
        ("body_bytes", "it is called `body`"),
        ("requests", "it is called `uses`"),
        ("concurrency", "it is called `instances`"),
        ("calls", "it is called `host_calls`, or `http_calls` for outbound requests"),
        ("resources", "it is called `handles`"),
        ("tables", "it is called `table_elements`"),
    ]);
    PluginLimits {
        cpu,
        init,
        time,
        memory: to_usize(memory),
        body,
        instances: to_usize(instances),
        uses,
        host_calls: u32::try_from(host_calls).unwrap_or(u32::MAX),
        host_bytes: to_usize(host_bytes),
        handles: to_usize(handles),
        table_elements: to_usize(table_elements),
        http_calls: u32::try_from(http_calls).unwrap_or(u32::MAX),
        keyvalue_bytes: to_usize(keyvalue_bytes),
        log_lines: u32::try_from(log_lines).unwrap_or(u32::MAX),
    }
}

fn cache(mut table: Table<'_>) -> VerdictCache {
    // What AWS API Gateway allows for `authorizerResultTtlInSeconds`.
    let range = || Duration::ZERO..=Duration::from_hours(1);
    let ttl_node = table.node("ttl");
    let max_ttl = table.optional("max_ttl", |node| node.duration(range())).unwrap_or(*range().end());
    let ttl = table.optional("ttl", |node| node.duration(range()));
    let ttl = ttl.unwrap_or(max_ttl.min(Duration::from_mins(5)));
    if let (true, Some(node)) = (ttl > max_ttl, ttl_node) {
        let message = format!("`ttl` ({}) is more than `max_ttl` ({})", show_duration(ttl), show_duration(max_ttl));
        table.report(node.problem(message));
    }
    let denial = table.optional("denial_ttl", |node| node.duration(range()));
    let cache = VerdictCache {
        ttl,
        max_ttl,
        denial_ttl: denial.unwrap_or(Duration::from_mins(1)),
        entries: table.optional("entries", |node| node.integer(1..=10_000_000)).unwrap_or(10_000),
        identity: table.optional("identity", |node| node.list(identity)).unwrap_or_default(),
    };
    table.finish(&[
        ("max_age", "it is called `max_ttl`"),
        ("size", "it is called `entries`"),
        ("keys", "it is called `identity`; what a plugin reads is the key by itself"),
        ("negative_ttl", "it is called `denial_ttl`"),
        ("deny_ttl", "it is called `denial_ttl`"),
    ]);
    cache
}

pub(super) fn identity(node: Node<'_>) -> Result<Identity, Problem> {
    let text = node.text()?;
    let bad = || {
        let problem = node.problem(format!("{} is not an identity source", quoted(text)));
        problem.help("write `header:NAME`, `query:NAME` or `cookie:NAME`")
    };
    match text.split_once(':') {
        Some((_, "")) | None => Err(bad()),
        Some(("header", name)) => HeaderName::try_from(name).map(Identity::Header).map_err(|_| bad()),
        Some(("query", name)) => Ok(Identity::Query(name.to_owned())),
        Some(("cookie", name)) => Ok(Identity::Cookie(name.to_owned())),
        Some(_) => Err(bad()),
    }
}
