//! The verdict cache: a verdict serves every request that agrees on what was read for it, and no other.

mod age;
mod flight;

use std::fs;

use crate::support::{Call, Gateway, Process, Raw, Reply, Upstream, guest};

/// An authorizer without other hooks: it reads the path parameter `tenant` and the header `x-tenant-key`.
const TENANTS: &str = "[plugins.p]\ncomponent = \"{guests}/custom-authorizer.wasm\"\n\
    config = { tenants = { acme = { key = \"a1\", plan = \"gold\" }, initech = { key = \"i1\", plan = \"free\" } } }\n\
    [routes.x]\npath = \"/{tenant}\"\nupstream = \"up\"\nplugins = [\"p\"]\n\
    upstream_headers = { x-user = \"${auth.principal}\", x-plan = \"${auth.plan}\" }\n";

/// The `probe` as authorizer `p` of every path. The upstream is told how often the probe's instance was asked.
fn probe(authorize: &str, cache: &str) -> String {
    format!(
        "[plugins.p]\ncomponent = \"{{guests}}/probe.wasm\"\n\
         config = {{ authorize = {{ {authorize} }} }}\ncache = {{ {cache} }}\n\
         [routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n\
         upstream_headers = {{ x-count = \"${{auth.count}}\" }}\n"
    )
}

/// How often the authorizer `p` gave a verdict, and how often the cache did.
fn asked(gateway: &Gateway) -> u64 {
    gateway.metric("gatehouse_verdict_cache_misses_total{plugin=\"p\"}")
}

fn hits(gateway: &Gateway) -> u64 {
    gateway.metric("gatehouse_verdict_cache_hits_total{plugin=\"p\"}")
}

/// An answer without what differs in every answer.
fn lasting(mut reply: Reply) -> Reply {
    reply.headers.remove("date");
    reply.headers.remove("x-request-id");
    reply
}

#[tokio::test]
async fn a_hit_does_not_enter_the_plugin() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(TENANTS, &upstream);
    for _ in 0..5 {
        assert_eq!(gateway.get("/acme").header("x-tenant-key", "a1").await.status, 200);
        assert_eq!(gateway.get("/acme").header("x-tenant-key", "a2").await.status, 403);
    }
    assert_eq!((gateway.calls("p"), asked(&gateway), hits(&gateway)), (2, 2, 8));
}

#[tokio::test]
async fn a_hit_tells_what_the_plugin_told_when_it_was_asked() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe("", ""), &upstream);
    for _ in 0..3 {
        gateway.get("/").await;
        assert_eq!(upstream.last().header("x-count"), Some("1"));
    }
}

#[tokio::test]
async fn a_cached_grant_is_applied_in_full() {
    let upstream = Upstream::start();
    let grant = "principal = \"alice\", attributes = { tenant = \"acme\" }, set_headers = { x-set = \"1\" }";
    let text = probe(grant, "").replace("x-count =", "x-user = \"${auth.principal}/${auth.tenant}\", x-count =");
    let gateway = Gateway::start(&text, &upstream);
    for _ in 0..2 {
        gateway.get("/").header("x-set", "forged").header("x-user", "forged").await;
        let seen = upstream.last();
        assert_eq!((seen.header("x-user"), seen.header("x-set")), (Some("alice/acme"), Some("1")));
        assert_eq!(seen.headers.get_all("x-set").iter().count(), 1);
    }
    assert_eq!((asked(&gateway), hits(&gateway)), (1, 1));
}

#[tokio::test]
async fn a_cached_denial_is_answered_as_the_first_time() {
    let upstream = Upstream::start();
    let no = "verdict = \"deny\", status = 401, body = \"who?\", headers = { www-authenticate = \"Bearer\" }";
    let gateway = Gateway::start(&probe(no, ""), &upstream);
    let first = gateway.get("/").await;
    let second = gateway.get("/").await;
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    let (first, second) = (lasting(first), lasting(second));
    assert_eq!((first.status, first.text(), first.header("www-authenticate")), (401, "who?", Some("Bearer")));
    assert_eq!((second.status, &second.headers, &second.body), (first.status, &first.headers, &first.body));
    assert_eq!((asked(&gateway), hits(&gateway)), (1, 1));
}

