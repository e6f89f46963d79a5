//! The tables about the gateway itself: `[server]`, `[limits]`, `[log]`, `[admin]` and `[listeners.NAME]`.

use std::{
    net::SocketAddr,
    ops::{Range, RangeInclusive},
    path::PathBuf,
    thread,
    time::Duration,
};

use super::{address, collection, file, tls, to_usize};
use crate::config::{
    ClientLimits, Compile, Forwarded, Listener, Log, LogFormat, Server,
    problem::{Problem, quoted, suggestion},
    value::{Context, Node, Table},
};

/// What a time-out of the gateway may be: zero would end everything at once.
pub(super) const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(1);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

pub(super) fn server(mut table: Table<'_>, context: &Context<'_>) -> Server {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get().min(256));
    let forwarded = [
        ("x-forwarded", Forwarded::XForwarded),
        ("rfc7239", Forwarded::Rfc7239),
        ("both", Forwarded::Both),
        ("off", Forwarded::Off),
    ];
    let server = Server {
        workers: table.optional("workers", |node| node.integer(1..=256)).map_or(cores, to_usize),
        drain_timeout: table
            .optional("drain_timeout", |node| node.duration(Duration::ZERO..=*TIMEOUT.end()))
            .unwrap_or(Duration::from_secs(10)),
        code_cache: table.optional("code_cache", file).unwrap_or_else(|| code_cache(context)),
        state: table.optional("state", file),
        compile: Compile {
            cpu: table
                .optional("compile_cpu", |node| node.duration(Duration::from_secs(1)..=*TIMEOUT.end()))
                .unwrap_or(Duration::from_mins(2)),
            memory: table.optional("compile_memory", |node| node.size(64 << 20..=64 << 30)).unwrap_or(1 << 30),
        },
        trusted_proxies: table.optional("trusted_proxies", |node| node.list(address::network)).unwrap_or_default(),
        forwarded: table.optional("forwarded", |node| node.choice(&forwarded)).unwrap_or(Forwarded::XForwarded),
        via: table.optional("via", via).unwrap_or_else(|| "gatehouse".to_owned()),
    };
    table.finish(&[
        ("listen", "it is called `[listeners.NAME] address`"),
        ("bind", "it is called `[listeners.NAME] address`"),
        ("address", "it is called `[listeners.NAME] address`"),
        ("port", "it is part of `[listeners.NAME] address`"),
        ("threads", "it is called `workers`"),
        ("cache", "it is called `code_cache`"),
        ("state_folder", "it is called `state`"),
        ("data", "it is called `state`"),
        ("compile_timeout", "it is called `compile_cpu`"),
        ("shutdown_timeout", "it is called `drain_timeout`"),
        ("grace_period", "it is called `drain_timeout`"),
    ]);
    server
}

