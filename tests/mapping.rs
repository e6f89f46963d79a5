//! Requests and answers that the configuration changes on their way, and what no client can make of that.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::support::{Gateway, Process, Upstream};

/// A gateway whose route `/v1/{id}/files/{rest+}` has these keys.
fn gateway(keys: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(&format!("[routes.r]\npath = \"/v1/{{id}}/files/{{rest+}}\"\nupstream = \"up\"\n{keys}"), upstream)
}

/// What the upstream is asked for, of a path.
async fn target(gateway: &Gateway, upstream: &Upstream, path: &str) -> String {
    assert_eq!(gateway.get(path).await.status, 200, "{path}");
    upstream.last().target
}

#[tokio::test]
async fn a_path_is_made_of_what_the_route_caught_and_the_query_stays() {
    let upstream = Upstream::start();
    for (template, path, expected) in [
        ("/users/${path.id}", "/v1/7/files/a", "/users/7"),
        ("/users/${path.id}", "/v1/7/files/a?b=%2f&&c", "/users/7?b=%2f&&c"),
        ("/${path.rest}", "/v1/7/files/a/b%20c/", "/a/b%20c/"),
        ("/v2${request.path}", "/v1/a%2Cb/files/x", "/v2/v1/a%2Cb/files/x"),
        // A parameter is decoded, a cookie is not.
        ("/q/${query.q}/${cookie.sid}", "/v1/7/files/a?q=a+b%26%3F%23", "/q/a%20b%26%3F%23/x%253By?q=a+b%26%3F%23"),
        ("/${header.x-e}", "/v1/7/files/a", "/%C3%A9%25"),
    ] {
        let gateway = gateway(&format!("request.path = \"{template}\""), &upstream);
        let call = gateway.get(path).header("cookie", "sid=x%3By").header("x-e", "é%");
        assert_eq!(call.await.status, 200, "{template}");
        assert_eq!(upstream.last().target, expected, "{template}");
    }
}

#[tokio::test]
async fn no_value_leaves_its_segment() {
    let upstream = Upstream::start();
    let gateway = gateway("request.path = \"/tenants/${header.x-tenant}/list\"", &upstream);
    for tenant in ["a", "a.b", "..a", "a?b", "a#b", "a;b=c", "a%2fb", "é"] {
        assert_eq!(gateway.get("/v1/1/files/a").header("x-tenant", tenant).await.status, 200, "{tenant}");
        let target = upstream.last().target;
        assert_eq!((target.matches('/').count(), target.contains(['?', '#', ';'])), (3, false), "{target}");
    }
    for byte in ' '..='~' {
        let reply = gateway.get("/v1/1/files/a").header("x-tenant", &format!("a{byte}b")).await;
        assert_eq!(reply.status, if ['/', '\\'].contains(&byte) { 400 } else { 200 }, "{byte}");
        let target = upstream.last().target;
        assert!(target.starts_with("/tenants/a") && target.ends_with("b/list"), "{target}");
        assert_eq!(target.matches('/').count(), 3, "{target}");
    }
    let (before, failed) = (upstream.seen().len(), gateway.metric("gatehouse_failures_total{code=\"mapping_failed\"}"));
    for tenant in [".", "..", "", "a/b", "../admin", "/", "a\\b", "..;a", "a\tb"] {
        let reply = gateway.get("/v1/1/files/a").header("x-tenant", tenant).await;
        assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("mapping_failed")), "{tenant:?}");
    }
    let reply = gateway.get("/v1/1/files/a").await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("mapping_failed")));
    assert_eq!(upstream.seen().len(), before, "the upstream is not asked");
    assert_eq!(gateway.metric("gatehouse_failures_total{code=\"mapping_failed\"}") - failed, 10);
}

#[tokio::test]
async fn a_value_that_ends_a_dot_segment_is_refused() {
    let upstream = Upstream::start();
    let gateway = gateway("request.path = \"/a/.${path.id}/b\"", &upstream);
    assert_eq!(target(&gateway, &upstream, "/v1/x/files/a").await, "/a/.x/b");
    // `.;x` is a dot segment for some servers.
    for id in [";x", "%3Bx", ";"] {
        assert_eq!(gateway.get(&format!("/v1/{id}/files/a")).await.json()["code"], "mapping_failed", "{id}");
    }
}

