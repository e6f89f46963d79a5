//! `jwt`.

use serde_json::{Value, json};

use super::{
    hits_and_misses,
    token::{SECRET, fixed, now, signed, token, unsigned, vectors},
    with,
};
use crate::support::{Call, Gateway, Reply, Upstream};

/// The limit is far from what checking takes, but tests run beside each other.
const ENOUGH: &str = "limits.cpu = \"900ms\"";

fn jwt(config: &str) -> String {
    with(
        "jwt",
        &format!("{ENOUGH}\n[plugins.it.config]\n{config}"),
        "upstream_headers = { x-user = \"${auth.principal}\" }",
    )
}

/// Takes tokens that are signed with [`SECRET`].
fn hs256(config: &str) -> String {
    jwt(&format!("keys = [{{ secret = \"{SECRET}\", algorithms = [\"HS256\"] }}]\n{config}"))
}

/// Takes the tokens of the vectors.
fn rs256_and_all_others() -> String {
    let vectors = vectors();
    let keys = [vectors["keys"].as_array().unwrap().as_slice(), vectors["secrets"].as_array().unwrap()].concat();
    jwt(&format!("audience = \"api\"\nissuer = \"https://issuer.example\"\njwks = '{}'", json!({ "keys": keys })))
}

/// Takes the tokens of the vectors that are not made with a secret.
fn pem() -> String {
    let vectors = vectors();
    let keys = ["rsa", "p256", "p384", "ed"].map(|kid| {
        let pem = vectors["pem"][kid].as_str().unwrap();
        format!("[[plugins.it.config.keys]]\nkid = \"{kid}\"\npublic_key = \"\"\"\n{pem}\"\"\"\n")
    });
    jwt(&format!("audience = \"*\"\n{}", keys.concat()))
}

fn bearer(gateway: &Gateway, token: &str) -> Call {
    gateway.get("/").header("authorization", &format!("Bearer {token}"))
}

fn assert_invalid(reply: &Reply, what: &str) {
    assert_eq!((reply.status, reply.json()["error"].as_str()), (401, Some("invalid_token")), "{what}");
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer realm=\"api\", error=\"invalid_token\", error_description=\""),
        "{challenge}"
    );
}

/// Every claim set is refused, though the token is signed as it should be.
async fn assert_refused(config: &str, refused: &[Value]) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&hs256(config), &upstream);
    for claims in refused {
        assert_invalid(&bearer(&gateway, &token(claims)).await, &claims.to_string());
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn tokens_of_every_algorithm_pass() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&rs256_and_all_others(), &upstream);
    for algorithm in ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"] {
        assert_eq!(bearer(&gateway, &fixed(algorithm)).await.status, 200, "{algorithm}");
        assert_eq!(upstream.last().header("x-user"), Some("alice"));
    }
    assert_eq!(gateway.calls("it"), 10);
}

#[tokio::test]
async fn public_keys_in_pem_are_as_good_as_a_key_set() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&pem(), &upstream);
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"] {
        assert_eq!(bearer(&gateway, &fixed(algorithm)).await.status, 200, "{algorithm}");
    }
    for algorithm in ["HS256", "HS384", "HS512"] {
        assert_invalid(&bearer(&gateway, &fixed(algorithm)).await, algorithm);
    }
}

