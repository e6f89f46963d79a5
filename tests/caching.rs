//! The response cache: what is kept and for how long, who may share it, and that it is never worse than none.

mod bodies;
mod private;
mod purge;
mod stale;
mod together;

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderName, Response, StatusCode};
use http_body_util::Full;

use crate::support::{
    Gateway, Process, Reply, Upstream,
    raw::{ask, get as request},
};

/// Answers with how often it was asked, and with what `x-answer` lists: `:status=404|cache-control=max-age=60`. It answers 304
/// when the tag is the one that is asked about.
fn counting() -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::answering(move |seen| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut response = Response::new(Full::new(Bytes::from(number.to_string())));
        for field in seen.header("x-answer").unwrap_or_default().split('|').filter(|field| !field.is_empty()) {
            match field.split_once('=').unwrap() {
                (":status", status) => *response.status_mut() = status.parse().unwrap(),
                (name, value) => {
                    response.headers_mut().append(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
                }
            }
        }
        let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok());
        if tag.is_some() && seen.header("if-none-match") == tag {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Full::default();
        }
        response
    })
}

/// A gateway whose route has a cache with these keys, and another without one.
fn gateway(keys: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(&text(keys), upstream)
}

fn text(keys: &str) -> String {
    format!(
        "[caches.c]\n{keys}\n[routes.r]\npath = \"/{{rest+}}\"\nupstream = \"up\"\ncache = \"c\"\n\
        [routes.plain]\npath = \"/\"\nupstream = \"up\"\n"
    )
}

async fn get(gateway: &Gateway, path: &str, answer: &str) -> Reply {
    gateway.get(path).header("x-answer", answer).await
}

/// Status, body, and what the cache says.
fn told(reply: &Reply) -> (u16, &str, &str) {
    let told = reply.header("cache-status").unwrap_or_default();
    (reply.status, reply.text(), told.strip_prefix("gatehouse; ").unwrap_or(told))
}

const MISS: &str = "fwd=uri-miss";

#[tokio::test]
async fn what_says_how_long_it_is_fresh_is_served_for_so_long_with_its_age() {
    let upstream = counting();
    let gateway = gateway("", &upstream);
    let answer = "cache-control=max-age=60|x-more=1";
    let first = get(&gateway, "/a", answer).await;
    assert_eq!((told(&first), first.header("age")), ((200, "1", MISS), None));
    gateway.pass(10);
    for http2 in [false, true] {
        let call = gateway.get("/a");
        let hit = if http2 { call.http2().await } else { call.await };
        assert_eq!((told(&hit), hit.header("age")), ((200, "1", "hit; ttl=50"), Some("10")));
        assert_eq!((hit.header("x-more"), hit.header("content-length")), (Some("1"), Some("1")));
        assert_eq!(hit.header("date"), first.header("date"));
    }
    gateway.pass(50);
    assert_eq!(told(&get(&gateway, "/a", answer).await), (200, "2", "fwd=stale"));
    assert_eq!(upstream.seen().len(), 2);
    let counted =
        |result| gateway.metric(&format!("gatehouse_cache_requests_total{{cache=\"c\",result=\"{result}\"}}"));
    assert_eq!(["hit", "miss", "bypass"].map(counted), [2, 2, 0]);
    assert_eq!(gateway.metric("gatehouse_cache_stores_total{cache=\"c\"}"), 2);
    assert!((500..1000).contains(&gateway.metric("gatehouse_cache_bytes{cache=\"c\"}")));
    // A route without a cache has nothing of it.
    assert_eq!(
        (get(&gateway, "/", answer).await.text(), told(&get(&gateway, "/", answer).await)),
        ("3", (200, "4", ""))
    );
}

#[test]
fn the_access_line_tells_what_the_cache_did() {
    let upstream = counting();
    let process = Process::start(&text("ttl = \"60s\""), &upstream);
    for (path, expected) in [("/a", "miss"), ("/a", "hit"), ("/b", "miss")] {
        ask(process.address(), request(path, ""));
        assert_eq!(process.access_line(path)["cache"], expected);
    }
    ask(process.address(), request("/", ""));
    assert!(process.access_line("/").get("cache").is_none());
}

