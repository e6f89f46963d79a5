//! `transform`.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::json;

use super::{assert_failed, with};
use crate::support::{Call, Gateway, Raw, Reply, Upstream, raw::get};

fn transform(config: &str) -> String {
    with("transform", &format!("[plugins.it.config]\n{config}"), "")
}

const REQUEST_BODY: &str = r#"
request.body.remove = ["/password", "/items/*/internal"]
request.body.set = { "/meta/route" = "${request.route}", "/meta/who" = "${header.x-who}", "/n" = 7 }
"#;

const RESPONSE_BODY: &str = r#"
response.body.remove = ["/items/*/internal"]
response.body.set = { "/from" = "${request.path}" }
"#;

/// An upstream whose every answer has this type and body.
fn saying(content_type: &'static str, body: &'static str) -> Upstream {
    Upstream::answering(move |_| {
        let response = Response::builder().header("content-type", content_type).header("etag", "\"1\"");
        response.header("x-powered-by", "x").body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()
    })
}

fn post(gateway: &Gateway, content_type: &str, body: &'static str) -> Call {
    gateway.call("POST", "/").header("content-type", content_type).body(body)
}

/// What the client is told is how much comes.
fn assert_length(reply: &Reply) {
    assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()));
    assert_eq!(reply.headers.get_all("content-length").iter().count(), 1);
    assert_eq!(reply.header("transfer-encoding"), None);
}

#[tokio::test]
async fn request_headers_are_removed_renamed_set_and_appended() {
    let upstream = Upstream::start();
    let config = r#"
        request.headers.remove = ["X-Secret"]
        request.headers.rename = { x-old = "x-new" }
        request.headers.set = { x-route = "${request.route}/$$", x-cookie = "${cookie.c}", x-none = "${header.absent}" }
        request.headers.append = { x-tag = "${request.method}" }"#;
    let gateway = Gateway::start(&transform(config), &upstream);
    let call = gateway.get("/").header("x-secret", "1").header("x-old", "1").header("x-old", "2").header("x-tag", "0");
    call.header("x-route", "0").header("cookie", "c=d").await;
    let seen = upstream.last();
    let all = |name| seen.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!([all("x-secret"), all("x-old"), all("x-none")], [[""; 0]; 3]);
    assert_eq!([all("x-new"), all("x-tag")], [["1", "2"], ["0", "GET"]]);
    assert_eq!([all("x-route"), all("x-cookie")], [["x/$"], ["d"]]);
}

#[tokio::test]
async fn prefix_and_query_are_changed_and_the_rest_keeps_its_bytes() {
    let upstream = Upstream::start();
    let config = r#"
        request.strip_prefix = "/api"
        request.add_prefix = "/v2"
        request.query.remove = ["debug"]
        request.query.rename = { q = "search" }
        request.query.set = { tenant = "${header.x-tenant}" }"#;
    let gateway = Gateway::start(&transform(config), &upstream);
    let target = async |path| {
        gateway.get(path).header("x-tenant", "a&b=c").await;
        upstream.last().target
    };
    assert_eq!(
        target("/api/pets/1?debug=1&a=%7e+%41&q=x&debug").await,
        "/v2/pets/1?a=%7e+%41&search=x&tenant=a%26b%3Dc"
    );
    assert_eq!(target("/api?tenant=root&t=1&tenant=2").await, "/v2?tenant=a%26b%3Dc&t=1");
    assert_eq!(target("/apis").await, "/v2/apis?tenant=a%26b%3Dc");
}

#[tokio::test]
async fn a_value_in_a_new_path_stays_in_its_segment() {
    let upstream = Upstream::start();
    let path = "request.path = \"/animals/${path.id}/${query.kind}\"";
    let gateway = Gateway::start(&(transform(path) + "path = \"/pets/{id}\""), &upstream);
    assert_eq!(gateway.get("/pets/a%20b?kind=c%3Fd%23%25").await.status, 200);
    assert_eq!(upstream.last().target, "/animals/a%20b/c%3Fd%23%25?kind=c%3Fd%23%25");
    assert_eq!(gateway.get("/pets/1").await.status, 200);
    assert_eq!(upstream.last().target, "/pets/1", "a rule with an absent reference is not applied");
    for unclear in ["..", ".", "%2e%2e", "%2E.", "..;x", "../x", "a/b", "a%5Cb", "%00", "%0a"] {
        assert_eq!(gateway.get(&format!("/pets/1?kind={unclear}")).await.status, 400, "{unclear}");
    }
    assert_eq!((upstream.seen().len(), gateway.metric("gatehouse_plugin_faults_total{plugin=\"it\"}")), (2, 0));
}

#[tokio::test]
async fn fields_of_a_json_request_are_changed_and_its_length_is_told() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&transform(REQUEST_BODY), &upstream);
    let body = r#"{"z":1.000,"password":"p","items":[{"a":1,"internal":2}]}"#;
    for content_type in ["application/json", "application/JSON; charset=utf-8", "application/problem+json"] {
        for call in [post(&gateway, content_type, body), post(&gateway, content_type, body).http2()] {
            assert_eq!(call.header("x-who", "me \"é").await.status, 200);
            let seen = upstream.last();
            assert_eq!(seen.body, r#"{"z":1.000,"items":[{"a":1}],"meta":{"route":"x","who":"me \"é"},"n":7}"#);
            assert_eq!(seen.header("content-length"), Some(seen.body.len().to_string().as_str()));
            assert_eq!(seen.header("content-type"), Some(content_type));
        }
    }
}

