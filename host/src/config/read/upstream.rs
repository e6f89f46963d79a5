//! `[upstreams.NAME]`.

use std::{
    ops::{Range, RangeInclusive},
    time::Duration,
};

use http::StatusCode;
use toml::de::DeValue;

use super::{address, plugin, server::TIMEOUT, tls, to_u32, to_usize};
use crate::config::{
    Balance, Ejection, Endpoint, HashKey, HealthCheck, Part, Protocol, Retries, Template, Upstream, UpstreamTls,
    problem::{Problem, quoted},
    value::{Entry, Node, Table},
};

/// What the weights of all endpoints may be together: requests are dealt out in rounds of so many.
const WEIGHT: u64 = 1000;

const PROTOCOLS: [(&str, Protocol); 2] = [("http1", Protocol::Http1), ("http2", Protocol::Http2)];

pub(super) fn upstream(entry: &Entry<'_>, mut table: Table<'_>) -> Option<Upstream> {
    let endpoints = endpoints(&mut table);
    let protocol = table.optional("protocol", |node| node.choice(&PROTOCOLS)).unwrap_or(Protocol::Http1);
    let balance = balance(&mut table);
    let mut timeout = |key, default| {
        let read = table.optional(key, |node| node.duration(TIMEOUT));
        read.unwrap_or(Duration::from_secs(default))
    };
    let (connect_timeout, first_byte_timeout) = (timeout("connect_timeout", 1), timeout("first_byte_timeout", 30));
    let (idle_timeout, keepalive_timeout) = (timeout("idle_timeout", 30), timeout("keepalive_timeout", 50));
    let resolve_interval = table.optional("resolve_interval", |node| node.duration(RESOLVED));
    let tls = table.optional("tls", |node| Ok((tls::upstream(node)?, node.value.span())));
    let max_idle = table.optional("max_idle", |node| node.integer(0..=65_535)).unwrap_or(128);
    let max_requests = table.optional("max_requests", |node| node.integer(1..=1_000_000)).map(to_usize);
    let max_pending = max_pending(&mut table);
    let several = endpoints.as_ref().is_some_and(|(endpoints, _)| endpoints.len() > 1);
    let retries = table.optional("retries", |node| retries(node, several));
    let ejection = table.optional("ejection", ejection);
    let health_check = table.optional("health_check", health_check);
    table.finish(&[
        ("address", "it is called `url`"),
        ("host", "it is called `url`"),
        ("uri", "it is called `url`"),
        ("target", "it is called `url`"),
        ("targets", "they are called `endpoints`"),
        ("servers", "they are called `endpoints`"),
        ("urls", "they are called `endpoints`"),
        ("server", "it is called `url`"),
        ("port", "it is part of `url`"),
        ("ca", "write `tls = { ca = ... }`"),
        ("ssl", "it is called `tls`"),
        ("http2", "write `protocol = \"http2\"`"),
        ("h2", "write `protocol = \"http2\"`"),
        ("grpc", "write `protocol = \"http2\"`"),
        ("version", "it is called `protocol`"),
        ("timeout", "choose `connect_timeout`, `first_byte_timeout` or `idle_timeout`"),
        ("read_timeout", "it is called `first_byte_timeout`, or `idle_timeout` for the body"),
        ("dns_ttl", "it is called `resolve_interval`"),
        ("resolver", "the system's is asked, each `resolve_interval`"),
        ("lb", "it is called `balance`"),
        ("load_balancing", "it is called `balance`"),
        ("outlier_detection", "it is called `ejection`"),
        ("circuit_breaker", "write `max_requests` and `max_pending`"),
        ("max_connections", "it is called `max_requests`"),
    ]);
    let (endpoints, https) = endpoints?;
    let tls = of_https(tls, https, entry);
    let retries = retries.unwrap_or(Retries { attempts: u32::from(several), statuses: Vec::new() });
    let ejection = ejection.unwrap_or(Ejection { failures: FAILURES, time: EJECTED });
    Some(Upstream {
        name: entry.name.to_owned(),
        endpoints,
        protocol,
        balance,
        tls,
        connect_timeout,
        first_byte_timeout,
        idle_timeout,
        keepalive_timeout,
        resolve_interval: resolve_interval.unwrap_or(Duration::from_secs(10)),
        max_idle: to_usize(max_idle),
        max_requests,
        max_pending,
        retries,
        ejection,
        health_check,
    })
}

