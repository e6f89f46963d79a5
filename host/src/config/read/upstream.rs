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
    let max_idle = table.optional("max_idle", |node| node.integer(0..=65_535)).unwrap_or(128);
    table.finish(&[
        ("address", "it is called `url`"),
        ("host", "it is called `url`"),
        ("uri", "it is called `url`"),
        ("target", "it is called `url`"),
        ("server", "it is called `url`"),
        ("port", "it is part of `url`"),
        ("timeout", "choose `connect_timeout`, `first_byte_timeout` or `idle_timeout`"),
        ("read_timeout", "it is called `first_byte_timeout`, or `idle_timeout` for the body"),
    ]);
    let address::Url { host, port, .. } = url?;
    Some(Upstream {
        name: entry.name.to_owned(),
        host: host.trim_matches(['[', ']']).to_owned(),
        port,
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
            problem.help("an upstream gets the path of the request: write `http://HOST:PORT`")
        } else {
            problem
        };
        if replaced {
            node.problem(problem.message).help("it comes from the environment")
        } else {
            node.within(problem)
        }
    })?;
    if url.https {
        return Err(node.problem("upstreams are reached by `http` only, for now").help("write `http://HOST:PORT`"));
    }
    Ok(url)
}