#[tokio::test]
async fn a_query_is_changed_and_what_is_not_named_stays_as_it_was() {
    let upstream = Upstream::start();
    let rules = r#"
        [routes.r.request.query]
        remove = ["debug"]
        rename = { q = "query", "a b" = "c" }
        set = { id = "${path.id}", gone = "${query.nothing}", copy = "${query.q}" }
        append = { tag = "x&y=z", none = "${header.x-none}" }"#;
    let gateway = gateway(rules, &upstream);
    for (query, expected) in [
        ("", "id=7&tag=x%26y%3Dz"),
        ("?k=%41+b&l", "k=%41+b&l&id=7&tag=x%26y%3Dz"),
        ("?debug&d%65bug=1&DEBUG=2", "DEBUG=2&id=7&tag=x%26y%3Dz"),
        ("?id=1&i%64=2&tag=1&gone=1", "tag=1&id=7&tag=x%26y%3Dz"),
        ("?query=0&q=1%26&q=2&a+b=3&%61%20b", "query=1%26&query=2&c=3&c&id=7&copy=1%26&tag=x%26y%3Dz"),
        ("?query=0", "query=0&id=7&tag=x%26y%3Dz"),
    ] {
        let target = target(&gateway, &upstream, &format!("/v1/7/files/a{query}")).await;
        assert_eq!(target, format!("/v1/7/files/a?{expected}"), "{query}");
    }
}

#[tokio::test]
async fn a_query_of_which_nothing_is_left_is_none() {
    let upstream = Upstream::start();
    let gateway = gateway("request.query.remove = [\"a\"]", &upstream);
    assert_eq!(target(&gateway, &upstream, "/v1/7/files/a?a=1&a").await, "/v1/7/files/a");
}

