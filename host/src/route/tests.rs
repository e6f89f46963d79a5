//! The rule of specificity: by example, and against an implementation that sorts all matches by it.
#![allow(clippy::unwrap_used)]

use super::{
    reference::{self, Asked},
    *,
};
use crate::config::Match;

struct Table {
    rules: Vec<Match>,
    router: Router,
}

impl Table {
    fn new<T: AsRef<str>>(rules: &[T]) -> Self {
        let rules: Vec<Match> = rules.iter().map(|text| reference::rule(text.as_ref()).unwrap()).collect();
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
    ask(&Asked::read(request).unwrap().lookup())
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
                (reference::find(&table.rules, lookup), !reference::allowed(&table.rules, lookup).is_empty())
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
