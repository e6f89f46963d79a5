//! CORS: what a browser asks before it sends, and who may read the answer.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::support::{Gateway, Reply, Upstream};

const APP: &str = "https://app.example";

const CORS: &str = "[cors.app]\nallow_origins = [\"https://app.example\", \"https://*.dev.example\", \"http://localhost:3000\"]\n\
    allow_headers = [\"content-type\", \"X-Key\"]\nexpose_headers = [\"x-total\"]\nallow_credentials = true\nmax_age = \"10m\"\n";

const ROUTES: &str = "[routes.pet]\npath = \"/pets/{id}\"\nmethods = [\"GET\", \"PUT\"]\nupstream = \"up\"\ncors = \"app\"\n\
    [routes.any]\npath = \"/any\"\nupstream = \"up\"\ncors = \"app\"\n\
    [routes.other]\npath = \"/other\"\nupstream = \"up\"\n";

fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!("{CORS}{ROUTES}"), upstream)
}

async fn preflight(gateway: &Gateway, path: &str, origin: &str, method: &str) -> Reply {
    let asked = gateway.call("OPTIONS", path).header("origin", origin).header("access-control-request-method", method);
    asked.header("access-control-request-headers", "x-key,x-more").await
}

fn allows(reply: &Reply, name: &str) -> Option<String> {
    reply.header(&format!("access-control-allow-{name}")).map(str::to_owned)
}

fn vary(reply: &Reply) -> Vec<String> {
    reply.headers.get_all("vary").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_preflight_is_answered_without_anybody_else() {
    let upstream = Upstream::start();
    let plugin = "[plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\nconfig.authorize = { verdict = \"deny\" }\n";
    let routes = ROUTES.replace("methods = ", "plugins = [\"probe\"]\nmethods = ");
    let gateway = Gateway::start(&format!("{CORS}{plugin}{routes}"), &upstream);
    for http2 in [false, true] {
        let call =
            gateway.call("OPTIONS", "/pets/1").header("origin", APP).header("access-control-request-method", "PUT");
        let reply = if http2 { call.http2().await } else { call.await };
        assert_eq!((reply.status, reply.text()), (204, ""));
        assert_eq!(allows(&reply, "origin").as_deref(), Some(APP));
        assert_eq!(allows(&reply, "methods").as_deref(), Some("GET, PUT"));
        assert_eq!(allows(&reply, "headers").as_deref(), Some("content-type, x-key"));
        assert_eq!(allows(&reply, "credentials").as_deref(), Some("true"));
        assert_eq!(reply.header("access-control-max-age"), Some("600"));
        assert_eq!(vary(&reply), ["access-control-request-method", "access-control-request-headers", "origin"]);
    }
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(gateway.metric("gatehouse_requests_total{route=\"pet\"}"), 2);
    // A route for any method allows the one that is asked for.
    assert_eq!(allows(&preflight(&gateway, "/any", APP, "PATCH").await, "methods").as_deref(), Some("PATCH"));
}

#[tokio::test]
async fn an_origin_that_is_not_listed_is_told_nothing() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream);
    for (origin, allowed) in [
        (APP, true),
        ("https://a.dev.example", true),
        ("https://b.a.dev.example", true),
        ("http://localhost:3000", true),
        ("http://app.example", false),
        ("https://app.example:8443", false),
        ("https://app.example.evil", false),
        ("https://dev.example", false),
        ("https://evil.example/.dev.example", false),
        ("http://localhost", false),
        ("null", false),
        ("*", false),
    ] {
        let expected = allowed.then(|| origin.to_owned());
        let reply = preflight(&gateway, "/pets/1", origin, "PUT").await;
        assert_eq!((reply.status, allows(&reply, "origin")), (204, expected.clone()), "{origin}");
        assert_eq!(allows(&reply, "credentials").is_some(), allowed);
        // CORS is the browser's to enforce: the request itself passes.
        let reply = gateway.get("/pets/1").header("origin", origin).await;
        assert_eq!((reply.status, allows(&reply, "origin")), (200, expected), "{origin}");
        assert_eq!(reply.header("access-control-expose-headers"), allowed.then_some("x-total"));
        assert_eq!(vary(&reply), ["origin"]);
    }
    // Nor is who names two, or none.
    let reply = gateway.get("/pets/1").header("origin", APP).header("origin", "https://evil.example").await;
    assert_eq!(allows(&reply, "origin"), None);
    let reply = gateway.get("/pets/1").await;
    assert_eq!((allows(&reply, "origin"), vary(&reply)), (None, vec!["origin".to_owned()]));
}

