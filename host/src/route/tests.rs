//! The rule of specificity: by example, and against an implementation that sorts all matches by it.
#![allow(clippy::unwrap_used)]

use std::cmp::Reverse;

use http::HeaderName;

use super::*;
use crate::config::{Match, Segment};

/// `GET,POST example.com/pets/{id}`; `ANY`, no host and no path are possible, and headers may follow: `?name=value`,
/// `?name`.
fn rule(text: &str) -> Match {
    let mut parts = text.split('?');
    let (methods, target) = parts.next().unwrap().split_once(' ').unwrap();
    let (host, path) = target.split_at(target.find('/').unwrap_or(target.len()));
    let headers = parts.map(|part| match part.split_once('=') {
        Some((name, value)) => (name.parse().unwrap(), Some(value.to_owned())),
        None => (part.parse().unwrap(), None),
    });
    Match {
        host: (!host.is_empty()).then(|| host.to_owned()),
        methods: (methods != "ANY").then(|| methods.split(',').map(|method| method.parse().unwrap()).collect()),
        path: path.strip_prefix('/').map(|path| path.split('/').map(segment).collect()),
        headers: headers.collect(),
    }
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

struct Table {
    rules: Vec<Match>,
    router: Router,
}

impl Table {
    fn new<T: AsRef<str>>(rules: &[T]) -> Self {
        let rules: Vec<Match> = rules.iter().map(|text| rule(text.as_ref())).collect();
        Self { router: Router::of(&rules), rules }
    }

    /// `GET host/path`, with headers as in [`rule`].
    fn find(&self, request: &str) -> Found {
        with_lookup(request, |lookup| self.router.find(lookup))
    }

    #[track_caller]
    fn takes(&self, request: &str, expected: usize) {
        assert!(
            matches!(self.find(request), Found::Match { route, .. } if route == expected),
            "{request}: {:?}",
            self.find(request)
        );
    }

    #[track_caller]
    fn refuses(&self, request: &str, expected: &str) {
        let allow = HeaderValue::from_str(expected).unwrap();
        assert_eq!(self.find(request), Found::MethodNotAllowed { allow }, "{request}");
    }

    #[track_caller]
    fn misses(&self, request: &str) {
        assert_eq!(self.find(request), Found::Nothing, "{request}");
    }
}

fn with_lookup<T>(request: &str, ask: impl FnOnce(&Lookup<'_>) -> T) -> T {
    let mut parts = request.split('?');
    let (method, target) = parts.next().unwrap().split_once(' ').unwrap();
    let (host, path) = target.split_at(target.find(['/', '*']).unwrap());
    let mut headers = HeaderMap::new();
    for part in parts {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    ask(&Lookup { host, method: &method.parse().unwrap(), path, headers: &headers })
}

#[test]
fn the_five_routes_of_the_aws_guide_are_chosen_as_there() {
    let table = Table::new(&["GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "ANY "]);
    table.takes("GET x/pets/dog/1", 0);
    table.takes("GET x/pets/dog/2", 1);
    table.takes("GET x/pets/cat/1", 2);
    table.takes("GET x/pets/dog/1/", 2);
    table.takes("POST x/test/5", 3);
    table.takes("POST x/pets/dog/1", 3);
    table.takes("GET x/", 4);
    table.takes("OPTIONS x*", 4);
}

#[test]
fn a_route_that_fails_in_its_method_leaves_the_request_to_the_next() {
    let table = Table::new(&["GET /pets/dog/{id}", "ANY /pets/{proxy+}", "PUT h.example/pets/dog/1"]);
    table.takes("POST x/pets/dog/1", 1);
    table.takes("GET h.example/pets/dog/1", 0);
    table.takes("PUT h.example/pets/dog/1", 2);
}

#[test]
fn hosts_are_compared_before_paths() {
    let table =
        Table::new(&["ANY /a/b", "ANY *.example.com/a/{x}", "ANY *.api.example.com/{x+}", "ANY v1.api.example.com"]);
    table.takes("GET v1.api.example.com/a/b", 3);
    table.takes("GET v2.api.example.com/a/b", 2);
    table.takes("GET a.b.api.example.com/a/b", 2);
    table.takes("GET api.example.com/a/b", 1);
    table.takes("GET example.com/a/b", 0);
    table.takes("GET .example.com/a/b", 0);
    table.takes("GET notexample.com/a/b", 0);
    table.misses("GET example.com/a/c");
}

#[test]
fn literals_win_from_the_left() {
    let table = Table::new(&["ANY /{a}/b/c", "ANY /a/{b}/{c}", "ANY /a/{rest+}", "ANY /a/b/{rest+}"]);
    table.takes("GET x/a/b/c", 3);
    table.takes("GET x/a/x/c", 1);
    table.takes("GET x/a/x/c/d", 2);
    table.takes("GET x/z/b/c", 0);
    table.misses("GET x/z/b");
}

#[test]
fn a_slash_at_the_end_counts() {
    let table = Table::new(&["ANY /a", "ANY /b/", "ANY /c/{x}", "ANY /d/{x+}", "ANY /"]);
    table.takes("GET x/a", 0);
    table.takes("GET x/b/", 1);
    table.takes("GET x/c/1", 2);
    table.takes("GET x/d/1/", 3);
    table.takes("GET x/", 4);
    for path in ["/a/", "/b", "/c/", "/c/1/", "/c", "/d", "/d/", "/A"] {
        table.misses(&format!("GET x{path}"));
    }
}

#[test]
fn more_header_conditions_win_and_failing_ones_fall_back() {
    let table = Table::new(&["ANY /a", "ANY /a?v=1", "ANY /a?v=1?w", "GET /a", "GET /{x}?v=9"]);
    table.takes("PUT x/a?v=1?w=2", 2);
    table.takes("PUT x/a?v=1", 1);
    table.takes("PUT x/a?v=2", 0);
    table.takes("PUT x/a?v=1?v=2", 0);
    table.takes("GET x/a?v=1?w=2", 3);
    table.takes("GET x/b?v=9", 4);
}

#[test]
fn a_request_that_fails_only_in_its_method_learns_the_allowed_ones() {
    let table = Table::new(&["PUT,GET /a/{x}", "POST /a/{x+}", "DELETE /a/b?k=1", "GET other.example/a/b"]);
    table.refuses("PATCH x/a/b", "GET, POST, PUT");
    table.refuses("PATCH x/a/b?k=1", "DELETE, GET, POST, PUT");
    table.refuses("PATCH other.example/a/b", "GET, POST, PUT");
    table.refuses("GET x/a/b/c", "POST");
    table.misses("PATCH x/b");
}

#[test]
fn an_encoded_reserved_character_is_the_same_literal() {
    let table = Table::new(&["ANY /jobs:run", "ANY /users/%40me", "ANY /a%20b", "ANY /{x+}"]);
    table.takes("GET x/jobs:run", 0);
    table.takes("GET x/jobs%3Arun", 0);
    table.takes("GET x/users/@me", 1);
    table.takes("GET x/users/%40me", 1);
    table.takes("GET x/a%20b", 2);
    table.takes("GET x/a%2520b", 3);
}

#[test]
fn parameters_have_the_names_of_their_route() {
    let table = Table::new(&["GET /a/{x}/{y+}", "PUT /a/{z}/{rest+}"]);
    let path = "/a/1%20/2/3/";
    let read = |request: &str, name: &str| match table.find(request) {
        Found::Match { params, .. } => params.get(name, path),
        other => panic!("{other:?}"),
    };
    assert_eq!(read("GET h/a/1%20/2/3/", "x"), Some("1%20"));
    assert_eq!(read("GET h/a/1%20/2/3/", "y"), Some("2/3/"));
    assert_eq!(read("PUT h/a/1%20/2/3/", "z"), Some("1%20"));
    assert_eq!(read("PUT h/a/1%20/2/3/", "x"), None);
}

#[test]
fn a_hostile_path_visits_no_node_twice() {
    let mut rules = Vec::new();
    for bits in 0..1_024 {
        let path: String = (0..10).map(|at| if bits >> at & 1 == 1 { "/a" } else { "/{p}" }).collect();
        rules.push(format!("GET {path}"));
    }
    let table = Table::new(&rules);
    let mut visited = 0;
    with_lookup(&format!("POST x{}", "/a".repeat(10)), |lookup| {
        table.router.search(lookup, &mut |_| {
            visited += 1;
            None
        })
    });
    // One end a template, a `{rest+}` leaf at each of the 1,023 inner nodes, and the default.
    assert_eq!(visited, 1_024 + 1_023 + 1);
    table.misses(&format!("GET x{}", "/a".repeat(4_000)));
}

/// The rule, word for word: collects all that match and takes the least by rank.
fn naive(rules: &[Match], lookup: &Lookup<'_>) -> Option<usize> {
    let takes = |rule: &Match| {
        matches_but_for_method(rule, lookup)
            && rule.methods.as_ref().is_none_or(|methods| methods.contains(lookup.method))
    };
    let matching = rules.iter().enumerate().filter(|(_, rule)| takes(rule));
    matching.min_by_key(|(index, rule)| (rank(rule), *index)).map(|(index, _)| index)
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
    let path = rule.path.as_ref().is_none_or(|template| {
        let segments: Vec<&str> = lookup.path[1..].split('/').collect();
        let rest_fits = match template.last() {
            Some(Segment::Greedy(_)) => segments.len() >= template.len() && !segments[template.len() - 1].is_empty(),
            _ => segments.len() == template.len(),
        };
        rest_fits
            && template.iter().zip(&segments).all(|(part, &segment)| match part {
                Segment::Literal(text) => text.replace("%40", "@") == segment.replace("%40", "@"),
                Segment::Param(_) | Segment::Greedy(_) => !segment.is_empty(),
            })
    });
    let headers = rule.headers.iter().all(|(name, value)| match value {
        None => lookup.headers.contains_key(name),
        Some(value) => lookup.headers.get(name).is_some_and(|field| field == value.as_str()),
    });
    host && path && headers
}

/// A linear congruential generator (Knuth's constants): the same tables in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    fn rule(&mut self) -> String {
        let mut text = self.pick(&["ANY ", "GET ", "PUT ", "GET,PUT "]).to_owned();
        text += self.pick(&["", "", "a.x", "b.a.x", "*.x", "*.a.x"]);
        let depth = self.below(5);
        for at in 1..=depth {
            text.push('/');
            text +=
                self.pick(if at == depth { &["a", "b", "u%40", "{p}", "{r+}", ""] } else { &["a", "b", "u@", "{p}"] });
        }
        text += self.pick(&["", "", "", "?v=1", "?v", "?v=1?w=2"]);
        text
    }

    fn request(&mut self) -> String {
        let mut text = self.pick(&["GET ", "PUT ", "POST "]).to_owned();
        text += self.pick(&["a.x", "b.a.x", "c.b.a.x", "x", "y"]);
        let depth = 1 + self.below(5);
        for at in 1..=depth {
            text.push('/');
            text += self.pick(if at == depth { &["a", "b", "c", "u@", ""] } else { &["a", "b", "c", "u%40"] });
        }
        text += self.pick(&["", "?v=1", "?v=2", "?v=1?w=2"]);
        text
    }
}

#[test]
fn the_tree_finds_what_sorting_all_matches_finds() {
    let mut dice = Dice(1);
    let (mut found, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let count = 1 + dice.below(30);
        let table = Table::new(&(0..count).map(|_| dice.rule()).collect::<Vec<_>>());
        for _ in 0..20 {
            let request = dice.request();
            let (expected, near) = with_lookup(&request, |lookup| {
                (naive(&table.rules, lookup), table.rules.iter().any(|rule| matches_but_for_method(rule, lookup)))
            });
            match (table.find(&request), expected) {
                (Found::Match { route, .. }, Some(expected)) if route == expected => found += 1,
                (Found::MethodNotAllowed { .. }, None) if near => refused += 1,
                (Found::Nothing, None) if !near => {}
                (other, _) => panic!("{request}: {other:?} instead of {expected:?}; {:#?}", table.rules),
            }
        }
    }
    assert!(found > 20_000 && refused > 500, "{found} {refused}");
}