/// Where they are, and whether they speak TLS: all of them, or none.
fn endpoints(table: &mut Table<'_>) -> Option<(Vec<Endpoint>, bool)> {
    let Some(node) = table.node("endpoints") else {
        let url = table.required("url", "\"http://127.0.0.1:3000\"", url)?;
        return Some((vec![of(&url, 1)], url.https));
    };
    if let Some(url) = table.node("url") {
        table.report(url.problem("an upstream has `url` or `endpoints`").help("put it among the `endpoints`"));
    }
    let (mut found, mut weights): (Vec<(Endpoint, bool)>, u64) = (Vec::new(), 0);
    let reported = node.context.reported();
    let read = node.list(|node| {
        let (url, weight) = match node.value.get_ref() {
            DeValue::Table(_) => {
                let mut table = node.table()?;
                let read = table.required("url", "\"http://127.0.0.1:3000\"", url);
                let weight = table.optional("weight", |node| node.integer(1..=WEIGHT));
                table.finish(&[("address", "it is called `url`"), ("host", "it is called `url`")]);
                let Some(url) = read else { return Ok(()) };
                (url, weight.unwrap_or(1))
            }
            _ => (url(node)?, 1),
        };
        let endpoint = of(&url, to_u32(weight));
        if found.iter().any(|(other, _)| (&other.host, other.port) == (&endpoint.host, endpoint.port)) {
            return Err(node.problem("this endpoint is there already").help("give one of them a `weight`"));
        }
        if found.first().is_some_and(|(_, https)| *https != url.https) {
            return Err(node.problem("the endpoints of an upstream speak TLS all, or none of them does"));
        }
        weights += weight;
        if weights > WEIGHT {
            return Err(node.problem(format!("the weights of all endpoints are more than {WEIGHT} together")));
        }
        found.push((endpoint, url.https));
        Ok(())
    });
    match read {
        Err(problem) => {
            table.report(problem);
            None
        }
        Ok(_) if found.is_empty() => {
            if node.context.reported() == reported {
                table.report(node.problem("there is no endpoint").help("add a URL: `\"http://127.0.0.1:3000\"`"));
            }
            None
        }
        Ok(_) => {
            let https = found[0].1;
            Some((found.into_iter().map(|(endpoint, _)| endpoint).collect(), https))
        }
    }
}

fn of(url: &address::Url, weight: u32) -> Endpoint {
    Endpoint { host: url.host.trim_matches(['[', ']']).to_owned(), port: url.port, weight }
}

fn balance(table: &mut Table<'_>) -> Balance {
    #[derive(Clone, Copy, PartialEq)]
    enum Kind {
        RoundRobin,
        LeastRequest,
        Hash,
    }
    let kinds = [("round-robin", Kind::RoundRobin), ("least-request", Kind::LeastRequest), ("hash", Kind::Hash)];
    let chosen = table.optional("balance", |node| Ok((node.choice(&kinds)?, node)));
    let given = table.node("hash_key");
    let key = given.and_then(|node| hash_key(node).map_err(|problem| node.context.report(problem)).ok());
    match (chosen, given) {
        (Some((Kind::Hash, node)), None) => {
            let problem = node.problem("`hash_key` is missing: what tells requests apart");
            table.report(problem.help("add `hash_key = \"${request.client-ip}\"`"));
        }
        (None | Some((Kind::RoundRobin | Kind::LeastRequest, _)), Some(node)) => {
            table.report(node.problem("only `balance = \"hash\"` has a key"));
        }
        _ => {}
    }
    match chosen.map(|(kind, _)| kind) {
        Some(Kind::Hash) => key.map_or(Balance::RoundRobin, Balance::Hash),
        Some(Kind::LeastRequest) => Balance::LeastRequest,
        Some(Kind::RoundRobin) | None => Balance::RoundRobin,
    }
}

pub(super) fn hash_key(node: Node<'_>) -> Result<HashKey, Problem> {
    let text = node.text()?;
    if !text.contains("${") {
        return plugin::identity(node).map(HashKey::Field).map_err(|problem| {
            problem.help("write `header:NAME`, `query:NAME`, `cookie:NAME`, `${request.client-ip}` or `${auth.NAME}`")
        });
    }
    let template = Template::parse(text).map_err(|problem| node.within(problem))?;
    match template.parts.iter().any(|part| matches!(part, Part::ResponseHeader(_))) {
        true => Err(node.problem("there is no answer yet")),
        false => Ok(HashKey::Template(template)),
    }
}

