//! Routes that the gateway answers by itself: redirects, and answers that the configuration writes.

use crate::support::{Gateway, Upstream};

const ROUTES: &str = r#"
    [routes.moved]
    path = "/old/{id}/{rest+}"
    redirect = { to = "https://new.example/items/${path.id}?from=${path.rest}", status = 301 }

    [routes.secure]
    path = "/secure/{rest+}"
    redirect.to = "https://${request.host}${request.target}"

    [routes.here]
    path = "/a"
    redirect = { to = "/b", status = 308 }

    [routes.mock]
    path = "/mock"
    respond = { status = 418, headers = { content-type = "application/json", x-a = "b" }, body = '{"tea": true}' }

    [routes.text]
    path = "/robots.txt"
    respond.body = "User-agent: *\n"

    [routes.empty]
    path = "/empty"
    respond.status = 204
    "#;

#[tokio::test]
async fn a_redirect_says_where_and_how() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ROUTES, &upstream);
    for (path, status, to) in [
        ("/old/7/x/y%20z", 301, "https://new.example/items/7?from=x/y%20z"),
        ("/secure/a?b=c&d=%0d%0ae", 307, "https://api.test/secure/a?b=c&d=%0d%0ae"),
        ("/secure/x/..//evil.example", 307, "https://api.test/secure/evil.example"),
        ("/a", 308, "/b"),
    ] {
        for http2 in [false, true] {
            let call = gateway.get(path);
            let reply = if http2 { call.http2().await } else { call.header("host", "API.test:8080").await };
            let to = if http2 { to.replace("api.test", "127.0.0.1") } else { to.to_owned() };
            assert_eq!((reply.status, reply.header("location")), (status, Some(&*to)), "{path}");
            assert_eq!((reply.text(), reply.header("x-request-id").is_some()), ("", true));
        }
    }
    // What is not a path that can be is refused before.
    assert_eq!(gateway.get("/old/7/%0d%0ax:y").await.status, 400);
    assert_eq!(upstream.seen().len(), 0);
}

#[tokio::test]
async fn an_answer_of_the_configuration_is_whole() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(ROUTES, &upstream);
    let reply = gateway.call("POST", "/mock").body(vec![b'x'; 100_000]).await;
    assert_eq!((reply.status, reply.text(), reply.header("x-a")), (418, "{\"tea\": true}", Some("b")));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let reply = gateway.get("/robots.txt").await;
    assert_eq!((reply.status, reply.text()), (200, "User-agent: *\n"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    let reply = gateway.call("HEAD", "/robots.txt").await;
    assert_eq!((reply.status, reply.text(), reply.header("content-length")), (200, "", Some("14")));
    let reply = gateway.get("/empty").await;
    assert_eq!((reply.status, reply.text(), reply.header("content-length")), (204, "", None));
    assert_eq!(upstream.seen().len(), 0);
}

#[tokio::test]
async fn the_chain_is_asked_before_and_filters_the_answer_after() {
    let upstream = Upstream::start();
    let text = r#"
        [plugins.probe]
        component = "{guests}/probe.wasm"
        config = { authorize = { verdict_header = "x-verdict" }, on_response = { set_headers = { x-filtered = "yes" } } }
        [rate_limits.l]
        rate = "3/h"
        [routes.mock]
        plugins = ["probe"]
        rate_limits = ["l"]
        respond.body = "secret"
        "#;
    let gateway = Gateway::start(text, &upstream);
    let denied = gateway.get("/").header("x-verdict", "deny").await;
    assert_eq!((denied.status, denied.text().contains("secret")), (403, false));
    let reply = gateway.get("/").await;
    assert_eq!(
        (reply.text(), reply.header("x-filtered"), reply.header("ratelimit")),
        ("secret", Some("yes"), Some("\"l\";r=1;t=2400"))
    );
}