#[tokio::test]
async fn a_token_that_no_key_has_signed_is_refused() {
    let upstream = Upstream::start();
    let gateways = [rs256_and_all_others(), pem()].map(|text| Gateway::start(&text, &upstream));
    for gateway in &gateways {
        for (forgery, token) in vectors()["forged"].as_object().unwrap() {
            assert_invalid(&bearer(gateway, token.as_str().unwrap()).await, forgery);
        }
        for algorithm in ["RS256", "PS256", "ES256", "ES384", "EdDSA"] {
            let (good, other) = (fixed(algorithm), fixed("RS512"));
            let (signed, signature) = good.rsplit_once('.').unwrap();
            for signature in
                ["", "AAAA", &signature[4..], &format!("AAAA{}", &signature[4..]), other.rsplit_once('.').unwrap().1]
            {
                assert_invalid(&bearer(gateway, &format!("{signed}.{signature}")).await, algorithm);
            }
        }
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let upstream = Upstream::start();
    let claims = json!({ "sub": "root", "aud": "api", "iss": "https://issuer.example", "exp": now() + 600 });
    let vectors = vectors();
    for text in [rs256_and_all_others(), pem()] {
        let gateway = Gateway::start(&text, &upstream);
        let pem = vectors["pem"]["rsa"].as_str().unwrap();
        for secret in [pem, pem.trim(), vectors["keys"][0]["n"].as_str().unwrap(), ""] {
            for header in [json!({ "alg": "HS256", "kid": "rsa" }), json!({ "alg": "HS256" })] {
                assert_invalid(&bearer(&gateway, &signed(&header, &claims, secret.as_bytes())).await, "HS256");
            }
        }
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn an_unsigned_token_is_refused_however_none_is_written() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&hs256(""), &upstream);
    let claims = json!({ "sub": "root", "exp": now() + 600 });
    for none in ["none", "None", "NONE", "nOnE", "", "hs256", "HS257"] {
        let header = json!({ "alg": none });
        assert_invalid(&bearer(&gateway, &(unsigned(&header, &claims) + ".")).await, none);
        assert_invalid(&bearer(&gateway, &signed(&header, &claims, SECRET.as_bytes())).await, none);
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn an_unknown_key_and_a_critical_extension_are_refused() {
    let upstream = Upstream::start();
    let key = format!("keys = [{{ kid = \"a\", secret = \"{SECRET}\", algorithms = [\"HS256\"] }}]");
    let gateway = Gateway::start(&jwt(&key), &upstream);
    let claims = json!({ "sub": "alice", "exp": now() + 600 });
    let ask = |header: Value| bearer(&gateway, &signed(&header, &claims, SECRET.as_bytes()));
    assert_eq!(ask(json!({ "alg": "HS256", "kid": "a" })).await.status, 200);
    assert_eq!(ask(json!({ "alg": "HS256" })).await.status, 200);
    let unknown = ask(json!({ "alg": "HS256", "kid": "b" })).await;
    assert_invalid(&unknown, "unknown");
    assert!(unknown.header("www-authenticate").unwrap().ends_with("error_description=\"the token's key is unknown\""));
    assert_invalid(&ask(json!({ "alg": "HS256", "kid": "a", "crit": ["exp"] })).await, "critical");
    assert_invalid(&ask(json!({ "alg": "HS256", "kid": 1 })).await, "no text");
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&hs256(""), &upstream);
    let good = token(&json!({ "sub": "alice", "exp": now() + 600 }));
    assert_eq!(bearer(&gateway, &good).await.status, 200);
    let long = "e30.".repeat(1000);
    for garbage in [
        "x",
        ".",
        "..",
        "...",
        "e30.e30.e30",
        "a.b.c",
        "\"",
        &long,
        &good[1..],
        &format!("{good}="),
        &format!("{good}.x"),
        &format!("{good} x"),
    ] {
        assert_invalid(&bearer(&gateway, garbage).await, garbage);
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_token_out_of_its_time_is_refused() {
    let now = now();
    let refused = [
        json!({ "exp": now - 60 }),
        json!({ "exp": 0 }),
        json!({ "exp": -1 }),
        json!({ "exp": now + 600, "nbf": now + 100 }),
        json!({ "exp": now + 600, "iat": now + 100 }),
        json!({ "exp": (now + 600).to_string() }),
        json!({ "exp": null }),
        json!({}),
    ];
    assert_refused("", &refused).await;
}

#[tokio::test]
async fn a_token_of_another_issuer_or_for_others_is_refused() {
    let exp = now() + 600;
    let refused = [
        json!({ "exp": exp, "iss": "https://issuer.example", "aud": "other" }),
        json!({ "exp": exp, "iss": "https://issuer.example", "aud": ["other", "Api"] }),
        json!({ "exp": exp, "iss": "https://issuer.example", "aud": { "api": 1 } }),
        json!({ "exp": exp, "iss": "https://issuer.example" }),
        json!({ "exp": exp, "iss": "https://issuer.example/", "aud": "api" }),
        json!({ "exp": exp, "iss": ["https://issuer.example"], "aud": "api" }),
        json!({ "exp": exp, "aud": "api" }),
    ];
    assert_refused("issuer = \"https://issuer.example\"\naudience = \"api\"", &refused).await;
    assert_refused("", &[json!({ "exp": exp, "aud": "api" })]).await;
}

#[tokio::test]
async fn a_missing_token_is_challenged_without_an_error() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&hs256("realm = \"pets\""), &upstream);
    for call in
        [gateway.get("/"), gateway.get("/?access_token=x"), gateway.get("/").header("authorization", "Basic eA==")]
    {
        let reply = call.await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (401, Some("missing_token")));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"pets\""));
    }
}

