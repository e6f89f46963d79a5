//! What is measured: a peer, and the path that makes it do one thing more than another case.

/// A case.
#[derive(Debug)]
pub(super) struct Case {
    /// In tables and results.
    pub(super) name: &'static str,
    /// The name of its peer.
    pub(super) peer: &'static str,
    /// The path that is asked for.
    pub(super) path: &'static str,
    /// For people.
    pub(super) what: &'static str,
}

/// The gateway's cases are routes of one configuration in one process, so that they differ in nothing else.
pub(super) const CASES: [Case; 6] = [
    Case { name: "bare", peer: "bare", path: "/", what: "hyper alone: no routes, no time-outs, no headers of its own" },
    Case { name: "plain", peer: "gatehouse", path: "/plain", what: "a route without plugins" },
    Case { name: "1 hook", peer: "gatehouse", path: "/one", what: "an authorizer, its cache off" },
    Case { name: "2 hooks", peer: "gatehouse", path: "/two", what: "and a filter that adds a request header" },
    Case { name: "3 hooks", peer: "gatehouse", path: "/three", what: "and a logger" },
    Case { name: "cache hit", peer: "gatehouse", path: "/cached", what: "the authorizer with its verdict cache on" },
];

/// The index of a case.
pub(super) fn index(name: &str) -> usize {
    CASES.iter().position(|case| case.name == name).expect("figures name cases of the table above")
}
