//! `jwt-remote`: the issuer is a second upstream.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};

use super::{
    assert_failed, hits_and_misses, problem,
    token::{SECRET, fixed, now, signed, vectors},
    with,
};
use crate::support::{Gateway, Held, Reply, Upstream, raw::DEADLINE};

/// What the issuer answers.
type Served = Arc<Mutex<(u16, String)>>;

fn serving(served: &Served) -> Upstream {
    let served = served.clone();
    Upstream::answering(move |_| {
        let (status, body) = served.lock().unwrap().clone();
        Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap()
    })
}

/// An issuer that serves these keys.
fn issuer(keys: &Value) -> Upstream {
    serving(&Served::new(Mutex::new((200, json!({ "keys": keys }).to_string()))))
}

/// Every request is a call, so that nothing but the plugin remembers keys.
fn remote(issuer: SocketAddr, config: &str) -> String {
    let plugin = format!(
        "limits.cpu = \"900ms\"\ncache.ttl = \"0s\"\ngrants.http = [\"http://{issuer}\"]\n[plugins.it.config]\n\
         jwks_url = \"http://{issuer}/jwks\"\naudience = \"api\"\n{config}"
    );
    with("jwt-remote", &plugin, "upstream_headers = { x-user = \"${auth.principal}\" }")
}

async fn ask(gateway: &Gateway, token: &str) -> Reply {
    gateway.get("/").header("authorization", &format!("Bearer {token}")).await
}

/// Asks until the issuer was asked so often: its intervals are of real time.
async fn ask_until_fetched(gateway: &Gateway, token: &str, issuer: &Upstream, fetched: usize) {
    let started = Instant::now();
    while issuer.seen().len() < fetched {
        assert!(started.elapsed() < DEADLINE);
        ask(gateway, token).await;
    }
}

/// Requests with a token fail and nothing passes.
async fn assert_without_keys(text: &str) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(text, &upstream);
    for _ in 0..2 {
        assert_failed(&ask(&gateway, &fixed("EdDSA")).await, 500, "plugin_error");
    }
    assert_eq!(gateway.get("/").await.status, 401);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn keys_are_fetched_once_and_not_for_every_request() {
    let (upstream, issuer) = (Upstream::start(), issuer(&vectors()["keys"]));
    let gateway = Gateway::start(&remote(issuer.address(), ""), &upstream);
    assert_eq!(gateway.get("/").await.status, 401);
    assert!(issuer.seen().is_empty(), "no token, no need of keys");
    for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA", "EdDSA"] {
        assert_eq!(ask(&gateway, &fixed(algorithm)).await.status, 200, "{algorithm}");
        assert_eq!(upstream.last().header("x-user"), Some("alice"));
    }
    assert_eq!((issuer.seen().len(), issuer.last().target.as_str()), (1, "/jwks"));
    assert_eq!(issuer.last().header("authorization"), None);
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let (upstream, issuer) = (Upstream::start(), issuer(&vectors()["keys"]));
    let gateway = Gateway::start(&remote(issuer.address(), ""), &upstream);
    let mut forged: Vec<Value> = vectors()["forged"].as_object().unwrap().values().cloned().collect();
    let claims = json!({ "sub": "root", "aud": "api", "exp": now() + 600 });
    let pem = vectors()["pem"]["rsa"].as_str().unwrap().to_owned();
    forged.push(signed(&json!({ "alg": "HS256", "kid": "rsa" }), &claims, pem.as_bytes()).into());
    forged.push(signed(&json!({ "alg": "none", "kid": "rsa" }), &claims, b"").into());
    for token in forged {
        let reply = ask(&gateway, token.as_str().unwrap()).await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (401, Some("invalid_token")), "{token}");
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_secret_that_the_issuer_serves_to_anyone_is_none() {
    let vectors = vectors();
    let keys = [vectors["keys"].as_array().unwrap().as_slice(), vectors["secrets"].as_array().unwrap()].concat();
    let (upstream, issuer) = (Upstream::start(), issuer(&json!(keys)));
    let gateway = Gateway::start(&remote(issuer.address(), ""), &upstream);
    assert_eq!(ask(&gateway, &fixed("EdDSA")).await.status, 200);
    assert_eq!(ask(&gateway, &fixed("HS256")).await.status, 401);
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn without_its_grant_it_is_refused_with_the_interface_that_it_needs() {
    let issuer = SocketAddr::from(([127, 0, 0, 1], 1));
    let text = remote(issuer, "").replace(&format!("grants.http = [\"http://{issuer}\"]\n"), "");
    let problem = problem(&text);
    let line = problem.lines().find(|line| line.contains("wasi:http/outgoing-handler")).expect(&problem);
    assert!(line.contains("gatehouse.toml:") && line.contains("`it`") && line.contains("`grants`"), "{line}");
}

#[tokio::test]
async fn unknown_keys_make_it_fetch_no_more_often_than_the_interval() {
    let (upstream, issuer) = (Upstream::start(), issuer(&vectors()["keys"]));
    let gateway = Gateway::start(&remote(issuer.address(), "unknown_kid_interval = 600"), &upstream);
    for attempt in 0..20 {
        let header = json!({ "alg": "HS256", "kid": format!("unknown-{attempt}") });
        let reply = ask(&gateway, &signed(&header, &json!({}), SECRET.as_bytes())).await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (401, Some("invalid_token")));
    }
    assert_eq!(ask(&gateway, &fixed("EdDSA")).await.status, 200);
    assert_eq!(issuer.seen().len(), 1);
}

