//! Which route a request takes: a pure function of host, method, canonical path and headers.
//!
//! Of the routes that match, the most specific wins, wherever it stands in the configuration. Two routes are compared
//! by the first of these in which they differ:
//!
//! 1. **Host**: an exact host, before a wildcard (`*.api.example.com` before `*.example.com`), before none.
//! 2. **Path**, segment by segment from the left: a literal, before `{param}`, before `{rest+}`, before no path at
//!    all (the default route).
//! 3. **Method**: a route that lists methods, before one for any method.
//! 4. **Headers**: more conditions before fewer.
//! 5. The order of the configuration.
//!
//! A route that fails in any of its conditions is out, and the next most specific one is tried: with
//! `GET /pets/dog/{id}` and `/pets/{proxy+}` for any method, `POST /pets/dog/1` takes the second, as in AWS. When only
//! methods stood in the way, the answer is 405.
//!
//! `{param}` stands for one segment that is not empty; `{rest+}` for all that is left, at least one character of it. A
//! slash at the end counts: `/a/{rest+}` takes `/a/b` and `/a/b/`, but neither `/a` nor `/a/`. A literal also equals a
//! segment in which reserved characters are percent-encoded (`/v1/jobs:run` and `/v1/jobs%3Arun`): upstreams decode
//! them, so the other spelling must not slip through to a wider route.
//!
//! The time depends on the request, not on the number of routes: see `tree.rs`.

pub(crate) mod fuzz;
mod hash;
mod leaf;
mod params;
mod reference;
mod tree;

pub(crate) use hash::FastMap;
pub(crate) use params::Params;

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue, Method};

use crate::config;
use leaf::{Candidate, Leaf};
use tree::Tree;

/// The routes of one configuration, ready to be searched.
#[derive(Debug, Default)]
pub(crate) struct Router {
    exact: FastMap<Tree>,
    /// By what follows the `*`: `.example.com`.
    wildcard: FastMap<Tree>,
    any: Tree,
    /// By route: what its template catches.
    params: Vec<Params>,
}

/// What a request is routed by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lookup<'a> {
    /// Host without its port, in lower case; an IPv6 address in brackets.
    pub(crate) host: &'a str,
    /// Its method.
    pub(crate) method: &'a Method,
    /// Its path, in canonical form. One that does not begin with `/` (`*`) takes default routes only.
    pub(crate) path: &'a str,
    /// Its headers.
    pub(crate) headers: &'a HeaderMap,
}

/// The outcome of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// The most specific route that matches.
    Match {
        /// Index into the routes that the router was made of.
        route: usize,
        /// What its template catches.
        params: Params,
    },
    /// Some route matches but for its method (RFC 9110 section 15.5.6).
    MethodNotAllowed {
        /// The methods that would have matched: `GET, POST`, for `Allow`.
        allow: HeaderValue,
    },
    /// No route matches.
    Nothing,
}

impl Router {
    /// Builds the search tree.
    pub(crate) fn new(routes: &[config::Route]) -> Self {
        Self::of(routes.iter().map(|route| &route.matches))
    }

    pub(crate) fn of<'a>(matches: impl IntoIterator<Item = &'a config::Match>) -> Self {
        let mut router = Self::default();
        for (route, rule) in matches.into_iter().enumerate() {
            let candidate = Candidate::new(route, rule);
            router.tree(rule.host.as_deref()).insert(rule.path.as_deref(), candidate);
            router.params.push(Params::new(rule.path.as_deref().unwrap_or_default()));
        }
        router
    }

    fn tree(&mut self, host: Option<&str>) -> &mut Tree {
        match host {
            None => &mut self.any,
            Some(host) => match host.strip_prefix('*') {
                Some(suffix) => self.wildcard.entry(suffix.into()).or_default(),
                None => self.exact.entry(host.into()).or_default(),
            },
        }
    }

    /// Finds the route of a request.
    pub(crate) fn find(&self, lookup: &Lookup<'_>) -> Found {
        match self.search(lookup, &mut |leaf| leaf.accepts(lookup)) {
            Some(route) => Found::Match { route, params: self.params[route].clone() },
            None => self.allowed(lookup).map_or(Found::Nothing, |allow| Found::MethodNotAllowed { allow }),
        }
    }

    /// Shows `visit` the leaves that match in host and path, the most specific first, until it takes one.
    fn search<'r>(&'r self, lookup: &Lookup<'_>, visit: &mut dyn FnMut(&'r Leaf) -> Option<usize>) -> Option<usize> {
        if let Some(tree) = self.exact.get(lookup.host)
            && let Some(route) = tree.search(lookup.path, visit)
        {
            return Some(route);
        }
        if !self.wildcard.is_empty() {
            // A wildcard stands for one label or more, so the search begins behind the first character.
            for (dot, _) in lookup.host.match_indices('.').filter(|&(dot, _)| dot > 0) {
                if let Some(tree) = self.wildcard.get(&lookup.host[dot..])
                    && let Some(route) = tree.search(lookup.path, visit)
                {
                    return Some(route);
                }
            }
        }
        self.any.search(lookup.path, visit)
    }

    /// The methods with which the request would have found a route.
    fn allowed(&self, lookup: &Lookup<'_>) -> Option<HeaderValue> {
        let mut methods = BTreeSet::new();
        self.search(lookup, &mut |leaf| {
            methods.extend(leaf.methods(lookup.headers).map(Method::as_str));
            None
        });
        if methods.is_empty() {
            return None;
        }
        let list = methods.into_iter().collect::<Vec<_>>().join(", ");
        Some(HeaderValue::try_from(list).expect("methods are tokens"))
    }
}

#[cfg(test)]
mod tests;
