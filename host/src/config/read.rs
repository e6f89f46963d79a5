//! From TOML to [`Config`]: each table has its reader, and each reader reports what is wrong and goes on.
//!
//! A configuration is handed out only when nothing was reported, so a reader may leave out what it could not read.

mod address;
mod cache;
mod compression;
mod cors;
mod duplicate;
mod environment;
mod error;
mod header;
mod mapping;
mod mirror;
mod overload;
mod path;
mod plugin;
mod quantity;
mod rate_limit;
mod redis;
mod route;
mod server;
mod split;
mod syntax;
mod target;
mod timeouts;
mod tls;
mod upstream;
mod usage;
mod validator;
mod variable;
mod websocket;

pub(crate) use usage::parse_digest;

use std::{cell::RefCell, path::PathBuf};

use toml::de::{DeTable, DeValue};

use super::{
    ConcurrencyLimit, Config, Quota, RateLimit, Template,
    problem::{Problem, Problems, Source},
    value::{Context, Entry, Node, Table},
};

/// Keys that people try at the top, and what to say.
const ANSWERS: &[(&str, &str)] = &[
    ("gzip", "it is called `[compression]`"),
    ("compress", "it is called `[compression]`"),
    ("cache", "they are called `[caches.NAME]`"),
    ("caching", "they are called `[caches.NAME]`"),
    ("vars", "they are called `[variables]`"),
    ("stage", "it is called `[stages.NAME.variables]`"),
    ("rate_limit", "they are called `[rate_limits.NAME]`"),
    ("throttling", "it is called `[rate_limits.NAME]`"),
    ("quota", "it is called `[quotas.NAME]`"),
    ("plans", "they are called `[usage_plans.NAME]`"),
    ("keys", "they are called `[api_keys.NAME]`"),
    ("concurrency", "it is called `[concurrency_limits.NAME]`"),
    ("request_validators", "they are called `[validators.NAME]`"),
    ("validation", "it is called `[validators.NAME]`"),
    ("models", "a JSON Schema is a file, the `body` of `[validators.NAME]`"),
    ("listen", "it is called `[listeners.NAME] address`"),
    ("bind", "it is called `[listeners.NAME] address`"),
    ("address", "it is called `[listeners.NAME] address`"),
    ("port", "it is part of `[listeners.NAME] address`"),
    ("services", "they are called `[upstreams.NAME]`"),
    ("backends", "they are called `[upstreams.NAME]`"),
    ("clusters", "they are called `[upstreams.NAME]`"),
    ("filters", "they are called `[plugins.NAME]`"),
    ("middlewares", "they are called `[plugins.NAME]`"),
    ("authorizers", "they are called `[plugins.NAME]`"),
    ("logging", "it is called `[log]`"),
    ("metrics", "metrics are served at `[admin] address`"),
    ("workers", "it belongs in `[server]`"),
    ("upstream_headers", "it belongs in `[routes.NAME]`"),
];

/// Reads and checks a text, with the process's environment.
pub(super) fn config(source: Source) -> Result<Config, Problems> {
    config_with(source, &|name| std::env::var(name).ok())
}