#[tokio::test]
async fn a_key_that_the_issuer_has_added_is_found() {
    let served = Served::new(Mutex::new((200, json!({ "keys": [vectors()["keys"][0]] }).to_string())));
    let (upstream, issuer) = (Upstream::start(), serving(&served));
    let gateway = Gateway::start(&remote(issuer.address(), "unknown_kid_interval = 1"), &upstream);
    assert_eq!(ask(&gateway, &fixed("EdDSA")).await.status, 401);
    served.lock().unwrap().1 = json!({ "keys": vectors()["keys"] }).to_string();
    ask_until_fetched(&gateway, &fixed("EdDSA"), &issuer, 2).await;
    for algorithm in ["EdDSA", "ES256"] {
        assert_eq!(ask(&gateway, &fixed(algorithm)).await.status, 200);
    }
    assert_eq!(issuer.seen().len(), 2);
}

#[tokio::test]
async fn keys_at_hand_are_kept_when_the_issuer_fails() {
    let served = Served::new(Mutex::new((200, json!({ "keys": vectors()["keys"] }).to_string())));
    let (upstream, issuer) = (Upstream::start(), serving(&served));
    let gateway = Gateway::start(&remote(issuer.address(), "refresh = 1\nunknown_kid_interval = 1"), &upstream);
    assert_eq!(ask(&gateway, &fixed("EdDSA")).await.status, 200);
    *served.lock().unwrap() = (503, String::new());
    ask_until_fetched(&gateway, &fixed("EdDSA"), &issuer, 2).await;
    assert_eq!(ask(&gateway, &fixed("EdDSA")).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_fails_or_serves_nonsense_lets_nothing_pass() {
    let all = json!({ "keys": vectors()["keys"] }).to_string();
    let empty = json!({ "keys": [] }).to_string();
    let secrets = json!({ "keys": vectors()["secrets"] }).to_string();
    for served in [(503, all.clone()), (204, String::new()), (200, all[1..].to_owned()), (200, empty), (200, secrets)] {
        let issuer = serving(&Served::new(Mutex::new(served)));
        assert_without_keys(&remote(issuer.address(), "")).await;
        assert_eq!(issuer.seen().len(), 1, "it is not asked for every request");
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_or_does_not_answer_lets_nothing_pass() {
    let gone = issuer(&json!([])).address();
    assert_without_keys(&remote(gone, "")).await;
    let silent = Held::start();
    assert_without_keys(&remote(silent.address(), "timeout_ms = 50")).await;
    silent.arrival();
}

#[tokio::test]
async fn a_redirect_of_the_issuer_is_not_followed() {
    let elsewhere = issuer(&vectors()["keys"]);
    let location = format!("http://{}/jwks", elsewhere.address());
    let redirecting = Upstream::answering(move |_| {
        Response::builder().status(302).header("location", &location).body(Full::default()).unwrap()
    });
    let (from, to) = (redirecting.address(), elsewhere.address());
    let text = remote(from, "").replace("grants.http = [", &format!("grants.http = [\"http://{to}\", "));
    assert_without_keys(&text).await;
    assert_eq!((redirecting.seen().len(), elsewhere.seen().len()), (1, 0));
}

#[tokio::test]
async fn keys_of_an_origin_that_is_not_granted_are_not_fetched() {
    let issuer = issuer(&vectors()["keys"]);
    let granted = format!("grants.http = [\"http://{}\"]", issuer.address());
    let text = remote(issuer.address(), "").replace(&granted, "grants.http = [\"https://issuer.example\"]");
    assert_without_keys(&text).await;
    assert!(issuer.seen().is_empty());
}

#[tokio::test]
async fn a_verdict_is_kept_no_longer_than_the_keys() {
    let (upstream, issuer) = (Upstream::start(), issuer(&vectors()["keys"]));
    let text = remote(issuer.address(), "refresh = 200").replace("cache.ttl = \"0s\"\n", "");
    let gateway = Gateway::start(&text, &upstream);
    for (seconds, counted) in [(0, (0, 1)), (199, (1, 1)), (1, (1, 2))] {
        gateway.pass(seconds);
        assert_eq!(ask(&gateway, &fixed("EdDSA")).await.status, 200);
        assert_eq!(hits_and_misses(&gateway), counted, "after {seconds} more");
    }
}
