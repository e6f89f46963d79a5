//! `[routes.NAME.timeouts]`.

use std::{ops::RangeInclusive, time::Duration};

use crate::config::{Target, Timeouts, problem::Problem, value::Node};

/// A stream may be silent for longer than a request may take.
const TIMES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

pub(super) fn timeouts(node: Node<'_>, target: &Target) -> Result<Timeouts, Problem> {
    let mut table = node.table()?;
    let mut time = |key| table.optional(key, |node| node.duration(TIMES));
    let (first_byte, idle) = (time("first_byte"), time("idle"));
    let read = Timeouts { first_byte, idle, total: time("total"), body_idle: time("body_idle") };
    table.finish(&[
        ("first_byte_timeout", "it is called `first_byte`"),
        ("idle_timeout", "it is called `idle`"),
        ("body_idle_timeout", "it is called `body_idle`"),
        ("connect", "`connect_timeout` belongs to the upstream"),
        ("connect_timeout", "it belongs to the upstream"),
        ("read", "it is called `first_byte`, or `idle` for the body"),
        ("request", "it is called `total`"),
        ("timeout", "it is called `total`"),
    ]);
    match target {
        Target::Upstream(_) => Ok(read),
        _ => Err(node.problem("a route that answers by itself waits for nobody").help("give it an `upstream`")),
    }
}
