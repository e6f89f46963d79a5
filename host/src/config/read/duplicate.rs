//! When two routes match the same requests, so that one of them would never be asked.
//!
//! A route's match is brought into one form, under which it is looked up: a table of 10,000 routes is read in one pass.

use std::collections::HashMap;

use http::{HeaderName, Method};

use crate::config::{Match, Segment};

/// What makes two routes the same but for their methods: the host, the shape of the path, and the headers by name, of which
/// there is one each.
#[derive(PartialEq, Eq, Hash)]
struct Form {
    host: Option<String>,
    path: Option<Vec<Segment>>,
    headers: Vec<(HeaderName, Option<String>)>,
}

/// The routes so far; `T` says which one.
pub(super) struct Seen<T> {
    /// By form and method, the first that has both. The method of a route for any method is None: a route that lists
    /// methods goes before it, so those two live side by side.
    first: HashMap<Form, HashMap<Option<Method>, T>>,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { first: HashMap::new() }
    }
}

impl<T: Copy + Ord> Seen<T> {
    /// Adds a route. Answers with the first one before it with which it shares a request, while nothing makes one of
    /// them the more specific: same host, same shape of path, as many and the same headers, and a method in common. `this`
    /// must be greater than any before.
    pub(super) fn add(&mut self, matches: &Match, this: T) -> Option<T> {
        let methods: Vec<Option<Method>> = match &matches.methods {
            Some(methods) => methods.iter().cloned().map(Some).collect(),
            None => vec![None],
        };
        let known = self.first.entry(form(matches)).or_default();
        let earlier = methods.iter().filter_map(|method| known.get(method)).min().copied();
        for method in methods {
            known.entry(method).or_insert(this);
        }
        earlier
    }
}

fn form(matches: &Match) -> Form {
    let mut headers = matches.headers.clone();
    headers.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    let path = matches.path.as_ref().map(|path| path.iter().map(shape).collect());
    Form { host: matches.host.clone(), path, headers }
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
    if !text.contains('%') {
        return text.to_owned();
    }
    "!$&'()*+,;=:@"
        .chars()
        .fold(text.to_owned(), |text, c| text.replace(&format!("%{:02X}", u32::from(c)), &c.to_string()))
}