#[tokio::test]
async fn headers_the_method_and_the_host_are_changed() {
    let upstream = Upstream::start();
    let rules = r#"
        [routes.r.request]
        method = "PUT"
        host = "Files.Internal:8080"
        [routes.r.request.headers]
        remove = ["cookie", "x-debug"]
        rename = { authorization = "x-original" }
        set = { x-id = "${path.id} ${query.q} $$", x-none = "${header.x-nothing}", x-bad = "${query.bad}" }
        append = { accept = "b/c", x-more = "${header.x-nothing}" }"#;
    let gateway = gateway(rules, &upstream);
    let call = gateway.call("POST", "/v1/7/files/a?q=a%20b&bad=a%0d%0ab:c").header("host", "api.test");
    let call = call.header("cookie", "a=b").header("authorization", "Bearer x").header("accept", "a/b");
    let call = call.header("x-none", "1").header("x-bad", "1").header("x-id", "1").header("x-original", "forged");
    assert_eq!(call.body("hello").await.text(), "hello");
    let seen = upstream.last();
    assert_eq!((seen.method.as_str(), seen.header("host")), ("PUT", Some("files.internal:8080")));
    assert_eq!(seen.header("x-forwarded-host"), Some("api.test"));
    assert_eq!(seen.header("x-id"), Some("7 a b $"));
    assert_eq!(seen.headers.get_all("x-original").iter().collect::<Vec<_>>(), ["Bearer x"]);
    assert_eq!(seen.headers.get_all("accept").iter().collect::<Vec<_>>(), ["a/b", "b/c"]);
    for gone in ["cookie", "authorization", "x-none", "x-bad", "x-more", "b"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn an_attribute_that_nobody_granted_leaves_nothing_that_a_client_wrote() {
    let upstream = Upstream::start();
    let text = r#"
        [plugins.keys]
        component = "{guests}/probe.wasm"
        config = { authorize = {} }
        [routes.r]
        upstream = "up"
        plugins = ["keys"]
        request.headers.set = { x-user = "${auth.principal}" }"#;
    let gateway = Gateway::start(text, &upstream);
    assert_eq!(gateway.get("/").header("x-user", "root").await.status, 200);
    assert_eq!(upstream.last().header("x-user"), None);
}

#[tokio::test]
async fn filters_see_the_request_before_and_the_answer_after() {
    let upstream = Upstream::start();
    let text = r#"
        [plugins.tag]
        component = "{guests}/probe.wasm"
        config = { on_request = { set_headers = { x-tag = "1" } }, on_response = { set_headers = { x-a = "plugin" } } }
        [routes.r]
        path = "/a/{id}"
        upstream = "up"
        plugins = ["tag"]
        request.headers.rename = { x-tag = "x-seen" }
        response = { headers = { set = { x-a = "mapping", x-b = "${header.x-client} ${path.id}" } } }"#;
    let gateway = Gateway::start(text, &upstream);
    let reply = gateway.get("/a/7").header("x-client", "me").await;
    assert_eq!((reply.header("x-a"), reply.header("x-b")), (Some("plugin"), Some("me 7")));
    assert_eq!(upstream.last().header("x-seen"), Some("1"));
}

/// An upstream that answers with the status of the path's last segment.
fn statuses() -> Upstream {
    Upstream::answering(|seen| {
        let (path, _) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let (_, status) = path.rsplit_once('/').unwrap();
        let response = Response::builder().status(status.parse::<u16>().unwrap());
        let response = response.header("server", "old").header("x-pet", "cat").header("x-pet", "dog");
        let body = if ["204", "304"].contains(&status) { "" } else { "the body" };
        response.body(Full::new(Bytes::from(body))).unwrap()
    })
}

#[tokio::test]
async fn statuses_and_headers_of_answers_are_changed() {
    let upstream = statuses();
    let rules = r#"
        [routes.r.response]
        status = { 5xx = 502, 404 = 410, 503 = 503, 418 = 204, 200 = 201, 304 = 200 }
        [routes.r.response.headers]
        remove = ["server"]
        rename = { x-pet = "x-animal" }
        set = { x-first = "${response.header.x-pet}", x-q = "${query.q}", x-h = "${header.x-h}", x-none = "${response.header.x-no}" }
        append = { vary = "accept" }"#;
    let gateway = gateway(rules, &upstream);
    for (status, expected, body) in [
        (200, 201, "the body"),
        (202, 202, "the body"),
        (204, 204, ""),
        (304, 200, ""),
        (404, 410, "the body"),
        (403, 403, "the body"),
        (418, 204, ""),
        (500, 502, "the body"),
        (503, 503, "the body"),
    ] {
        for http2 in [false, true] {
            let call = gateway.get(&format!("/v1/7/files/{status}?q=a%0d%0ax-evil:1")).header("x-h", "me");
            let reply = if http2 { call.http2().await } else { call.await };
            assert_eq!((reply.status, reply.text()), (expected, body), "{status}");
            assert_eq!((reply.header("server"), reply.header("x-pet"), reply.header("x-evil")), (None, None, None));
            assert_eq!(reply.headers.get_all("x-animal").iter().collect::<Vec<_>>(), ["cat", "dog"]);
            assert_eq!((reply.header("x-first"), reply.header("x-h")), (Some("cat"), Some("me")));
            assert_eq!(
                (reply.header("x-q"), reply.header("x-none"), reply.header("vary")),
                (None, None, Some("accept"))
            );
        }
    }
    // What the gateway itself answers is not the upstream's.
    drop(upstream);
    let reply = gateway.get("/v1/7/files/200").await;
    assert_eq!((reply.status, reply.header("vary")), (502, None));
}

#[tokio::test]
async fn a_reload_changes_the_mapping() {
    let upstream = Upstream::start();
    let text = |to: &str| format!("[routes.r]\nupstream = \"up\"\nrequest.path = \"{to}\"");
    let gateway = Gateway::start(&text("/a"), &upstream);
    assert_eq!(target(&gateway, &upstream, "/").await, "/a");
    gateway.reload(&text("/b"), &upstream).unwrap();
    assert_eq!(target(&gateway, &upstream, "/").await, "/b");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_line_has_the_path_of_the_client_and_that_of_the_upstream() {
    let upstream = Upstream::start();
    let text = "[routes.new]\npath = \"/v1/{rest+}\"\nupstream = \"up\"\nrequest.path = \"/${path.rest}\"\n\
        [routes.same]\nupstream = \"up\"\n";
    let process = Process::start(text, &upstream);
    assert_eq!(process.get("/v1/a/b?c").await.status, 200);
    assert_eq!(process.access_line("/v1/a/b")["upstream_path"], "/a/b");
    assert_eq!(process.get("/same").await.status, 200);
    assert!(process.access_line("/same")["upstream_path"].is_null());
}