fn config_with(source: Source, environment: &dyn Fn(&str) -> Option<String>) -> Result<Config, Problems> {
    let mut root = match DeTable::parse(&source.text) {
        Ok(root) => root,
        Err(error) => return Err(Problems::new(source.clone(), vec![syntax::problem(&source, &error)])),
    };
    let wrong = variable::expand(root.get_mut(), &source);
    let context = Context { source: &source, environment, problems: RefCell::default() };
    let mut root = Table::new(root.get_ref(), 0..0, &context);
    // They have been read already.
    for key in variable::OWN {
        root.node(key);
    }

    let server = server::server(root.section("server"), &context);
    let limits = server::limits(root.section("limits"));
    let overload = overload::overload(root.section("overload"));
    let log = server::log(root.section("log"));
    let compression = compression::compression(root.section("compression"));
    let (admin, listeners) = server::listeners(&mut root);

    let upstreams = collection(&mut root, "upstreams", None);
    let plugins = collection(&mut root, "plugins", None);
    let rate_limits = collection(&mut root, "rate_limits", None);
    let redis = collection(&mut root, "redis", None);
    let quotas = collection(&mut root, "quotas", None);
    let concurrency_limits = collection(&mut root, "concurrency_limits", None);
    let usage_plans = collection(&mut root, "usage_plans", None);
    let api_keys = collection(&mut root, "api_keys", None);
    let cors = collection(&mut root, "cors", None);
    let validators = collection(&mut root, "validators", None);
    let caches = collection(&mut root, "caches", None);
    let errors = collection(&mut root, "errors", None);
    let routes = collection(&mut root, "routes", Some("an `upstream`"));
    let names = route::Names {
        upstreams: upstreams.iter().map(|entry| entry.name).collect(),
        plugins: plugins.iter().map(|entry| entry.name).collect(),
        rate_limits: rate_limits.iter().map(|entry| entry.name).collect(),
        quotas: quotas.iter().map(|entry| entry.name).collect(),
        concurrency_limits: concurrency_limits.iter().map(|entry| entry.name).collect(),
        cors: cors.iter().map(|entry| entry.name).collect(),
        validators: validators.iter().map(|entry| entry.name).collect(),
        http2: Vec::new(),
        caches: caches.iter().map(|entry| entry.name).collect(),
    };
    let errors = each(errors, |entry, table| error::error(entry, table, &names.plugins));
    let cors = each(cors, cors::cors);
    let validators = each(validators, validator::validator);
    let stores: Vec<&str> = redis.iter().map(|entry| entry.name).collect();
    let redis = each(redis, redis::redis);
    let rate_limits = each(rate_limits, |entry, table| rate_limit::rate_limit(entry, table, &stores));
    let quotas = each(quotas, |entry, table| usage::quota(entry, table, &stores));
    let concurrency_limits = each(concurrency_limits, usage::concurrency_limit);
    let plans: Vec<&str> = usage_plans.iter().map(|entry| entry.name).collect();
    let api_keys = each(api_keys, |entry, table| usage::api_key(entry, table, &plans));
    let route_names: Vec<&str> = routes.iter().map(|entry| entry.name).collect();
    let usage_plans = each(usage_plans, |entry, table| usage::plan(entry, table, &route_names, &stores));
    let caches = each(caches, cache::cache);
    let upstreams = each(upstreams, upstream::upstream);
    let plugins = each(plugins, plugin::plugin);
    let http2: Vec<&str> = (upstreams.iter().filter(|upstream| upstream.protocol == super::Protocol::Http2))
        .map(|upstream| &*upstream.name)
        .collect();
    let names = route::Names { http2, ..names };
    let keys = limit_keys(&rate_limits, &quotas, &concurrency_limits);
    let routes = route::routes(routes, &names, (&keys, &caches), limits.uri_bytes);
    root.finish(ANSWERS);

    let problems = wrong.with(context.problems.take());
    if !problems.is_empty() {
        return Err(Problems::new(source.clone(), problems));
    }
    Ok(Config {
        source: source.clone(),
        server,
        limits,
        overload,
        log,
        admin,
        listeners,
        upstreams,
        plugins,
        rate_limits,
        redis,
        quotas,
        concurrency_limits,
        usage_plans,
        api_keys,
        cors,
        validators,
        caches,
        compression,
        errors,
        routes,
    })
}

/// The keys of all limits, each by its table and its name there.
fn limit_keys<'a>(
    rates: &'a [RateLimit],
    quotas: &'a [Quota],
    concurrency: &'a [ConcurrencyLimit],
) -> Vec<((&'static str, &'a str), &'a Template)> {
    let rates = rates.iter().map(|limit| (("rate_limits", &*limit.name), &limit.key));
    let quotas = quotas.iter().map(|quota| (("quotas", &*quota.name), &quota.key));
    let concurrency = concurrency.iter().map(|limit| (("concurrency_limits", &*limit.name), &limit.key));
    rates.chain(quotas).chain(concurrency).filter_map(|(place, key)| Some((place, key.as_ref()?))).collect()
}

/// A text that was read already, as it is, with its variables put in.
pub(super) fn tree(source: &Source) -> serde_json::Value {
    let Ok(mut root) = DeTable::parse(&source.text) else { return serde_json::Value::Null };
    variable::expand(root.get_mut(), source);
    variable::plain(&DeValue::Table(root.into_inner()))
}