#[tokio::test]
async fn a_missing_scope_is_403_insufficient_scope() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&hs256("scopes = [\"pets:read\", \"pets:write\"]"), &upstream);
    let exp = now() + 600;
    for granted in [json!("pets:write x pets:read"), json!(["pets:read", "pets:write"])] {
        let (scope, scp) = (json!({ "exp": exp, "scope": granted }), json!({ "exp": exp, "scp": granted }));
        assert_eq!(bearer(&gateway, &token(&scope)).await.status, 200);
        assert_eq!(bearer(&gateway, &token(&scp)).await.status, 200);
    }
    for lacking in [json!("pets:read"), json!("pets:read pets:writer"), json!(["pets:read pets:write"]), json!(null)] {
        let reply = bearer(&gateway, &token(&json!({ "exp": exp, "scope": lacking }))).await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (403, Some("insufficient_scope")), "{lacking}");
        let challenge = "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"pets:read pets:write\"";
        assert_eq!(reply.header("www-authenticate"), Some(challenge));
    }
}

#[tokio::test]
async fn claims_reach_the_upstream_as_attributes() {
    let upstream = Upstream::start();
    let config =
        "principal = \"email\"\nattributes = { plan = \"/tenant/plan\", tenant = \"/tenant/id\", none = \"none\" }";
    let headers = "x-user = \"${auth.principal}\", x-plan = \"${auth.plan}\", x-tenant = \"${auth.tenant}\", x-none = \"${auth.none}\"";
    let gateway = Gateway::start(&hs256(config).replace("x-user = \"${auth.principal}\"", headers), &upstream);
    let claims =
        json!({ "exp": now() + 600, "sub": "1", "email": "a@example.com", "tenant": { "id": 7, "plan": "gold" } });
    let forged = bearer(&gateway, &token(&claims)).header("x-none", "root").header("x-tenant", "8");
    assert_eq!(forged.await.status, 200);
    let seen = upstream.last();
    let told = ["x-user", "x-plan", "x-tenant", "x-none"].map(|name| seen.header(name));
    assert_eq!(told, [Some("a@example.com"), Some("gold"), Some("7"), None]);
}

#[tokio::test]
async fn a_token_is_found_where_it_is_looked_for_and_not_forwarded_unless_it_may() {
    let upstream = Upstream::start();
    let config = "forward = false\nin = [\"header:x-token\", \"cookie:session\", \"query:token\"]";
    let gateway = Gateway::start(&hs256(config), &upstream);
    let token = token(&json!({ "sub": "alice", "exp": now() + 600 }));
    assert_eq!(gateway.get("/").header("x-token", &token).await.status, 200);
    assert_eq!((upstream.last().header("x-token"), upstream.last().header("x-user")), (None, Some("alice")));
    assert_eq!(gateway.get("/").header("cookie", &format!("a=b; session={token}")).await.status, 200);
    assert_eq!(gateway.get(&format!("/?token={token}")).await.status, 200);
    assert_eq!(bearer(&gateway, &token).await.status, 401);
}

#[tokio::test]
async fn a_kept_verdict_does_not_outlive_the_token() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&hs256(""), &upstream);
    let token = token(&json!({ "sub": "alice", "exp": now() + 100 }));
    // The cache's clock stands still and the plugin's goes on: of the hundred seconds some may be over.
    for (seconds, counted) in [(0, (0, 1)), (0, (1, 1)), (60, (2, 1)), (40, (2, 2))] {
        gateway.pass(seconds);
        assert_eq!(bearer(&gateway, &token).await.status, 200);
        assert_eq!(hits_and_misses(&gateway), counted, "after {seconds} more");
    }
}

#[tokio::test]
async fn a_token_that_holds_by_the_leeway_only_is_checked_every_time() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&hs256("leeway = 600"), &upstream);
    let token = token(&json!({ "sub": "alice", "exp": now() - 10 }));
    for misses in 1..=3 {
        assert_eq!(bearer(&gateway, &token).await.status, 200);
        assert_eq!(hits_and_misses(&gateway), (0, misses));
    }
}

#[tokio::test]
async fn that_a_token_does_not_hold_yet_is_kept_only_until_it_does() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&hs256("leeway = 0"), &upstream);
    let token = token(&json!({ "exp": now() + 600, "nbf": now() + 50 }));
    for (seconds, counted) in [(0, (0, 1)), (0, (1, 1)), (50, (1, 2))] {
        gateway.pass(seconds);
        assert_invalid(&bearer(&gateway, &token).await, "early");
        assert_eq!(hits_and_misses(&gateway), counted, "after {seconds} more");
    }
}

#[tokio::test]
async fn a_token_without_an_end_is_kept_like_any_verdict() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&hs256("required_claims = [\"sub\"]"), &upstream);
    let token = token(&json!({ "sub": "alice" }));
    for (seconds, counted) in [(0, (0, 1)), (299, (1, 1)), (1, (1, 2))] {
        gateway.pass(seconds);
        assert_eq!(bearer(&gateway, &token).await.status, 200);
        assert_eq!(hits_and_misses(&gateway), counted, "after {seconds} more");
    }
}
