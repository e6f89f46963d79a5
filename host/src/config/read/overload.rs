//! `[overload]`.

use std::time::Duration;

use super::to_usize;
use crate::config::{Overload, value::Table};

pub(super) fn overload(mut table: Table<'_>) -> Overload {
    let (second, hour) = (Duration::from_secs(1), Duration::from_hours(1));
    let overload = Overload {
        max_requests: table.optional("max_requests", |node| node.integer(1..=10_000_000)).map(to_usize),
        max_delay: table
            .optional("max_delay", |node| node.duration(Duration::ZERO..=Duration::from_mins(1)))
            .unwrap_or(Duration::from_secs(2)),
        max_memory: table.optional("max_memory", |node| node.size(1 << 20..=1 << 40)),
        retry_after: table.optional("retry_after", |node| node.duration(second..=hour)).unwrap_or(second),
    };
    table.finish(&[
        ("max_connections", "that of one client is `connections_per_client` in `[limits]`"),
        ("requests", "it is called `max_requests`"),
        ("max_concurrency", "it is called `max_requests`"),
        ("delay", "it is called `max_delay`"),
        ("target", "it is called `max_delay`"),
        ("memory", "it is called `max_memory`"),
        ("heap", "it is called `max_memory`"),
        ("exempt", "write `priority = \"critical\"` in `[routes.NAME]`"),
    ]);
    overload
}