#[tokio::test]
async fn an_age_that_it_came_with_counts() {
    let upstream = counting();
    let gateway = gateway("", &upstream);
    get(&gateway, "/a", "cache-control=max-age=60|age=50").await;
    gateway.pass(5);
    let hit = gateway.get("/a").await;
    assert_eq!((told(&hit), hit.header("age")), ((200, "1", "hit; ttl=5"), Some("55")));
    gateway.pass(5);
    assert_eq!(gateway.get("/a").await.text(), "2");
}

#[tokio::test]
async fn what_may_not_be_kept_is_not() {
    let upstream = counting();
    let gateway = gateway("", &upstream);
    for (at, answer) in [
        "",
        "cache-control=no-store, max-age=60",
        "cache-control=private, max-age=60",
        "cache-control=max-age=60|set-cookie=a=b",
        "cache-control=max-age=60|vary=*",
        "cache-control=max-age=60|vary=x-forwarded-for",
        "cache-control=max-age=0",
        "cache-control=max-age=60|:status=404",
        "cache-control=max-age=60|:status=500",
        "cache-control=max-age=60|:status=302",
        "cache-control=max-age=60|:status=206",
        "expires=0",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("/{at}");
        let first = get(&gateway, &path, answer).await;
        let second = get(&gateway, &path, answer).await;
        assert_ne!(first.text(), second.text(), "{answer}");
        assert_eq!(told(&second).2, MISS, "{answer}");
    }
    assert_eq!(gateway.metric("gatehouse_cache_stores_total{cache=\"c\"}"), 0);
}

#[tokio::test]
async fn ttls_are_those_of_the_cache_unless_the_route_has_its_own() {
    let upstream = counting();
    let text = "[caches.c]\nttl = \"30s\"\nnegative_ttl = \"5s\"\n\
        [routes.r]\npath = \"/r\"\nupstream = \"up\"\ncache = \"c\"\n\
        [routes.own]\npath = \"/own\"\nupstream = \"up\"\ncache = { name = \"c\", ttl = \"10s\", ttl_overrides = true }\n";
    let gateway = Gateway::start(text, &upstream);
    for (path, answer, seconds) in [
        ("/r", "", 30),
        ("/r?a", "cache-control=max-age=7", 7),
        ("/r?b", ":status=404|cache-control=max-age=60", 5),
        ("/own", "", 10),
        ("/own?a", "cache-control=max-age=60", 10),
    ] {
        let first = get(&gateway, path, answer).await;
        gateway.pass(seconds - 1);
        assert_eq!(told(&get(&gateway, path, answer).await), (first.status, first.text(), "hit; ttl=1"), "{path}");
        gateway.pass(1);
        assert_ne!(get(&gateway, path, answer).await.text(), first.text(), "{path}");
    }
}

#[tokio::test]
async fn host_path_and_all_of_the_query_tell_answers_apart() {
    let upstream = counting();
    let gateway = gateway("ttl = \"60s\"", &upstream);
    let ask = |path: &'static str, host: &'static str| gateway.get(path).header("host", host).into_future();
    for (number, (path, host)) in
        [("/a", "a"), ("/b", "a"), ("/a", "b"), ("/a", "a:81"), ("/a?", "a"), ("/a?x=1", "a"), ("/a?x=2", "a")]
            .iter()
            .enumerate()
    {
        for _ in 0..2 {
            assert_eq!(ask(path, host).await.text(), (number + 1).to_string(), "{path} {host}");
        }
    }
    // Spellings of one path are one.
    assert_eq!(ask("/x/../%61", "A").await.text(), "1");
}

