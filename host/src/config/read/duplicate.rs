//! When two routes match the same requests, so that one of them would never be asked.

use crate::config::{Match, Segment};

/// Whether some request matches both and nothing makes one of them the more specific: same host, same shape of path, as many
/// and the same headers, and a method in common. A route that lists methods goes before one for any method, so those two
/// live side by side.
pub(super) fn same(a: &Match, b: &Match) -> bool {
    let shape = |m: &Match| m.path.as_ref().map(|path| path.iter().map(shape).collect::<Vec<_>>());
    let headers = a.headers.len() == b.headers.len() && a.headers.iter().all(|header| b.headers.contains(header));
    let methods = match (&a.methods, &b.methods) {
        (Some(a), Some(b)) => a.iter().any(|method| b.contains(method)),
        (None, None) => true,
        _ => false,
    };
    headers && methods && a.host == b.host && shape(a) == shape(b)
}

/// A segment without its parameter's name, and a literal with its reserved characters decoded: the router takes both
/// spellings of `jobs:run` for one.
fn shape(segment: &Segment) -> Segment {
    match segment {
        Segment::Literal(text) => Segment::Literal(decoded(text)),
        Segment::Param(_) => Segment::Param(String::new()),
        Segment::Greedy(_) => Segment::Greedy(String::new()),
    }
}

/// The characters that may stand in a segment raw as well as encoded (RFC 3986 section 3.3).
fn decoded(text: &str) -> String {
    "!$&'()*+,;=:@"
        .chars()
        .fold(text.to_owned(), |text, c| text.replace(&format!("%{:02X}", u32::from(c)), &c.to_string()))
}