/// The entries of `[KEY.NAME]` tables. Those with a bad name or that are no tables are reported; the latter are kept as
/// names that may be referred to. With `required`, the key that each must have, it is a problem if there are none.
fn collection<'a>(root: &mut Table<'a>, key: &'static str, required: Option<&str>) -> Vec<Entry<'a>> {
    let node = root.node(key);
    let table = match node.map(|node| (node, node.value.get_ref())) {
        Some((node, DeValue::Table(table))) => Some(Table::new(table, node.value.span(), node.context)),
        Some((node, other)) => {
            let found = if matches!(other, DeValue::Array(_)) { "an array" } else { "a single value" };
            let problem = node.problem(format!("{key} are named tables, not {found}"));
            root.report(problem.help(format!("write `[{key}.NAME]` for each")));
            return Vec::new();
        }
        None => None,
    };
    let entries = table.as_ref().map_or(&[][..], Table::entries);
    if let (Some(required), true) = (required, entries.is_empty()) {
        let problem = Problem::at(0..0, format!("there are no {key}"));
        root.report(problem.help(format!("add a table `[{key}.NAME]` with {required}")));
    }
    for entry in entries {
        check_name(entry, key);
        if !matches!(entry.node.value.get_ref(), DeValue::Table(_)) {
            let problem = entry.node.mismatch("a table");
            root.report(Problem { at: entry.at.clone(), ..problem }.help(format!("{key} have names: `[{key}.NAME]`")));
        }
    }
    entries.to_vec()
}

/// A plugin's name has no dots: it comes before the dot in `${PLUGIN.NAME}`.
fn check_name(entry: &Entry<'_>, key: &str) {
    let dots = key != "plugins";
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || (dots && c == '.');
    if !entry.name.chars().all(plain) || !(1..=64).contains(&entry.name.len()) {
        let dot = if dots { ", `.`" } else { "" };
        let problem = Problem::at(entry.at.clone(), format!("this cannot be a name in `[{key}]`"));
        entry.node.context.report(problem.help(format!("1 to 64 letters, digits, `-`, `_`{dot}")));
    }
}

/// Reads the entries that are tables.
fn each<'a, T>(entries: Vec<Entry<'a>>, read: impl Fn(&Entry<'a>, Table<'a>) -> Option<T>) -> Vec<T> {
    entries.iter().filter_map(|entry| read(entry, entry.node.table().ok()?)).collect()
}

/// A path of the file system, relative to the configuration's folder.
fn file(node: Node<'_>) -> Result<PathBuf, Problem> {
    match node.text()? {
        "" => Err(node.problem(format!("`{}` is empty", node.name))),
        text if text.starts_with('~') => Err(node.problem("`~` is not expanded").help("write the whole path")),
        text => {
            let source = node.context.source;
            Ok(source.name.parent().map_or_else(|| PathBuf::from(text), |folder| folder.join(text)))
        }
    }
}

/// Sizes and counts have ranges far below what a `usize` holds.
fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn to_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Source, config_with};

    const REST: &str = "[listeners.a]\naddress = '127.0.0.1:${env.PORT}'\n[upstreams.u]\nurl = 'http://${env.HOST}'\n\
        [plugins.p]\ncomponent = 'p.wasm'\nconfig = { a = ['x${env.SECRET}y'], at = 2024-01-02 }\n[routes.r]\nupstream = 'u'\n";

    fn environment(name: &str) -> Option<String> {
        match name {
            "PORT" => Some("8080".to_owned()),
            "HOST" => Some("app:81".to_owned()),
            "SECRET" => Some("${env.HOST}".to_owned()),
            "BAD" => Some("hunter2 hunter2".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_once_in_addresses_urls_and_plugin_configuration() {
        let config = config_with(Source::new("g.toml", REST), &environment).expect("it is valid");
        assert_eq!(config.listeners[0].address.port(), 8080);
        assert_eq!(
            (config.upstreams[0].endpoints[0].host.as_str(), config.upstreams[0].endpoints[0].port),
            ("app", 81)
        );
        let expected = serde_json::json!({ "a": ["x${env.HOST}y"], "at": "2024-01-02" });
        assert_eq!(config.plugins[0].config, expected);
    }

    #[test]
    fn the_value_of_a_variable_is_never_shown() {
        for key in ["PORT", "HOST"] {
            let text = REST.replace(key, "BAD");
            let problems = config_with(Source::new("g.toml", &text), &environment).expect_err("it is invalid");
            assert!(!problems.to_string().contains("hunter2"), "{problems}");
        }
    }

    #[test]
    fn compiled_code_is_kept_in_the_cache_folder_of_the_user() {
        let code_cache = |variables: &[(&str, &str)]| {
            let get = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            let text = REST.replace("${env.PORT}", "1").replace("${env.HOST}", "u").replace("${env.SECRET}", "");
            let config = config_with(Source::new("g.toml", &text), &get).expect("it is valid");
            config.server.code_cache.display().to_string()
        };
        assert_eq!(code_cache(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/cache")]), "/cache/gatehouse");
        assert_eq!(code_cache(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "relative")]), "/home/a/.cache/gatehouse");
        assert_eq!(code_cache(&[]), "/var/cache/gatehouse");
    }
}
