//! The rule of specificity, word for word: collects all routes that match and takes the least by rank. It is slow and
//! plain, for the tree to be compared with, in the tests and by the fuzz target; and it reads both from text.

use std::{cmp::Reverse, collections::BTreeSet};

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::Lookup;
use crate::config::{Match, Segment};

/// A request, as a router is asked about it.
#[derive(Debug)]
pub(super) struct Asked {
    method: Method,
    host: String,
    path: String,
    headers: HeaderMap,
}

impl Asked {
    /// `GET host/path`, and headers as in [`rule`].
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('?');
        let (method, target) = parts.next()?.split_once(' ')?;
        let (host, path) = target.split_at(target.find(['/', '*'])?);
        let mut headers = HeaderMap::new();
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?);
        }
        Some(Self { method: method.parse().ok()?, host: host.to_owned(), path: path.to_owned(), headers })
    }

    pub(super) fn lookup(&self) -> Lookup<'_> {
        Lookup { host: &self.host, method: &self.method, path: &self.path, headers: &self.headers }
    }
}

/// `GET,POST example.com/pets/{id}`; `ANY`, no host and no path are possible, and headers may follow: `?name=value`,
/// `?name`.
pub(super) fn rule(text: &str) -> Option<Match> {
    let mut parts = text.split('?');
    let (methods, target) = parts.next()?.split_once(' ')?;
    let (host, path) = target.split_at(target.find('/').unwrap_or(target.len()));
    let header = |part: &str| match part.split_once('=') {
        Some((name, value)) => Some((name.parse().ok()?, Some(value.to_owned()))),
        None => Some((part.parse().ok()?, None)),
    };
    let methods = match methods {
        "ANY" => None,
        list => Some(list.split(',').map(|method| method.parse().ok()).collect::<Option<_>>()?),
    };
    Some(Match {
        host: (!host.is_empty()).then(|| host.to_owned()),
        methods,
        path: path.strip_prefix('/').map(|path| path.split('/').map(segment).collect()),
        headers: parts.map(header).collect::<Option<_>>()?,
    })
}

fn segment(text: &str) -> Segment {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        None => Segment::Literal(text.to_owned()),
        Some(name) => match name.strip_suffix('+') {
            Some(name) => Segment::Greedy(name.to_owned()),
            None => Segment::Param(name.to_owned()),
        },
    }
}

/// The route that takes a request.
pub(super) fn find(rules: &[Match], lookup: &Lookup<'_>) -> Option<usize> {
    let has_method = |rule: &Match| rule.methods.as_ref().is_none_or(|methods| methods.contains(lookup.method));
    let matching =
        rules.iter().enumerate().filter(|(_, rule)| matches_but_for_method(rule, lookup) && has_method(rule));
    matching.min_by_key(|(index, rule)| (rank(rule), *index)).map(|(index, _)| index)
}

/// The methods with which a request would find a route.
pub(super) fn allowed<'r>(rules: &'r [Match], lookup: &Lookup<'_>) -> BTreeSet<&'r str> {
    let matching = rules.iter().filter(|rule| matches_but_for_method(rule, lookup));
    matching.flat_map(|rule| rule.methods.iter().flatten()).map(Method::as_str).collect()
}

type Rank = (u8, Reverse<usize>, Vec<u8>, bool, Reverse<usize>);

fn rank(rule: &Match) -> Rank {
    let (host, length) = match rule.host.as_deref() {
        Some(host) if host.starts_with('*') => (1, host.len()),
        Some(_) => (0, 0),
        None => (2, 0),
    };
    let kind = |segment: &Segment| match segment {
        Segment::Literal(_) => 0,
        Segment::Param(_) => 1,
        Segment::Greedy(_) => 2,
    };
    let path = rule.path.as_ref().map_or(vec![3], |path| path.iter().map(kind).collect());
    (host, Reverse(length), path, rule.methods.is_none(), Reverse(rule.headers.len()))
}

fn matches_but_for_method(rule: &Match, lookup: &Lookup<'_>) -> bool {
    let host = rule.host.as_deref().is_none_or(|host| match host.strip_prefix('*') {
        Some(suffix) => lookup.host.len() > suffix.len() && lookup.host.ends_with(suffix),
        None => lookup.host == host,
    });
    let path = rule.path.as_ref().is_none_or(|template| takes(template, lookup.path));
    let headers = rule.headers.iter().all(|(name, value)| {
        let fields: Vec<&[u8]> = lookup.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        !fields.is_empty() && value.as_ref().is_none_or(|value| fields.join(&b", "[..]) == value.as_bytes())
    });
    host && path && headers
}

fn takes(template: &[Segment], path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let segments: Vec<&str> = path.split('/').collect();
    let rest_fits = match template.last() {
        Some(Segment::Greedy(_)) => segments.len() >= template.len() && !segments[template.len() - 1].is_empty(),
        _ => segments.len() == template.len(),
    };
    rest_fits
        && template.iter().zip(&segments).all(|(part, &segment)| match part {
            Segment::Literal(text) => plain(text) == plain(segment),
            Segment::Param(_) | Segment::Greedy(_) => !segment.is_empty(),
        })
}

/// A segment with its encoded reserved characters decoded.
fn plain(segment: &str) -> String {
    let encoded = |c: char| format!("%{:02X}", u32::from(c));
    "!$&'()*+,;=:@".chars().fold(segment.to_owned(), |text, c| text.replace(&encoded(c), &c.to_string()))
}
