//! `[routes.NAME.websocket]`.

use std::{ops::RangeInclusive, time::Duration};

use http::Method;
use toml::de::DeValue;

use crate::config::{Match, Target, WebSocket, problem::Problem, value::Node};

/// Longer than a day is for ever: nobody would see that it ends.
const TIMES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

/// `true` is a table without keys; none where it is `false`.
pub(super) fn websocket(node: Node<'_>, matches: &Match, target: &Target) -> Result<Option<WebSocket>, Problem> {
    let read = match node.value.get_ref() {
        DeValue::Boolean(true) => WebSocket::default(),
        DeValue::Boolean(false) => return Ok(None),
        DeValue::Table(_) => times(node)?,
        _ => return Err(node.mismatch("`true` or a table").help("write `websocket = true`")),
    };
    if !matches!(target, Target::Upstream(_)) {
        return Err(node.problem("a route that answers by itself opens no WebSocket").help("give it an `upstream`"));
    }
    if matches.methods.as_ref().is_some_and(|methods| !methods.contains(&Method::GET)) {
        let problem = node.problem("a WebSocket is asked for by GET, which is not among the `methods`");
        return Err(problem.help("add \"GET\" to `methods`"));
    }
    Ok(Some(read))
}

fn times(node: Node<'_>) -> Result<WebSocket, Problem> {
    let mut table = node.table()?;
    let mut time = |key, default| table.optional(key, |node| node.duration(TIMES)).unwrap_or(default);
    let WebSocket { idle_timeout, max_time } = WebSocket::default();
    let read = WebSocket { idle_timeout: time("idle_timeout", idle_timeout), max_time: time("max_time", max_time) };
    table.finish(&[
        ("timeout", "choose `idle_timeout` or `max_time`"),
        ("idle", "it is called `idle_timeout`"),
        ("max_duration", "it is called `max_time`"),
        ("ping_interval", "the gateway sends no pings: those of both ends pass"),
        ("origins", "an authorizer judges the `Origin`, or the route's `headers`"),
        ("subprotocols", "the upstream chooses"),
    ]);
    Ok(read)
}