/// As the XDG base directory specification has it, which also says that a relative path is ignored. A service without a
/// home gets the place that belongs to services.
fn code_cache(context: &Context<'_>) -> PathBuf {
    let folder = |name| (context.environment)(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    cache.unwrap_or_else(|| PathBuf::from("/var/cache")).join("gatehouse")
}

fn via(node: Node<'_>) -> Result<String, Problem> {
    let text = node.text()?;
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if !text.chars().all(token) {
        return Err(node.problem("`via` must be one word").help("a token of RFC 9110, or empty for no `Via`"));
    }
    Ok(text.to_owned())
}

pub(super) fn limits(mut table: Table<'_>) -> ClientLimits {
    let mut timeout = |key, default| {
        let read = table.optional(key, |node| node.duration(TIMEOUT));
        read.unwrap_or(Duration::from_secs(default))
    };
    let (header_timeout, idle_timeout) = (timeout("header_timeout", 10), timeout("idle_timeout", 60));
    let body_idle_timeout = timeout("body_idle_timeout", 30);
    let answer_idle_timeout = timeout("answer_idle_timeout", 30);
    let mut rate = |key| table.optional(key, min_rate).unwrap_or(240);
    let (body_min_rate, answer_min_rate) = (rate("body_min_rate"), rate("answer_min_rate"));
    let limits = ClientLimits {
        header_bytes: to_usize(
            table.optional("header_bytes", |node| node.size(1 << 10..=256 << 10)).unwrap_or(16 << 10),
        ),
        header_count: to_usize(table.optional("header_count", |node| node.integer(1..=1000)).unwrap_or(100)),
        // The http crate holds a URI of at most 65534 bytes.
        uri_bytes: to_usize(table.optional("uri_bytes", |node| node.size(64..=65_534)).unwrap_or(8 << 10)),
        body_bytes: table.optional("body_bytes", |node| node.size(0..=1 << 40)).unwrap_or(10 << 20),
        header_timeout,
        idle_timeout,
        body_idle_timeout,
        body_min_rate,
        answer_idle_timeout,
        answer_min_rate,
        connections_per_client: table
            .optional("connections_per_client", |node| node.integer(1..=10_000_000))
            .map(to_usize),
    };
    table.finish(&[
        ("body", "it is called `body_bytes`"),
        ("max_body_size", "it is called `body_bytes`"),
        ("headers", "it is called `header_count` or `header_bytes`"),
        ("url_bytes", "it is called `uri_bytes`"),
        ("timeout", "choose `header_timeout`, `idle_timeout` or `body_idle_timeout`"),
        ("read_timeout", "choose `header_timeout` or `body_idle_timeout`"),
        ("keepalive_timeout", "it is called `idle_timeout`"),
        ("write_timeout", "it is called `answer_idle_timeout`"),
        ("send_timeout", "it is called `answer_idle_timeout`"),
        ("min_rate", "choose `body_min_rate` or `answer_min_rate`"),
        ("max_connections", "that of one client is `connections_per_client`; for all, the descriptors of the process"),
        ("max_requests", "it belongs in `[overload]`"),
    ]);
    limits
}

/// Bytes a second.
pub(super) fn min_rate(node: Node<'_>) -> Result<u64, Problem> {
    node.size(0..=1 << 30)
}

pub(super) fn log(mut table: Table<'_>) -> Log {
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    let log = Log {
        format: table.optional("format", |node| node.choice(&formats)).unwrap_or(LogFormat::Human),
        level: table.optional("level", level).unwrap_or_else(|| "info".to_owned()),
        access: table.optional("access", Node::boolean).unwrap_or(true),
    };
    table.finish(&[("file", "the log goes to standard error"), ("filter", "it is called `level`")]);
    log
}

/// A level or a `tracing` filter. There a bare word that is no level is a target; here it is a typo.
fn level(node: Node<'_>) -> Result<String, Problem> {
    let text = node.text()?;
    // Spans and fields of a filter (`target[span{field=1,b=2}]=debug`) are the subscriber's to read.
    let words = if text.contains('[') { Vec::new() } else { text.split(',').map(str::trim).collect() };
    for word in words {
        let level = word.rsplit_once('=').map_or(word, |(_, level)| level);
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            let help = format!("{}; for one target write `TARGET=LEVEL`", suggestion(level, &LEVELS));
            return Err(node.problem(format!("{} is not a level", quoted(level))).help(help));
        }
    }
    Ok(text.to_owned())
}

/// `[admin]` and `[listeners.NAME]`. Sockets are opened with SO_REUSEPORT, so the system would not object to an address
/// that occurs twice.
pub(super) fn listeners(root: &mut Table<'_>) -> (Option<SocketAddr>, Vec<Listener>) {
    let mut seen: Vec<(SocketAddr, usize)> = Vec::new();
    let mut unique = |node: Node<'_>| {
        let address = address::socket(node)?;
        let Range { start, .. } = node.value.span();
        if let Some((_, line)) = seen.iter().find(|(other, _)| *other == address && address.port() != 0) {
            let problem = node.problem(format!("line {line} already listens on this address"));
            return Err(problem.help("give each its own"));
        }
        seen.push((address, node.context.source.line(start)));
        Ok(address)
    };
    let answers =
        [("listen", "it is called `address`"), ("bind", "it is called `address`"), ("port", "it is part of `address`")];
    let mut listeners = Vec::new();
    for entry in collection(root, "listeners", Some("an `address`")) {
        let Ok(mut table) = entry.node.table() else {
            continue;
        };
        let address = table.required("address", "\"0.0.0.0:8080\"", &mut unique);
        let tls = table.optional("tls", tls::listener).flatten();
        table.finish(&[
            ("certificate", "write `[listeners.NAME.tls]` with `certificates = [{ certificate = ..., key = ... }]`"),
            ("ssl", "it is called `tls`"),
            ("https", "write a table `[listeners.NAME.tls]`"),
            answers[0],
            answers[1],
            answers[2],
        ]);
        listeners.extend(address.map(|address| Listener { name: entry.name.to_owned(), address, tls }));
    }
    let admin = root.optional("admin", Node::table).and_then(|mut table| {
        let address = table.required("address", "\"127.0.0.1:9090\"", &mut unique);
        table.finish(&answers);
        address
    });
    (admin, listeners)
}
