//! The table of limits in docs/limits.md says what the program does: each limit of the configuration with its default and
//! its range.

use std::{fs, path::Path};

use gatehouse::config::{Config, Source};

/// Sections of the page, with how a configuration sets a key of theirs.
const SECTIONS: &[(&str, &str)] = &[
    ("`[limits]`", "[limits]"),
    ("`[upstreams.NAME]`", "[upstreams.app]\nurl = 'http://localhost:3000'"),
    ("`[plugins.NAME.limits]`", "[plugins.p]\ncomponent = 'p.wasm'\n[plugins.p.limits]"),
    ("`[server]`", "[server]"),
    (
        "`[listeners.NAME.tls]`",
        "[listeners.t]\naddress = '127.0.0.1:1'\n[listeners.t.tls]\ncertificates = [{ certificate = 'a', key = 'b' }]",
    ),
    ("`[rate_limits.NAME]`", "[rate_limits.l]\nrate = '5/s'"),
    ("`[quotas.NAME]`", "[quotas.q]\nrequests = 5\nper = 'day'"),
    ("`[redis.NAME]`", "[redis.r]\nurl = 'redis://localhost'"),
    ("`[validators.NAME]`", "[validators.v]\nbody = 'v.json'"),
    ("`[overload]`", "[overload]"),
    ("`[routes.NAME.timeouts]`", "[routes.t]\npath = '/t'\nupstream = 'app'\n[routes.t.timeouts]"),
    ("`[caches.NAME]`", "[caches.c]"),
    ("`[compression]`", "[compression]"),
    ("`[routes.NAME.mirror]`", "[routes.m]\npath = '/m'\nupstream = 'app'\n[routes.m.mirror]\nupstream = 'app'"),
    ("`[routes.NAME.websocket]`", "[routes.w]\npath = '/w'\nupstream = 'app'\n[routes.w.websocket]"),
];

/// Fields of upstreams and plugins that are none.
const NO_LIMITS: [&str; 13] = [
    "name",
    "host",
    "port",
    "tls",
    "endpoints",
    "protocol",
    "weight",
    "balance",
    "retries",
    "statuses",
    "ejection",
    "time",
    "health_check",
];

/// A limit of the configuration, as the page has it.
struct Row {
    section: usize,
    name: String,
    default: String,
    range: String,
}

/// The rows of limits that have a name.
fn rows() -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/limits.md");
    let page = fs::read_to_string(page).expect("the page of limits");
    let mut section = None;
    let mut rows = Vec::new();
    for line in page.lines() {
        if line.starts_with("## ") {
            section = SECTIONS.iter().position(|(name, _)| line.ends_with(name));
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let (Some(section), [_, name, default, range, ..]) = (section, cells.as_slice())
            && let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'))
        {
            let plain = |text: &str| text.replace('`', "");
            rows.push(Row { section, name: name.to_owned(), default: plain(default), range: plain(range) });
        }
    }
    rows
}

/// A configuration in which a limit has a value, or its default.
fn with(row: &Row, value: Option<&str>) -> Result<Config, String> {
    let (before, mut line) = (SECTIONS[row.section].1, String::new());
    if let Some(value) = value {
        let value = if value.parse::<u64>().is_ok() { value.to_owned() } else { format!("'{value}'") };
        line = match row.name.strip_prefix("cache.") {
            Some(key) => format!("[plugins.p.cache]\n{key} = {value}\n"),
            None => format!("{} = {value}\n", row.name),
        };
    }
    if row.name.starts_with("health_check.") {
        // Without a check none of its limits is there.
        line += "health_check.path = '/healthz'\n";
    }
    let app = if before.contains("[upstreams.app]") { "" } else { "[upstreams.app]\nurl = 'http://localhost:3000'\n" };
    let text =
        format!("{app}{before}\n{line}[listeners.web]\naddress = '127.0.0.1:0'\n[routes.all]\nupstream = 'app'\n");
    Config::parse(Source::new("g.toml", &text)).map_err(|problems| problems.to_string())
}

/// All that a limit can be in.
fn limits(config: &Config) -> String {
    let plugins = config.plugins.iter().map(|plugin| format!("{:?} {:?}", plugin.limits, plugin.cache));
    let Config { limits, overload, upstreams, server, listeners, rate_limits, validators, quotas, redis, .. } = config;
    let Config { caches, compression, .. } = config;
    let websockets: Vec<_> = config.routes.iter().map(|route| (route.websocket, &route.mirror)).collect();
    let plugins = plugins.collect::<Vec<_>>();
    format!(
        "{limits:?} {overload:?} {upstreams:?} {server:?} {listeners:?} {rate_limits:?} {validators:?} {plugins:?} {websockets:?} {quotas:?} {redis:?} {caches:?} {compression:?}"
    )
}

/// The names of the fields of a structure.
fn fields(structure: &impl std::fmt::Debug) -> Vec<String> {
    let text = format!("{structure:?}");
    let (_, fields) = text.split_once("{ ").expect("a structure with fields");
    fields.split(", ").filter_map(|field| Some(field.split_once(": ")?.0.to_owned())).collect()
}

#[test]
fn every_documented_default_is_the_default() {
    for row in rows().iter().filter(|row| {
        ![
            "one a core",
            "the rate's number",
            "no limit",
            "a quarter of all, at least 100",
            "0, 1 with several endpoints",
            "the upstream's",
            "that of [limits]",
            "not kept",
        ]
        .contains(&&*row.default)
    }) {
        let default = limits(&with(row, None).expect("a configuration without it"));
        let explicit = with(row, Some(&row.default)).unwrap_or_else(|error| panic!("{}: {error}", row.name));
        assert_eq!(limits(&explicit), default, "{}", row.name);
    }
}

#[test]
fn every_documented_range_is_the_range() {
    for row in rows().iter().filter(|row| row.name != "uses") {
        let error = match with(row, Some("99999999999999")).err().filter(|error| error.contains("must be between")) {
            Some(error) => error,
            None => with(row, Some("99999h")).expect_err("nothing may be so large"),
        };
        // The lower end of `time` is another limit, which the program checks by itself.
        let range = row.range.replace("cpu to", "1ms to").replace(" to ", " and ");
        assert!(error.contains(&format!("must be between {range}")), "{}: {range}, but {error}", row.name);
    }
}

#[test]
fn every_limit_is_documented() {
    let rows = rows();
    let config = with(rows.iter().find(|row| row.section == 2).expect("a limit of a plugin"), None);
    let config = config.expect("a configuration with a plugin");
    let parts = [fields(&config.limits), fields(&config.upstreams[0]), fields(&config.plugins[0].limits)];
    for (section, fields) in parts.iter().enumerate() {
        let limits = fields.iter().filter(|field| !NO_LIMITS.contains(&field.as_str()));
        for field in limits {
            let documented = rows.iter().any(|row| row.section == section && row.name == *field);
            assert!(documented, "`{field}` of {} is not in docs/limits.md", SECTIONS[section].0);
        }
    }
}