#[tokio::test]
async fn the_access_line_tells_whether_the_cache_decided() {
    let upstream = Upstream::start();
    let process = Process::start(&probe("verdict = \"deny\"", ""), &upstream);
    for cached in [false, true, true] {
        process.get("/x").await;
        let line = process.access_line("/x");
        assert_eq!((line["verdict"].as_str(), line["verdict_cached"].as_bool()), (Some("deny"), Some(cached)));
    }
}

#[tokio::test]
async fn a_header_that_was_read_parts_requests_and_another_does_not() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe("read = [\"header:X-Key\"]", ""), &upstream);
    for other in ["1", "2"] {
        for key in ["a", "b", "A"] {
            gateway.get("/").header("x-key", key).header("x-other", other).await;
        }
    }
    assert_eq!((asked(&gateway), hits(&gateway)), (3, 3));
}

#[tokio::test]
async fn versions_of_http_1_do_not_share_a_verdict_that_read_the_protocol() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe("read = [\"protocol\"]", ""), &upstream);
    for version in ["1.0", "1.1", "1.0", "1.1"] {
        let mut raw = Raw::connect(gateway.address());
        let reply = raw.send(format!("GET / HTTP/{version}\r\nhost: a\r\nconnection: close\r\n\r\n")).response();
        assert_eq!(reply.status(), 200);
    }
    assert_eq!((asked(&gateway), hits(&gateway)), (2, 2));
}

/// Two requests that differ in one thing, and the reads that can tell them apart.
struct Pair {
    reads: &'static [&'static str],
    one: fn(&Gateway) -> Call,
    other: fn(&Gateway) -> Call,
}

const PAIRS: [Pair; 14] = [
    Pair { reads: &["method"], one: |it| it.get("/a/b"), other: |it| it.call("POST", "/a/b") },
    Pair { reads: &["path"], one: |it| it.get("/a/b"), other: |it| it.get("/a/b/c") },
    Pair { reads: &["path-param:id"], one: |it| it.get("/a/b"), other: |it| it.get("/c/b") },
    Pair { reads: &["path-param:rest"], one: |it| it.get("/a/b"), other: |it| it.get("/a/c") },
    Pair { reads: &["query"], one: |it| it.get("/a/b"), other: |it| it.get("/a/b?") },
    Pair {
        reads: &["query", "query-param:q", "query-params:q"],
        one: |it| it.get("/a/b?q"),
        other: |it| it.get("/a/b"),
    },
    Pair { reads: &["query", "query-params:q"], one: |it| it.get("/a/b?q=1"), other: |it| it.get("/a/b?q=1&q=2") },
    Pair { reads: &["authority"], one: |it| it.get("/a/b").header("host", "a.example"), other: |it| it.get("/a/b") },
    Pair { reads: &["protocol"], one: |it| it.get("/a/b"), other: |it| it.get("/a/b").http2() },
    Pair {
        reads: &["header:x-key", "header-values:x-key", "headers"],
        one: |it| it.get("/a/b"),
        other: |it| it.get("/a/b").header("x-key", ""),
    },
    Pair {
        reads: &["header-values:x-key", "headers"],
        one: |it| it.get("/a/b").header("x-key", "1").header("x-key", "2"),
        other: |it| it.get("/a/b").header("x-key", "1, 2"),
    },
    Pair {
        reads: &["header:x-key", "header-values:x-key", "headers"],
        one: |it| it.get("/a/b").header("x-key", "1").header("x-key", "2"),
        other: |it| it.get("/a/b").header("x-key", "2").header("x-key", "1"),
    },
    Pair {
        reads: &["cookie:sid", "header:cookie"],
        one: |it| it.get("/a/b").header("cookie", "a=1; sid=1"),
        other: |it| it.get("/a/b").header("cookie", "a=1; sid=2"),
    },
    Pair {
        reads: &["cookie:sid", "header:cookie"],
        one: |it| it.get("/a/b").header("cookie", "a=1; sid="),
        other: |it| it.get("/a/b").header("cookie", "a=1"),
    },
];

