//! What is decided when host and path have matched: methods and headers.

use http::{HeaderMap, HeaderName, Method};

use super::Lookup;
use crate::config;

/// The routes with the same host and path, the most specific first.
#[derive(Debug, Default)]
pub(super) struct Leaf(Vec<Candidate>);

/// A route, without its host and path.
#[derive(Debug)]
pub(super) struct Candidate {
    route: usize,
    methods: Option<Vec<Method>>,
    headers: Vec<(HeaderName, Option<String>)>,
}

impl Leaf {
    /// Adds a route behind those of the same rank.
    pub(super) fn insert(&mut self, candidate: Candidate) {
        self.0.push(candidate);
        self.0.sort_by_key(|candidate| (candidate.methods.is_none(), usize::MAX - candidate.headers.len()));
    }

    /// The first route that takes the request.
    pub(super) fn accepts(&self, lookup: &Lookup<'_>) -> Option<usize> {
        self.0
            .iter()
            .find(|candidate| candidate.has_method(lookup.method) && candidate.has_headers(lookup.headers))
            .map(|candidate| candidate.route)
    }

    /// The methods of the routes that would take the request but for its method.
    pub(super) fn methods(&self, headers: &HeaderMap) -> impl Iterator<Item = &Method> {
        self.0
            .iter()
            .filter(|candidate| candidate.has_headers(headers))
            .flat_map(|candidate| candidate.methods.iter().flatten())
    }
}

impl Candidate {
    pub(super) fn new(route: usize, rule: &config::Match) -> Self {
        Self { route, methods: rule.methods.clone(), headers: rule.headers.clone() }
    }

    fn has_method(&self, method: &Method) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(method))
    }

    fn has_headers(&self, headers: &HeaderMap) -> bool {
        self.headers.iter().all(|(name, value)| match value {
            None => headers.contains_key(name),
            Some(value) => is_value(headers, name, value),
        })
    }
}

/// Whether the fields of a name, joined by `, ` (RFC 9110 section 5.3), are exactly that value. It is the value that a
/// plugin reads, so a second field can not make router and plugin see different ones.
fn is_value(headers: &HeaderMap, name: &HeaderName, value: &str) -> bool {
    let mut fields = headers.get_all(name).iter();
    let Some(first) = fields.next() else { return false };
    let rest = fields.try_fold(value.as_bytes().strip_prefix(first.as_bytes()), |rest, field| {
        Some(rest?.strip_prefix(b", ")?.strip_prefix(field.as_bytes()))
    });
    rest.flatten() == Some(b"")
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::ACCEPT};

    use super::*;

    #[test]
    fn a_header_condition_sees_all_fields_of_the_name() {
        let mut headers = HeaderMap::new();
        assert!(!is_value(&headers, &ACCEPT, ""));
        headers.append(ACCEPT, HeaderValue::from_static("a"));
        assert!(is_value(&headers, &ACCEPT, "a"));
        assert!(
            !is_value(&headers, &ACCEPT, "ab") && !is_value(&headers, &ACCEPT, "A") && !is_value(&headers, &ACCEPT, "")
        );
        headers.append(ACCEPT, HeaderValue::from_static("b"));
        assert!(is_value(&headers, &ACCEPT, "a, b"));
        assert!(
            !is_value(&headers, &ACCEPT, "a")
                && !is_value(&headers, &ACCEPT, "b")
                && !is_value(&headers, &ACCEPT, "a, b, c")
        );
    }
}