#[tokio::test]
async fn a_json_request_in_chunks_is_changed_too() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&transform(REQUEST_BODY), &upstream);
    let head =
        "POST / HTTP/1.1\r\nhost: a.example\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let reply = Raw::connect(gateway.address())
        .send(head)
        .send("7\r\n{\"passw\r\n")
        .send("a\r\nord\":\"p\" }\r\n0\r\n\r\n")
        .response();
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let seen = upstream.last();
    assert_eq!(seen.body, r#"{"meta":{"route":"x"},"n":7}"#);
    assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), (Some("28"), None));
}

#[tokio::test]
async fn a_request_that_is_not_json_passes_unchanged() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&transform(REQUEST_BODY), &upstream);
    let json = r#"{"password":"p"}"#;
    for (content_type, body) in [("text/plain", json), ("application/jsonx", json), ("text/plain", "\u{0}{")] {
        assert_eq!(post(&gateway, content_type, body).await.status, 200);
        let seen = upstream.last();
        assert_eq!(seen.body, body);
        assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
    }
    assert_eq!(gateway.call("POST", "/").body(json).await.text(), json);
}

#[tokio::test]
async fn a_json_request_without_a_byte_passes_unchanged() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&transform(REQUEST_BODY), &upstream);
    for call in [post(&gateway, "application/json", ""), post(&gateway, "application/json", "").http2()] {
        assert_eq!(call.await.text(), "hello");
        assert_eq!((upstream.last().body.len(), upstream.last().header("transfer-encoding")), (0, None));
    }
}

#[tokio::test]
async fn a_request_that_says_it_is_json_and_is_not_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&transform(REQUEST_BODY), &upstream);
    for body in ["{", "{\"a\":1}}", "\u{feff}{}", "{\"items\":[}", "nul"] {
        let reply = post(&gateway, "application/json", body).await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("invalid_json")), "{body}");
    }
    let encoded = post(&gateway, "application/json", "{}").header("content-encoding", "gzip").await;
    assert_eq!((encoded.status, encoded.header("accept-encoding")), (415, Some("identity")));
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn status_and_headers_of_a_response_are_changed() {
    let upstream = saying("text/plain", "hello");
    let config = r#"
        response.status = 203
        response.headers.remove = ["X-Powered-By"]
        response.headers.rename = { etag = "x-etag" }
        response.headers.set = { x-was = "${response.status} ${response.header.content-type} ${request.path}" }
        response.headers.append = { vary = "origin" }"#;
    let gateway = Gateway::start(&transform(config), &upstream);
    for call in [gateway.get("/p"), gateway.get("/p").http2()] {
        let reply = call.await;
        assert_eq!((reply.status, reply.text()), (203, "hello"));
        let told = ["x-powered-by", "etag", "x-etag", "x-was", "vary"].map(|name| reply.header(name));
        assert_eq!(told, [None, None, Some("\"1\""), Some("200 text/plain /p"), Some("origin")]);
    }
}

#[tokio::test]
async fn fields_of_a_json_response_are_changed_and_its_length_is_told() {
    let upstream = saying("application/json", r#"{"items":[{"a":1.000,"internal":2},{"internal":3}]}"#);
    let gateway = Gateway::start(&transform(RESPONSE_BODY), &upstream);
    let call = gateway.get("/p").header("accept-encoding", "gzip").header("range", "bytes=0-1");
    let reply = call.await;
    assert_eq!((reply.status, reply.text()), (200, r#"{"items":[{"a":1.000},{}],"from":"/p"}"#));
    assert_length(&reply);
    assert_eq!((reply.header("etag"), reply.header("x-powered-by")), (None, Some("x")));
    let seen = upstream.last();
    assert_eq!((seen.header("accept-encoding"), seen.header("range")), (None, None));
}

#[tokio::test]
async fn a_response_that_is_not_json_passes_unchanged() {
    for (content_type, body) in [("text/html", "{<p>"), ("application/json", "")] {
        let upstream = saying(content_type, body);
        let gateway = Gateway::start(&transform(RESPONSE_BODY), &upstream);
        let reply = gateway.get("/").await;
        assert_eq!((reply.status, reply.text(), reply.header("etag")), (200, body, Some("\"1\"")));
        assert_length(&reply);
    }
}

#[tokio::test]
async fn a_response_that_says_it_is_json_and_is_not_is_a_failure_unless_that_is_skipped() {
    let upstream = saying("application/json", "{\"secret\"");
    let gateway = Gateway::start(&transform(RESPONSE_BODY), &upstream);
    let reply = gateway.get("/").await;
    assert_failed(&reply, 500, "plugin_error");
    assert!(!reply.text().contains("secret"));
    let skip = transform(RESPONSE_BODY).replace("[plugins.it.config]", "on_failure = \"skip\"\n[plugins.it.config]");
    let reply = Gateway::start(&skip, &upstream).get("/").await;
    assert_eq!((reply.status, reply.text()), (200, "{\"secret\""));
    assert_length(&reply);
}

#[tokio::test]
async fn an_answer_to_head_does_not_tell_the_length_of_the_old_body() {
    let upstream = saying("application/json", r#"{"items":[{"internal":1}]}"#);
    let gateway = Gateway::start(&transform(RESPONSE_BODY), &upstream);
    let mut client = Raw::connect(gateway.address());
    let head = client.send("HEAD / HTTP/1.1\r\nhost: a.example\r\n\r\n").response_to_head();
    assert_eq!((head.status(), head.header("content-length")), (200, None), "{}", head.head);
    assert_eq!(client.send(get("/", "")).response().json(), json!({ "items": [{}], "from": "/" }));
}
