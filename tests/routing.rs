//! Routing: which route a request takes, and what is told when there is none.

use crate::support::{Call, Gateway, Upstream, raw};

/// Routes that tell the upstream their name; each as its name and what it matches.
fn routes(rules: &[(&str, &str)]) -> String {
    let route = |(name, matches): &(&str, &str)| {
        format!(
            "[routes.{name}]\n{matches}\nupstream = \"up\"\nupstream_headers = {{ x-route = \"${{request.route}}\" }}\n"
        )
    };
    rules.iter().map(route).collect()
}

/// The five routes of "Working with routes" in AWS's guide to HTTP APIs.
const AWS: [(&str, &str); 5] = [
    ("dog-1", "methods = [\"GET\"]\npath = \"/pets/dog/1\""),
    ("dog", "methods = [\"GET\"]\npath = \"/pets/dog/{id}\""),
    ("pets", "methods = [\"GET\"]\npath = \"/pets/{proxy+}\""),
    ("any", "path = \"/{proxy+}\""),
    ("default", ""),
];

/// The route that a call takes.
async fn taken(call: Call, upstream: &Upstream) -> String {
    let before = upstream.seen().len();
    let reply = call.await;
    assert_eq!((reply.status, upstream.seen().len()), (200, before + 1));
    upstream.last().header("x-route").unwrap().to_owned()
}

#[tokio::test]
async fn the_five_routes_of_the_aws_guide_are_chosen_as_there() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&routes(&AWS), &upstream);
    for (method, path, route) in [
        ("GET", "/pets/dog/1", "dog-1"),
        ("GET", "/pets/dog/2", "dog"),
        ("GET", "/pets/cat/1", "pets"),
        ("GET", "/pets/dog/1/", "pets"),
        ("POST", "/test/5", "any"),
        ("POST", "/pets/dog/1", "any"),
        ("GET", "/", "default"),
        ("DELETE", "/", "default"),
    ] {
        assert_eq!(taken(gateway.call(method, path), &upstream).await, route, "{method} {path}");
    }
}

#[tokio::test]
async fn the_order_in_the_configuration_does_not_matter() {
    let upstream = Upstream::start();
    let reversed: Vec<_> = AWS.into_iter().rev().collect();
    let gateway = Gateway::start(&routes(&reversed), &upstream);
    for (path, route) in [("/pets/dog/1", "dog-1"), ("/pets/dog/2", "dog"), ("/pets/cat", "pets"), ("/x", "any")] {
        assert_eq!(taken(gateway.get(path), &upstream).await, route, "{path}");
    }
}

#[tokio::test]
async fn an_exact_host_wins_over_a_wildcard_and_a_wildcard_over_none() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(
        &routes(&[
            ("exact", "host = \"v1.api.example.com\""),
            ("near", "host = \"*.api.example.com\""),
            ("far", "host = \"*.example.com\""),
            ("none", ""),
        ]),
        &upstream,
    );
    for (host, route) in [
        ("v1.api.example.com", "exact"),
        ("V1.API.example.COM.:8080", "exact"),
        ("v2.api.example.com", "near"),
        ("a.b.api.example.com", "near"),
        ("api.example.com", "far"),
        ("example.com", "none"),
        ("notexample.com", "none"),
        ("[::1]:8080", "none"),
    ] {
        assert_eq!(taken(gateway.get("/").header("host", host), &upstream).await, route, "{host}");
    }
}

#[tokio::test]
async fn the_authority_of_http2_is_routed_by_as_a_host_is() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&routes(&[("local", "host = \"127.0.0.1\""), ("none", "")]), &upstream);
    assert_eq!(taken(gateway.get("/").http2(), &upstream).await, "local");
    assert_eq!(upstream.last().header("host"), Some(gateway.address().to_string().as_str()));
}

#[tokio::test]
async fn a_route_with_more_header_conditions_wins_and_a_failing_one_falls_back() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(
        &routes(&[
            ("plain", "path = \"/a\""),
            ("one", "path = \"/a\"\nheaders = { x-api-version = \"2\" }"),
            ("two", "path = \"/a\"\nheaders = { x-api-version = \"2\", x-trace = \"*\" }"),
        ]),
        &upstream,
    );
    let call = || gateway.get("/a");
    assert_eq!(taken(call(), &upstream).await, "plain");
    assert_eq!(taken(call().header("x-api-version", "3"), &upstream).await, "plain");
    assert_eq!(taken(call().header("x-trace", "1"), &upstream).await, "plain");
    assert_eq!(taken(call().header("X-Api-Version", "2"), &upstream).await, "one");
    assert_eq!(taken(call().header("x-api-version", "2").header("x-trace", ""), &upstream).await, "two");
}