fn max_pending(table: &mut Table<'_>) -> usize {
    let limited = table.entries().iter().any(|entry| entry.name == "max_requests");
    let read = table.optional("max_pending", |node| {
        let number = node.integer(0..=1_000_000)?;
        match limited || number == 0 {
            true => Ok(number),
            false => Err(node.problem("nothing waits without `max_requests`").help("add `max_requests = ...`")),
        }
    });
    read.map_or(0, to_usize)
}

fn retries(node: Node<'_>, several: bool) -> Result<Retries, Problem> {
    let mut table = node.table()?;
    let attempts = table.optional("attempts", |node| node.integer(0..=10)).map(to_u32);
    let statuses = table.optional("statuses", |node| {
        node.list(|node| {
            let number = node.integer(500..=599)?;
            StatusCode::from_u16(number as u16).map_err(|_| node.problem("this is not a status"))
        })
    });
    table.finish(&[("retries", "it is called `attempts`"), ("on", "they are called `statuses`")]);
    Ok(Retries { attempts: attempts.unwrap_or(u32::from(several)), statuses: statuses.unwrap_or_default() })
}

const FAILURES: u32 = 5;
const EJECTED: Duration = Duration::from_secs(30);

fn ejection(node: Node<'_>) -> Result<Ejection, Problem> {
    let mut table = node.table()?;
    let failures = table.optional("failures", |node| node.integer(0..=1_000_000)).map_or(FAILURES, to_u32);
    let time = table.optional("time", |node| node.duration(TIMEOUT)).unwrap_or(EJECTED);
    table.finish(&[("consecutive_5xx", "it is called `failures`"), ("duration", "it is called `time`")]);
    Ok(Ejection { failures, time })
}

fn health_check(node: Node<'_>) -> Result<HealthCheck, Problem> {
    let mut table = node.table()?;
    let path = table.optional("path", |node| {
        let text = node.text()?;
        let good = text.starts_with('/') && text.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'#');
        match good {
            true => Ok(text.to_owned()),
            false => {
                Err(node.problem(format!("{} is not a path", quoted(text))).help("begin with `/`, such as `/healthz`"))
            }
        }
    });
    let interval = table.optional("interval", |node| node.duration(CHECKED)).unwrap_or(Duration::from_secs(5));
    let timeout = table.optional("timeout", |node| node.duration(TIMEOUT)).unwrap_or(Duration::from_secs(1));
    let mut number = |key, default| table.optional(key, |node| node.integer(1..=1000)).map_or(default, to_u32);
    let (healthy, unhealthy) = (number("healthy", 2), number("unhealthy", 3));
    table.finish(&[
        ("url", "write `path`: each endpoint is checked"),
        ("threshold", "choose `healthy` or `unhealthy`"),
        ("rise", "it is called `healthy`"),
        ("fall", "it is called `unhealthy`"),
    ]);
    Ok(HealthCheck { path, interval, timeout, healthy, unhealthy })
}

/// How often a name may be resolved.
const RESOLVED: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(1);

/// How often a check may be made.
const CHECKED: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);

/// What TLS an upstream has: there is none with `http`.
fn of_https(tls: Option<(UpstreamTls, Range<usize>)>, https: bool, entry: &Entry<'_>) -> Option<UpstreamTls> {
    if let (Some((_, at)), false) = (&tls, https) {
        let problem = Problem::at(at.clone(), "there is no TLS with an upstream that is reached by `http`");
        entry.node.context.report(problem.help("write `https://` in `url`"));
    }
    https.then(|| tls.map(|(tls, _)| tls).unwrap_or_default())
}

fn url(node: Node<'_>) -> Result<address::Url, Problem> {
    let text = node.expanded()?;
    let url = address::url(&text, false).map_err(|problem| {
        let replaced = node.text() != Ok(&*text);
        let problem = if problem.message == "the URL has a path" {
            problem.help("an upstream gets the path of the request: write `SCHEME://HOST:PORT`")
        } else {
            problem
        };
        if replaced {
            node.problem(problem.message).help("it comes from the environment")
        } else {
            node.within(problem)
        }
    })?;
    Ok(url)
}