#[tokio::test]
async fn errors_can_be_read_too_and_what_others_say_is_replaced() {
    let upstream = Upstream::answering(|_| {
        let builder = Response::builder().header("access-control-allow-origin", "*").header("vary", "accept, Origin");
        let builder = builder.header("access-control-allow-credentials", "false");
        builder.header("access-control-expose-headers", "*").body(Full::new(Bytes::new())).unwrap()
    });
    let plugin = "[plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\n\
        config = { authorize = { verdict_header = \"x-verdict\", headers = { access-control-allow-origin = \"*\" } } }\n";
    let routes = ROUTES.replace("methods = ", "plugins = [\"probe\"]\nlimits = { body_bytes = 10 }\nmethods = ");
    let gateway = Gateway::start(&format!("{CORS}{plugin}{routes}"), &upstream);
    let asked = |verdict: &'static str, body: &'static str| {
        let call = gateway.call("PUT", "/pets/1").header("origin", APP).header("x-verdict", verdict);
        call.body(body).into_future()
    };
    for (verdict, body, status) in
        [("allow", "", 200), ("deny", "", 403), ("error", "", 500), ("allow", "longer than ten", 413)]
    {
        let reply = asked(verdict, body).await;
        assert_eq!((reply.status, allows(&reply, "origin").as_deref()), (status, Some(APP)), "{verdict}");
        assert_eq!(reply.headers.get_all("access-control-allow-origin").iter().count(), 1);
        assert_eq!(allows(&reply, "credentials").as_deref(), Some("true"));
        assert_eq!(reply.header("access-control-expose-headers"), Some("x-total"));
        if status == 200 {
            assert_eq!(vary(&reply), ["accept, Origin"]);
        }
    }
    // A verdict of the cache says it anew for each origin.
    let reply =
        gateway.call("PUT", "/pets/1").header("origin", "https://a.dev.example").header("x-verdict", "deny").await;
    assert_eq!(allows(&reply, "origin").as_deref(), Some("https://a.dev.example"));
}

#[tokio::test]
async fn what_is_no_preflight_or_of_a_route_without_a_policy_goes_upstream() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream);
    assert_eq!(preflight(&gateway, "/other", APP, "PUT").await.text(), "hello");
    assert_eq!(gateway.call("OPTIONS", "/any").header("origin", APP).await.text(), "hello");
    assert_eq!(gateway.call("OPTIONS", "/any").header("access-control-request-method", "PUT").await.text(), "hello");
    assert_eq!(upstream.seen().len(), 3);
    // No route takes the method that is asked for.
    let reply = preflight(&gateway, "/pets/1", APP, "DELETE").await;
    assert_eq!((reply.status, allows(&reply, "origin")), (405, None));
    assert_eq!(preflight(&gateway, "/nowhere", APP, "PUT").await.status, 404);
}

#[tokio::test]
async fn any_origin_and_any_header() {
    let upstream = Upstream::start();
    let cors = "[cors.app]\nallow_origins = [\"*\"]\nallow_headers = [\"*\"]\nexpose_headers = [\"*\"]\nallow_methods = [\"GET\"]\n";
    let gateway = Gateway::start(&format!("{cors}{ROUTES}"), &upstream);
    let reply = preflight(&gateway, "/pets/1", "null", "PUT").await;
    assert_eq!([allows(&reply, "origin"), allows(&reply, "methods")], [Some("*".into()), Some("GET".into())]);
    assert_eq!(allows(&reply, "headers").as_deref(), Some("x-key,x-more"));
    let reply = gateway.get("/pets/1").header("origin", APP).await;
    assert_eq!((allows(&reply, "origin").as_deref(), vary(&reply)), (Some("*"), vec![]));
    assert_eq!(reply.header("access-control-expose-headers"), Some("*"));
}
