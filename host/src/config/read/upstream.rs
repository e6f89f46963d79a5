//! `[upstreams.NAME]`.

use std::time::Duration;

use super::{address, server::TIMEOUT, to_usize};
use crate::config::{
    Upstream,
    problem::Problem,
    value::{Entry, Node, Table},
};

pub(super) fn upstream(entry: &Entry<'_>, mut table: Table<'_>) -> Option<Upstream> {
    let url = table.required("url", "\"http://127.0.0.1:3000\"", url);
    let mut timeout = |key, default| {
        let read = table.optional(key, |node| node.duration(TIMEOUT));
        read.unwrap_or(Duration::from_secs(default))
    };
    let (connect_timeout, first_byte_timeout) = (timeout("connect_timeout", 1), timeout("first_byte_timeout", 30));
    let (idle_timeout, keepalive_timeout) = (timeout("idle_timeout", 30), timeout("keepalive_timeout", 50));
    let tls = table.optional("tls", |node| Ok((super::tls::upstream(node)?, node.value.span())));
    let max_idle = table.optional("max_idle", |node| node.integer(0..=65_535)).unwrap_or(128);
    table.finish(&[
        ("address", "it is called `url`"),
        ("host", "it is called `url`"),
        ("uri", "it is called `url`"),
        ("target", "it is called `url`"),
        ("server", "it is called `url`"),
        ("port", "it is part of `url`"),
        ("ca", "write `tls = { ca = ... }`"),
        ("ssl", "it is called `tls`"),
        ("timeout", "choose `connect_timeout`, `first_byte_timeout` or `idle_timeout`"),
        ("read_timeout", "it is called `first_byte_timeout`, or `idle_timeout` for the body"),
    ]);
    let address::Url { host, port, https } = url?;
    let host = host.trim_matches(['[', ']']).to_owned();
    if let (Some((_, at)), false) = (&tls, https) {
        let problem = Problem::at(at.clone(), "there is no TLS with an upstream that is reached by `http`");
        entry.node.context.report(problem.help("write `https://` in `url`"));
    }
    let mut tls = tls.map(|(tls, _)| tls).unwrap_or_default();
    if tls.server_name.is_empty() {
        tls.server_name.clone_from(&host);
    }
    let tls = https.then_some(tls);
    Some(Upstream {
        name: entry.name.to_owned(),
        host,
        port,
        tls,
        connect_timeout,
        first_byte_timeout,
        idle_timeout,
        keepalive_timeout,
        max_idle: to_usize(max_idle),
    })
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
