//! `api-key`.

use super::{hits_and_misses, with};
use crate::support::{Call, Gateway, Reply, Upstream};

const HEADERS: &str = r#"
upstream_headers = { x-user = "${auth.principal}", x-key-id = "${auth.key_id}", x-plan = "${auth.plan}" }
"#;

/// The keys are `secret` and `other`.
fn keys(more: &str) -> String {
    let config = format!(
        r#"
        [plugins.it.config]
        in = ["header:X-Api-Key", "query:key", "cookie:key", "authorization:ApiKey"]
        {more}
        [[plugins.it.config.keys]]
        id = "mobile-2026"
        hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
        principal = "mobile"
        attributes = {{ plan = "gold" }}
        [[plugins.it.config.keys]]
        id = "other-2026"
        hash = "sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"
        "#
    );
    with("api-key", &config, HEADERS)
}

fn assert_refused(reply: &Reply, error: &str) {
    assert_eq!((reply.status, reply.json()["error"].as_str()), (401, Some(error)));
    assert_eq!(reply.header("www-authenticate"), Some("ApiKey realm=\"api\""));
}

#[tokio::test]
async fn a_key_is_found_in_a_header_the_query_a_cookie_and_an_authorization_scheme() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&keys(""), &upstream);
    let places: [fn(Call) -> Call; 5] = [
        |call| call.header("x-api-key", "secret"),
        |call| call.header("X-API-KEY", "secret").http2(),
        |call| call.header("cookie", "a=b; key=secret"),
        |call| call.header("authorization", "ApiKey secret"),
        |call| call.header("authorization", "apikey secret"),
    ];
    for place in places {
        assert_eq!(place(gateway.get("/")).await.status, 200);
        assert_eq!(upstream.last().header("x-user"), Some("mobile"));
    }
    assert_eq!(gateway.get("/?a=b&k%65y=secre%74").await.status, 200);
    assert_eq!(upstream.seen().len(), 6);
}

#[tokio::test]
async fn an_unknown_key_and_a_missing_one_are_401_with_a_challenge() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&keys(""), &upstream);
    for wrong in
        ["Secret", "secret2", "mobile-2026", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"]
    {
        assert_refused(&gateway.get("/").header("x-api-key", wrong).await, "invalid_key");
    }
    let right_but_second = gateway.get("/?key=secret").header("x-api-key", "wrong");
    assert_refused(&right_but_second.await, "invalid_key");
    assert_refused(&gateway.get("/").await, "missing_key");
    assert_refused(
        &gateway.get("/?key=").header("x-api-key", "").header("authorization", "Bearer secret").await,
        "missing_key",
    );
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn the_upstream_learns_principal_key_id_and_metadata_whatever_the_client_says() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&keys(""), &upstream);
    let told = async |key| {
        let forged = gateway.get("/").header("x-user", "root").header("x-key-id", "root").header("x-plan", "root");
        assert_eq!(forged.header("x-api-key", key).await.status, 200);
        let seen = upstream.last();
        ["x-user", "x-key-id", "x-plan"].map(|name| seen.header(name).map(str::to_owned))
    };
    assert_eq!(told("secret").await, ["mobile", "mobile-2026", "gold"].map(|value| Some(value.to_owned())));
    let (user, id) = (Some("other-2026".to_owned()), Some("other-2026".to_owned()));
    assert_eq!(told("other").await, [user, id, None]);
}

#[tokio::test]
async fn a_key_is_forwarded_unless_that_is_turned_off() {
    let upstream = Upstream::start();
    for (forward, sent) in [("", Some("secret")), ("forward = false", None)] {
        let gateway = Gateway::start(&keys(forward), &upstream);
        for _cached in [false, true] {
            gateway.get("/").header("x-api-key", "secret").await;
            assert_eq!(upstream.last().header("x-api-key"), sent);
        }
        gateway.get("/").header("authorization", "ApiKey secret").await;
        assert_eq!(upstream.last().header("authorization").is_some(), sent.is_some());
        gateway.get("/?key=secret").header("x-other", "1").await;
        assert_eq!((upstream.last().target.as_str(), upstream.last().header("x-other")), ("/?key=secret", Some("1")));
    }
}

#[tokio::test]
async fn the_second_request_with_a_key_costs_no_call() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&keys(""), &upstream);
    for path in ["/a", "/b?c=d"] {
        gateway.get(path).header("x-api-key", "secret").await;
        assert_eq!(upstream.last().header("x-plan"), Some("gold"));
    }
    assert_eq!((hits_and_misses(&gateway), gateway.calls("it")), ((1, 1), 1));
    for hits in [1, 2] {
        assert_refused(&gateway.get("/").header("x-api-key", "wrong").await, "invalid_key");
        assert_eq!(hits_and_misses(&gateway), (hits, 2));
    }
    gateway.get("/").header("x-api-key", "other").await;
    assert_eq!(upstream.last().header("x-user"), Some("other-2026"));
}

#[tokio::test]
async fn a_key_that_is_not_required_leaves_the_decision_to_the_next() {
    let upstream = Upstream::start();
    let next = "[plugins.next]\ncomponent = \"{guests}/basic-auth.wasm\"\nlimits = { cpu = \"5s\", time = \"10s\" }\n\
                config.users.bob.hash = \"$2b$04$Y9vks2DS.EV/nuK.23Zo0u6qHX/MfUnLiJAzqGBwB.bOCDP.2.fLq\"\n";
    let text = keys("required = false").replace("[\"it\"]", "[\"it\", \"next\"]") + next;
    let gateway = Gateway::start(&text, &upstream);
    let bob = || gateway.get("/").header("authorization", "Basic Ym9iOnMzY3JldA==");
    assert_eq!(bob().await.status, 200);
    assert_eq!(upstream.last().header("x-user"), Some("bob"));
    let reply = gateway.get("/").await;
    assert_eq!(
        (reply.status, reply.header("www-authenticate")),
        (401, Some("Basic realm=\"gateway\", charset=\"UTF-8\""))
    );
    assert_refused(&bob().header("x-api-key", "wrong").await, "invalid_key");
}

#[tokio::test]
async fn a_key_that_is_taken_out_stops_working_at_once() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&keys(""), &upstream);
    let ask = || gateway.get("/").header("x-api-key", "other");
    assert_eq!((ask().await.status, ask().await.status), (200, 200));
    gateway.reload(&keys("").replace("sha256:d9298a", "sha256:000000"), &upstream).unwrap();
    assert_refused(&ask().await, "invalid_key");
}