/// How often the probe is asked when both requests come twice.
async fn asked_for(pair: &Pair, read: &str) -> u64 {
    let upstream = Upstream::start();
    let text = probe(&format!("read = [{read}]"), "").replace("[routes.x]", "[routes.x]\npath = \"/{id}/{rest+}\"");
    let gateway = Gateway::start(&text, &upstream);
    for call in [pair.one, pair.other, pair.one, pair.other] {
        assert_eq!(call(&gateway).await.status, 200);
    }
    asked(&gateway)
}

#[tokio::test]
async fn requests_that_differ_in_what_was_read_have_verdicts_of_their_own() {
    for (index, pair) in PAIRS.iter().enumerate() {
        for read in pair.reads {
            assert_eq!(asked_for(pair, &format!("\"{read}\"")).await, 2, "pair {index}, {read}");
        }
    }
}

#[tokio::test]
async fn requests_that_differ_only_in_what_was_not_read_share_a_verdict() {
    let unrelated =
        "\"header:x-a\", \"cookie:a\", \"query-param:a\", \"path-param:none\", \"scheme\", \"client-ip\", \"route\"";
    for (index, pair) in PAIRS.iter().enumerate() {
        assert_eq!(asked_for(pair, unrelated).await, 1, "pair {index}");
    }
}

#[tokio::test]
async fn values_are_told_apart_from_their_neighbours() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe("read = [\"header:x-a\", \"header:x-b\"]", ""), &upstream);
    for (a, b) in [("1", "23"), ("12", "3"), ("123", ""), ("", "123"), ("3", "12")] {
        gateway.get("/").header("x-a", a).header("x-b", b).await;
    }
    gateway.get("/").header("x-a", "123").await;
    gateway.get("/").header("x-b", "123").await;
    assert_eq!((asked(&gateway), hits(&gateway)), (7, 0));
}

#[tokio::test]
async fn two_routes_never_share_a_verdict() {
    let upstream = Upstream::start();
    let route = "\n[routes.y]\npath = \"/y\"\nupstream = \"up\"\nplugins = [\"p\"]\n";
    for read in ["", "\"route\"", "\"header:x-key\""] {
        let gateway = Gateway::start(&(probe(&format!("read = [{read}]"), "") + route), &upstream);
        for path in ["/x", "/y", "/x", "/y", "/z"] {
            gateway.get(path).header("x-key", "1").await;
        }
        assert_eq!((asked(&gateway), hits(&gateway)), (2, 3), "reading {read}");
    }
}

#[tokio::test]
async fn a_grant_for_one_tenant_opens_no_other() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(TENANTS, &upstream);
    let get = async |path, key| gateway.get(path).header("x-tenant-key", key).await.status;
    for _ in 0..2 {
        assert_eq!((get("/acme", "a1").await, get("/initech", "a1").await), (200, 403));
        assert_eq!((get("/initech", "i1").await, get("/acme", "i1").await), (200, 403));
        assert_eq!(upstream.last().header("x-user"), Some("initech"));
        assert_eq!(gateway.get("/acme").await.status, 403);
    }
    assert_eq!(gateway.calls("p"), 5);
}

/// Takes a key (`a1`, `b2`) from the first of many places that has one.
fn keys(places: &str) -> String {
    format!(
        "[plugins.p]\ncomponent = \"{{guests}}/api-key.wasm\"\n[plugins.p.config]\nin = [{places}]\n\
         [[plugins.p.config.keys]]\nid = \"a\"\n\
         hash = \"sha256:f55ff16f66f43360266b95db6f8fec01d76031054306ae4a4b380598f6cfd114\"\n\
         [[plugins.p.config.keys]]\nid = \"b\"\n\
         hash = \"sha256:4814d92093ac8a0f4a2163ab87dee509ba306a58f5888be0edcb2fcd0712028b\"\n\
         [routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\nupstream_headers = {{ x-user = \"${{auth.principal}}\" }}\n"
    )
}

