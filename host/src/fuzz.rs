//! What the fuzz targets in `fuzz/` run, and `tests/fuzz.rs` over their corpora: functions that take any bytes and assert
//! what must hold for them. Each stands in the `fuzz.rs` of the part that it is about, where it sees what is private there.
//! Nothing of the gateway calls them.

pub(crate) mod text;

use crate::{config, edge, path, plugin, query, route, upstream, validation, verdict};

/// Something that must hold for any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its file in `fuzz/fuzz_targets` and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Panics when it does not hold.
    pub run: fn(&[u8]) -> Seen,
}

/// What became of an input: a target that refuses all of them, or none, would show nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// It was good, or the two things that were compared are the same.
    Accepted,
    /// It was not.
    Refused,
}

impl Seen {
    pub(crate) fn accepted(is: bool) -> Self {
        if is { Self::Accepted } else { Self::Refused }
    }
}

/// All targets.
pub const TARGETS: [Target; 12] = [
    Target { name: "answer", run: upstream::fuzz::answer },
    Target { name: "authority", run: edge::fuzz::authority },
    Target { name: "body", run: validation::fuzz::body },
    Target { name: "chunks", run: upstream::fuzz::chunks },
    Target { name: "client", run: edge::fuzz::client },
    Target { name: "configuration", run: config::fuzz::configuration },
    Target { name: "edit", run: plugin::fuzz::edit },
    Target { name: "headers", run: edge::fuzz::headers },
    Target { name: "path", run: path::fuzz::path },
    Target { name: "query", run: query::fuzz::query },
    Target { name: "route", run: route::fuzz::route },
    Target { name: "verdict", run: verdict::fuzz::verdict },
];

/// Runs the target of a name.
pub fn run(name: &str, bytes: &[u8]) -> Seen {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a fuzz target has a name of `TARGETS`");
    (target.run)(bytes)
}
