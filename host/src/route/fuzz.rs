//! The tree finds what sorting all matching routes finds, for any table and any request.

use super::{
    Found, Router,
    reference::{self, Asked},
};
use crate::{
    config::{Match, Segment},
    fuzz::{
        Seen,
        text::{paragraphs, text},
    },
    path::canonical,
};

/// Routes in lines, an empty line, and requests in lines: see `reference.rs`. What can not be in a configuration, or come
/// to the router, is left out.
pub(crate) fn route(bytes: &[u8]) -> Seen {
    let text = text(bytes);
    let mut parts = paragraphs(&text);
    let rules = parts.next().unwrap_or_default().into_iter().take(64).filter_map(reference::rule);
    let possible = |rule: &Match| {
        rule.path.as_deref().is_none_or(is_template)
            && rule
                .host
                .as_deref()
                .is_none_or(|host| !host.starts_with('*') || host.starts_with("*.") && host.len() > 2)
    };
    let rules: Vec<Match> = rules.filter(possible).collect();
    let router = Router::of(&rules);
    let asked = parts.flatten().take(64).filter_map(Asked::read);
    let asked = asked.filter(|asked| is_canonical(asked.lookup().path));
    let found: Vec<bool> = asked.map(|asked| same(&rules, &router, &asked)).collect();
    Seen::accepted(found.contains(&true))
}

fn is_template(path: &[Segment]) -> bool {
    let fits = |(at, segment): (usize, &Segment)| match segment {
        Segment::Literal(text) => is_canonical(&format!("/{text}")) && (!text.is_empty() || at + 1 == path.len()),
        Segment::Param(name) => !name.is_empty(),
        Segment::Greedy(name) => !name.is_empty() && at + 1 == path.len(),
    };
    path.len() <= 64 && path.iter().enumerate().all(fits)
}

fn is_canonical(path: &str) -> bool {
    path == "*" || canonical(path).is_ok_and(|canonical| canonical == path)
}

fn same(rules: &[Match], router: &Router, asked: &Asked) -> bool {
    let lookup = asked.lookup();
    let expected = reference::find(rules, &lookup);
    match router.find(&lookup) {
        Found::Match { route, params } => {
            assert_eq!(Some(route), expected, "{asked:?} in {rules:#?}");
            caught(rules[route].path.as_deref().unwrap_or_default(), lookup.path, |name| params.get(name, lookup.path));
            true
        }
        Found::MethodNotAllowed { allow } => {
            let methods: Vec<&str> = reference::allowed(rules, &lookup).into_iter().collect();
            assert_eq!((expected, allow.as_bytes()), (None, methods.join(", ").as_bytes()), "{asked:?} in {rules:#?}");
            false
        }
        Found::Nothing => {
            assert_eq!(expected, None, "{asked:?} in {rules:#?}");
            assert!(reference::allowed(rules, &lookup).is_empty(), "{asked:?} in {rules:#?}");
            false
        }
    }
}

/// Put back into the template, what was caught makes the path. (A name that stands twice can not be in a configuration.)
fn caught<'p>(template: &[Segment], path: &'p str, get: impl Fn(&str) -> Option<&'p str>) {
    let mut names: Vec<&str> = template.iter().filter_map(name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    if names.len() < count || template.is_empty() {
        return;
    }
    let segments: Vec<&str> = path[1..].split('/').collect();
    let filled = template.iter().zip(segments).map(|(part, segment)| match name(part) {
        Some(name) => get(name).expect("a parameter of the route that matched catches something"),
        None => segment,
    });
    assert_eq!(format!("/{}", filled.collect::<Vec<_>>().join("/")), path);
}

fn name(segment: &Segment) -> Option<&str> {
    match segment {
        Segment::Literal(_) => None,
        Segment::Param(name) | Segment::Greedy(name) => Some(name),
    }
}