/// What the key found in a header, else in a cookie, else in the query, opens.
fn opened(places: [Option<&str>; 3]) -> Option<&'static str> {
    match places.into_iter().flatten().find(|key| !key.is_empty()) {
        Some("a1") => Some("a"),
        Some("b2") => Some("b"),
        _ => None,
    }
}

#[tokio::test]
async fn a_plugin_that_reads_on_only_when_it_must_is_right_in_all_combinations() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&keys("\"header:x-key\", \"cookie:key\", \"query:key\""), &upstream);
    let values = [None, Some(""), Some("a1"), Some("b2"), Some("bad")];
    // Twice, so that each is served from the cache too, with all shapes known.
    for index in 0..250 {
        let places = [values[index % 5], values[index / 5 % 5], values[index / 25 % 5]];
        let mut call = gateway.get(&places[2].map_or("/".to_owned(), |key| format!("/?key={key}")));
        if let Some(key) = places[0] {
            call = call.header("x-key", key);
        }
        if let Some(key) = places[1] {
            call = call.header("cookie", &format!("key={key}"));
        }
        let status = call.await.status;
        let user = (status == 200).then(|| upstream.last().header("x-user").unwrap().to_owned());
        assert_eq!(user.as_deref(), opened(places), "{places:?}");
    }
    assert!(hits(&gateway) >= 125, "the second time comes from the cache: {}", hits(&gateway));
}

#[tokio::test]
async fn a_plugin_that_reads_in_more_ways_than_are_remembered_is_still_right() {
    let upstream = Upstream::start();
    let places: Vec<String> = (0..24).map(|place| format!("\"header:x-{place}\"")).collect();
    let gateway = Gateway::start(&keys(&places.join(", ")), &upstream);
    for _ in 0..2 {
        for place in 0..24 {
            let get = |key| gateway.get("/").header(&format!("x-{place}"), key);
            assert_eq!((get("a1").await.status, get("bad").await.status), (200, 401));
        }
    }
    assert_eq!(asked(&gateway), 2 * 24 + 2 * 8, "sixteen are remembered");
}

#[tokio::test]
async fn what_used_the_outside_is_kept_only_for_as_long_as_the_plugin_says() {
    for act in ["clock", "random"] {
        for (max_age, times) in [("", 3), (", max_age = 60", 1), (", max_age = 0", 3)] {
            let upstream = Upstream::start();
            let gateway = Gateway::start(&probe(&format!("act = \"{act}\"{max_age}"), ""), &upstream);
            // The first hook of an instance may draw the seed of its hash maps.
            for _ in 0..3 {
                gateway.get("/").await;
            }
            assert_eq!(asked(&gateway), times, "{act}{max_age}");
        }
    }
}

#[tokio::test]
async fn what_used_key_value_state_or_the_network_is_kept_only_for_as_long_as_the_plugin_says() {
    for call in ["increment:n", "get:n", "set:n=1", "http:http://{upstream}/side"] {
        for (max_age, times) in [("", 3), ("max_age = 60", 1), ("max_age = 0", 3)] {
            let upstream = Upstream::start();
            let text = format!(
                "[plugins.p]\ncomponent = \"{{guests}}/probe-calls.wasm\"\n\
                 grants = {{ http = [\"http://{{upstream}}\"], keyvalue = true, output = \"stdout\" }}\n\
                 limits = {{ cpu = \"1s\" }}\n[plugins.p.config]\ncalls = [\"{call}\"]\n{max_age}\n\
                 [routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n"
            );
            let gateway = Gateway::start(&text, &upstream);
            for _ in 0..3 {
                assert_eq!(gateway.get("/").await.status, 200);
            }
            assert_eq!(asked(&gateway), times, "{call} {max_age}");
        }
    }
}