#[tokio::test]
async fn what_of_a_query_is_not_in_the_key_does_not_reach_the_upstream() {
    let upstream = counting();
    let gateway = gateway("ttl = \"60s\"\nquery = [\"page\"]", &upstream);
    assert_eq!(told(&gateway.get("/a?utm=1&page=2&evil=%3Cx%3E").await).2, MISS);
    assert_eq!(upstream.last().target, "/a?page=2");
    for path in ["/a?page=2", "/a?page=2&x", "/a?%75tm=2&page=2"] {
        assert_eq!(told(&gateway.get(path).await), (200, "1", "hit; ttl=60"), "{path}");
    }
    // Other bytes may mean something else to the upstream.
    for path in ["/a", "/a?page=3", "/a?page=%32", "/a?page=2&page=3"] {
        assert_eq!(told(&gateway.get(path).await).2, MISS, "{path}");
    }
    // What changes something keeps its query.
    gateway.call("POST", "/a?x=1").await;
    assert_eq!(upstream.last().target, "/a?x=1");
}

#[tokio::test]
async fn headers_and_cookies_of_the_key_tell_answers_apart() {
    let upstream = counting();
    let gateway = gateway("ttl = \"60s\"\nkey = [\"header:accept-language\", \"cookie:theme\"]", &upstream);
    let ask = |language: &'static str, cookie: &'static str| {
        gateway.get("/a").header("accept-language", language).header("cookie", cookie).into_future()
    };
    for (number, (language, cookie)) in [
        ("de", "theme=dark"),
        ("en", "theme=dark"),
        ("de", "theme=light"),
        ("de", "x=1"),
        ("de", "theme=dark; theme=x"),
    ]
    .into_iter()
    .enumerate()
    {
        for _ in 0..2 {
            assert_eq!(ask(language, cookie).await.text(), (number + 1).to_string(), "{language} {cookie}");
        }
    }
    assert_eq!(ask("de", "x=2; theme=dark").await.text(), "1");
}

#[tokio::test]
async fn an_answer_is_for_requests_that_agree_on_what_it_varies_by() {
    let upstream = counting();
    let gateway = gateway("", &upstream);
    let ask = async |accept: &str| {
        let call =
            gateway.get("/a").header("accept", accept).header("x-answer", "vary=Accept|cache-control=max-age=60");
        call.await.text().to_owned()
    };
    for (accept, body) in [("a/a", "1"), ("b/b", "2"), ("a/a", "1"), ("b/b", "2"), ("a/a, b/b", "3"), ("a/a", "1")] {
        assert_eq!(ask(accept).await, body, "{accept}");
    }
    assert_eq!(gateway.get("/a").await.text(), "4");
}

#[tokio::test]
async fn a_coding_is_for_clients_that_ask_for_the_same_also_where_the_answer_does_not_say_so() {
    let upstream = counting();
    let gateway = gateway("", &upstream);
    let ask = async |accept: &str| {
        let call = gateway.get("/a").header("accept-encoding", accept);
        let reply = call.header("x-answer", "content-encoding=gzip|cache-control=max-age=60").await;
        reply.text().to_owned()
    };
    for (accept, body) in [("gzip", "1"), ("gzip", "1"), ("br", "2"), ("gzip", "1")] {
        assert_eq!(ask(accept).await, body, "{accept}");
    }
}