#[tokio::test]
async fn a_header_that_connection_names_is_not_routed_by() {
    let upstream = Upstream::start();
    let rules = [("plain", "path = \"/a\""), ("beta", "path = \"/a\"\nheaders = { x-beta = \"*\" }")];
    let gateway = Gateway::start(&routes(&rules), &upstream);
    let call = gateway.get("/a").header("x-beta", "1");
    assert_eq!(taken(call.header("connection", "x-beta"), &upstream).await, "plain");
}

#[tokio::test]
async fn a_request_without_a_route_is_answered_404_as_json_with_its_id() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&routes(&[("a", "path = \"/a\"")]), &upstream);
    let reply = gateway.get("/b").await;
    assert_eq!((reply.status, reply.header("content-type")), (404, Some("application/json")));
    let body = reply.json();
    assert_eq!(body["code"], "route_not_found");
    assert_eq!(body["request_id"].as_str(), reply.header("x-request-id"));
    assert!(!body["message"].as_str().unwrap().is_empty());
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_method_that_no_route_takes_is_answered_405_with_those_that_are() {
    let upstream = Upstream::start();
    let rules = [
        ("read", "path = \"/a\"\nmethods = [\"GET\", \"HEAD\"]"),
        ("write", "path = \"/{x}\"\nmethods = [\"PUT\", \"GET\"]"),
        ("other", "path = \"/b\"\nmethods = [\"DELETE\"]"),
    ];
    let gateway = Gateway::start(&routes(&rules), &upstream);
    let reply = gateway.call("POST", "/a").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD, PUT")));
    assert_eq!(reply.json()["code"], "method_not_allowed");
    assert_eq!(gateway.call("POST", "/b").await.header("allow"), Some("DELETE, GET, PUT"));
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_method_of_ones_own_is_routed_and_connect_is_not_supported() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&routes(&[("find", "methods = [\"FIND\"]"), ("any", "path = \"/{x+}\"")]), &upstream);
    assert_eq!(taken(gateway.call("FIND", "/"), &upstream).await, "find");
    assert_eq!(upstream.last().method, "FIND");
    let refused = raw::ask(gateway.address(), "CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n");
    assert_eq!((refused.status(), refused.json()["code"].as_str()), (501, Some("method_not_supported")));
}

#[tokio::test]
async fn path_parameters_become_headers_that_no_client_can_forge() {
    let upstream = Upstream::start();
    let headers = "upstream_headers = { x-id = \"${path.id}\", x-file = \"<${path.rest}>\" }";
    let route = format!("[routes.f]\npath = \"/users/{{id}}/files/{{rest+}}\"\nupstream = \"up\"\n{headers}\n");
    let gateway = Gateway::start(&route, &upstream);
    gateway.get("/users/42/files/a/b.txt?id=1").header("x-id", "1").header("x_file", "2").await;
    let seen = upstream.last();
    assert_eq!((seen.header("x-id"), seen.header("x-file")), (Some("42"), Some("<a/b.txt>")));
    assert_eq!((seen.headers.get_all("x-id").iter().count(), seen.header("x_file")), (1, None));
    gateway.get("/users//%7ebob/files/%c3%a9/").await;
    assert_eq!(upstream.last().header("x-id"), Some("~bob"));
    assert_eq!(upstream.last().header("x-file"), Some("<%C3%A9/>"));
}

#[tokio::test]
async fn a_literal_also_takes_its_percent_encoded_spelling() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&routes(&[("run", "path = \"/v1/jobs:run\""), ("rest", "")]), &upstream);
    for path in ["/v1/jobs:run", "/v1/jobs%3Arun", "/v1/jobs%3arun", "/v1/%6aobs:run"] {
        assert_eq!(taken(gateway.get(path), &upstream).await, "run", "{path}");
    }
    assert_eq!(taken(gateway.get("/v1/jobs"), &upstream).await, "rest");
}

#[tokio::test]
async fn a_query_is_not_routed_by_and_passes_as_it_is() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&routes(&[("a", "path = \"/a\""), ("rest", "")]), &upstream);
    let target = "/a?x=%2F..%2f&y=/../b&y=%c0%ae&&=?&z=[1]%25";
    assert_eq!(taken(gateway.get(target), &upstream).await, "a");
    assert_eq!(upstream.last().target, target);
    assert_eq!(taken(gateway.get("/a?"), &upstream).await, "a");
}