#[tokio::test]
async fn a_verdict_that_read_the_request_id_is_never_kept() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe("read = [\"id\"], max_age = 60", ""), &upstream);
    for _ in 0..3 {
        gateway.get("/").await;
    }
    assert_eq!((asked(&gateway), hits(&gateway)), (3, 0));
}

#[tokio::test]
async fn an_error_is_never_kept() {
    let upstream = Upstream::start();
    let text = probe("verdict_header = \"x-verdict\"", "");
    let gateway = Gateway::start(&text, &upstream);
    for faults in 1..=3 {
        assert_eq!(gateway.get("/").header("x-verdict", "broken").await.status, 500);
        assert_eq!(gateway.metric("gatehouse_plugin_faults_total{plugin=\"p\"}"), faults);
    }
    assert_eq!(gateway.get("/").header("x-verdict", "allow").await.status, 200);
}

#[tokio::test]
async fn workers_share_verdicts() {
    let upstream = Upstream::start();
    let text = probe("read = [\"header:x-key\"]", "") + "[server]\nworkers = 2\n";
    let gateway = Gateway::start(&text, &upstream);
    for _ in 0..20 {
        gateway.get("/").header("x-key", "1").await;
    }
    assert_eq!((asked(&gateway), hits(&gateway)), (1, 19));
}

#[tokio::test]
async fn a_full_cache_forgets() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe("read = [\"header:x-key\"]", "entries = 10"), &upstream);
    let mut line = flight::Line::open(&gateway).await;
    for _ in 0..2 {
        for key in 0..1000 {
            assert_eq!(line.send("/", &[("x-key", &key.to_string())]).await, 200);
        }
    }
    // Room is made from time to time, so it holds a few more for a while.
    assert!(hits(&gateway) < 200, "{} of 1000 were still known", hits(&gateway));
}

#[tokio::test]
async fn a_changed_configuration_of_the_plugin_begins_with_an_empty_cache() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe("verdict = \"allow\"", ""), &upstream);
    assert_eq!((gateway.get("/").await.status, gateway.get("/").await.status), (200, 200));
    gateway.reload(&probe("verdict = \"deny\"", ""), &upstream).unwrap();
    assert_eq!((gateway.get("/").await.status, asked(&gateway)), (403, 2));
    gateway.reload(&probe("verdict = \"deny\"", "denial_ttl = \"1s\""), &upstream).unwrap();
    assert_eq!((gateway.get("/").await.status, asked(&gateway)), (403, 3));
}

#[tokio::test]
async fn a_changed_component_begins_with_an_empty_cache() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.wasm");
    let bytes = fs::read(guest("custom-authorizer")).unwrap();
    fs::write(&file, &bytes).unwrap();
    let text = TENANTS.replace("{guests}/custom-authorizer.wasm", file.to_str().unwrap());
    let gateway = Gateway::start(&text, &upstream);
    let get = async || assert_eq!(gateway.get("/acme").header("x-tenant-key", "a1").await.status, 200);
    get().await;
    gateway.reload_files().unwrap();
    get().await;
    assert_eq!(gateway.calls("p"), 1);
    // A custom section named `x`: other bytes that do the same.
    fs::write(&file, [bytes.as_slice(), &[0, 2, 1, b'x']].concat()).unwrap();
    gateway.reload_files().unwrap();
    get().await;
    assert_eq!(gateway.calls("p"), 2);
}

#[tokio::test]
async fn a_change_of_something_else_keeps_the_cache() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&probe("", ""), &upstream);
    let more = "[plugins.q]\ncomponent = \"{guests}/probe.wasm\"\n\
                [routes.y]\npath = \"/y\"\nupstream = \"up\"\nplugins = [\"q\", \"p\"]\n[limits]\nbody_bytes = 1\n";
    for text in [probe("", ""), probe("", "") + more, probe("", "").replace("x-count", "x-n"), probe("", "")] {
        gateway.get("/").await;
        gateway.reload(&text, &upstream).unwrap();
        gateway.get("/").await;
    }
    assert_eq!((asked(&gateway), hits(&gateway)), (1, 7));
}