#[tokio::test]
async fn a_client_that_has_it_is_told_so() {
    let upstream = counting();
    let gateway = gateway("", &upstream);
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    get(
        &gateway,
        "/a",
        &format!("cache-control=max-age=60|etag=\"x\"|content-type=text/plain|last-modified={modified}"),
    )
    .await;
    for (name, value, status) in [
        ("if-none-match", "\"x\"", 304),
        ("if-none-match", "\"y\", W/\"x\"", 304),
        ("if-none-match", "\"y\"", 200),
        ("if-modified-since", modified, 304),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT", 200),
    ] {
        let reply = gateway.get("/a").header(name, value).await;
        assert_eq!((reply.status, reply.text().len()), (status, usize::from(status == 200)), "{value}");
        assert_eq!((reply.header("etag"), told(&reply).2), (Some("\"x\""), "hit; ttl=60"));
        assert_eq!(reply.header("content-type").is_some(), status == 200);
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn what_is_no_longer_fresh_is_asked_about_and_served_when_it_still_holds() {
    let upstream = counting();
    let gateway = gateway("", &upstream);
    let answer = "cache-control=max-age=60|etag=\"x\"";
    get(&gateway, "/a", answer).await;
    gateway.pass(61);
    // The client's own condition is answered from what is kept.
    let call = gateway.get("/a").header("x-answer", &format!("{answer}|x-new=1")).header("if-none-match", "\"mine\"");
    let reply = call.await;
    assert_eq!((told(&reply), reply.header("x-new")), ((200, "1", "fwd=stale; fwd-status=304"), Some("1")));
    assert_eq!(upstream.last().header("if-none-match"), Some("\"x\""));
    gateway.pass(59);
    let hit = gateway.get("/a").await;
    assert_eq!((told(&hit), hit.header("x-new")), ((200, "1", "hit; ttl=1"), Some("1")));
    gateway.pass(2);
    assert_eq!(told(&get(&gateway, "/a", "cache-control=max-age=60|etag=\"y\"").await), (200, "3", "fwd=stale"));
    assert_eq!(told(&gateway.get("/a").await), (200, "3", "hit; ttl=60"));
    // `no-cache`: kept, and asked about each time.
    for _ in 0..2 {
        get(&gateway, "/b", "cache-control=no-cache|etag=\"x\"").await;
    }
    assert_eq!(
        told(&get(&gateway, "/b", "cache-control=no-cache|etag=\"x\"").await),
        (200, "4", "fwd=stale; fwd-status=304")
    );
    assert_eq!(gateway.metric("gatehouse_cache_requests_total{cache=\"c\",result=\"revalidated\"}"), 3);
}

#[tokio::test]
async fn a_not_modified_about_another_answer_is_not_taken_for_this_one() {
    let upstream = Upstream::answering(|seen| {
        let mut response = Response::new(Full::new(Bytes::from("body")));
        let tag = if seen.header("if-none-match").is_some() { "\"other\"" } else { "\"x\"" };
        response.headers_mut().insert("etag", tag.parse().unwrap());
        response.headers_mut().insert("cache-control", "max-age=5".parse().unwrap());
        if tag == "\"other\"" {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Full::default();
        }
        response
    });
    let gateway = gateway("", &upstream);
    gateway.get("/a").await;
    gateway.pass(6);
    let reply = gateway.get("/a").await;
    assert_eq!((told(&reply), reply.header("etag")), ((200, "body", "fwd=stale"), Some("\"x\"")));
    assert_eq!(upstream.seen().len(), 3);
}

#[tokio::test]
async fn a_client_s_cache_control_is_heard_only_where_that_is_configured() {
    let upstream = counting();
    let (deaf, hears) =
        (gateway("ttl = \"60s\"", &upstream), gateway("ttl = \"60s\"\nclient_control = \"allow\"", &upstream));
    let ask = async |gateway: &Gateway, name: &str, value: &str| {
        let reply = gateway.get("/a").header(name, value).await;
        let (status, _, told) = told(&reply);
        (status, told.split(';').next().unwrap_or_default().to_owned())
    };
    for gateway in [&deaf, &hears] {
        gateway.get("/a").await;
        gateway.pass(10);
    }
    for (name, value, expected) in [
        ("cache-control", "max-age=10", (200, "hit")),
        ("cache-control", "min-fresh=49", (200, "hit")),
        ("cache-control", "only-if-cached", (200, "hit")),
        ("cache-control", "no-store", (200, "fwd=bypass")),
        ("cache-control", "max-age=9", (200, "fwd=stale")),
        ("cache-control", "min-fresh=61", (200, "fwd=stale")),
        ("cache-control", "no-cache", (200, "fwd=stale")),
        ("pragma", "no-cache", (200, "fwd=stale")),
    ] {
        assert_eq!(ask(&deaf, name, value).await, (200, "hit".to_owned()), "{value}");
        assert_eq!(ask(&hears, name, value).await, (expected.0, expected.1.to_owned()), "{value}");
    }
    let wants = |gateway: &Gateway| gateway.get("/new").header("cache-control", "only-if-cached").into_future();
    let refused = wants(&hears).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (504, Some("not_cached")));
    assert_eq!(wants(&deaf).await.status, 200);
}

#[tokio::test]
async fn head_and_parts_are_served_from_what_is_kept_and_keep_nothing() {
    let upstream = counting();
    let gateway = gateway("ttl = \"60s\"", &upstream);
    for (method, name, value) in [("HEAD", "x-a", "1"), ("GET", "range", "bytes=0-0"), ("GET", "if-match", "\"x\"")] {
        for _ in 0..2 {
            let reply = gateway.call(method, "/a").header(name, value).await;
            assert!(!told(&reply).2.starts_with("hit"), "{name}");
        }
    }
    assert_eq!(upstream.seen().len(), 6);
    assert_eq!(upstream.seen()[2].header("range"), Some("bytes=0-0"));
    gateway.get("/a").await;
    let head = gateway.call("HEAD", "/a").await;
    assert_eq!((told(&head), head.header("content-length")), ((200, "", "hit; ttl=60"), Some("1")));
    assert_eq!(told(&gateway.get("/a").header("range", "bytes=0-0").await), (200, "7", "hit; ttl=60"));
    assert_eq!(told(&gateway.get("/a").header("if-match", "\"x\"").await).2, "fwd=bypass");
    // A body of a GET is not in the key.
    assert_eq!(told(&gateway.get("/a").body("evil").await), (200, "9", "fwd=bypass"));
    assert_eq!(gateway.get("/a").await.text(), "7");
}

#[tokio::test]
async fn what_changes_a_path_outdates_what_is_kept_of_it() {
    let upstream = counting();
    let text = text("ttl = \"60s\"").replace("path = \"/{rest+}\"\n", "path = \"/{rest+}\"\nmethods = [\"GET\"]\n")
        + "[routes.write]\npath = \"/{rest+}\"\nupstream = \"up\"\n";
    let gateway = Gateway::start(&text, &upstream);
    let ask = async |path: &str| gateway.get(path).await.text().to_owned();
    assert_eq!((ask("/a").await, ask("/a?x").await, ask("/b").await), ("1".into(), "2".into(), "3".into()));
    gateway.call("POST", "/a").header("x-answer", ":status=400").await;
    gateway.call("OPTIONS", "/a").await;
    assert_eq!((&*ask("/a").await, &*ask("/b").await), ("1", "3"));
    gateway.call("PUT", "/a?y").await;
    assert_eq!((&*ask("/a").await, &*ask("/a?x").await, &*ask("/b").await), ("7", "8", "3"));
}

#[tokio::test]
async fn a_reload_keeps_what_is_of_the_same_cache_and_route() {
    let upstream = counting();
    let gateway = gateway("ttl = \"60s\"", &upstream);
    gateway.get("/a").await;
    let same = text("ttl = \"60s\"");
    gateway.reload(&same.replace("[routes.plain]", "[routes.renamed]"), &upstream).unwrap();
    assert_eq!(told(&gateway.get("/a").await), (200, "1", "hit; ttl=60"));
    // A route that asks its upstream for something else.
    gateway
        .reload(&same.replace("cache = \"c\"", "cache = \"c\"\nupstream_headers = { x-a = \"1\" }"), &upstream)
        .unwrap();
    assert_eq!(told(&gateway.get("/a").await), (200, "2", MISS));
    gateway.reload(&text("ttl = \"50s\""), &upstream).unwrap();
    assert_eq!(told(&gateway.get("/a").await), (200, "3", MISS));
}
