//! What one caller may get is not what another gets.

use super::{MISS, counting, get, told};
use crate::support::{Call, Gateway, Upstream};

const KEYS: &str = "[plugins.api-key]\ncomponent = \"{guests}/api-key.wasm\"\n[plugins.api-key.config]\nin = [\"header:x-api-key\"]\n\
    [[plugins.api-key.config.keys]]\nid = \"a\"\nhash = \"sha256:6e5d35a55b80d29164c5e6576b4dbe50836237a17b5b4af841b091e25f6132b4\"\nprincipal = \"alice\"\n\
    [[plugins.api-key.config.keys]]\nid = \"b\"\nhash = \"sha256:e333787ace7ad5caeecbf0a3e6fe4fab78f03d12a1e10ca304a70bcb0591d23e\"\nprincipal = \"bob\"\n";

/// A route with an authorizer, and a cache with more keys.
fn text(cache: &str) -> String {
    format!(
        "{KEYS}[caches.c]\nttl = \"60s\"\n[routes.r]\nupstream = \"up\"\nplugins = [\"api-key\"]\n[routes.r.cache]\nname = \"c\"\n{cache}\n"
    )
}

fn ask(gateway: &Gateway, key: &str) -> Call {
    gateway.get("/a").header("x-api-key", key)
}

#[tokio::test]
async fn a_route_with_an_authorizer_needs_a_word_about_who_shares_its_answers() {
    let upstream = Upstream::start();
    let problems = Gateway::try_start(&text(""), &upstream).err().unwrap();
    let expected = "an authorizer decides who gets these answers, and all callers would share them";
    assert!(problems.contains(expected) && problems.contains("shared = true"), "{problems}");
    // A key that says nothing of the caller is none.
    let problems = Gateway::try_start(&text("key = [\"header:accept\"]"), &upstream).err().unwrap();
    assert!(problems.contains(expected), "{problems}");
    // Nor does a reload bring one in.
    let gateway = Gateway::start(&text("shared = true"), &upstream);
    assert!(gateway.reload(&text(""), &upstream).unwrap_err().to_string().contains(expected));
}

#[tokio::test]
async fn callers_that_are_in_the_key_have_answers_of_their_own_and_every_request_is_authorized() {
    let upstream = counting();
    let gateway = Gateway::start(&text("key = [\"${auth.principal}\"]"), &upstream);
    let (alice, bob) = ("demo-alice-key", "demo-bob-key");
    assert_eq!(told(&ask(&gateway, alice).await), (200, "1", MISS));
    assert_eq!(told(&ask(&gateway, bob).await), (200, "2", MISS));
    assert_eq!(told(&ask(&gateway, alice).await), (200, "1", "hit; ttl=60"));
    assert_eq!(told(&ask(&gateway, bob).await), (200, "2", "hit; ttl=60"));
    let refused = ask(&gateway, "mallory").await;
    assert!([401, 403].contains(&refused.status) && refused.header("cache-status").is_none());
    // What they have is theirs even where it is private to one of them by the cookie that comes along.
    assert_eq!(told(&ask(&gateway, alice).header("cookie", "sid=1").await), (200, "1", "hit; ttl=60"));
    assert_eq!(get(&gateway, "/p", "").await.status, 401);
}

#[tokio::test]
async fn what_is_shared_by_word_is_served_to_all_who_are_authorized() {
    let upstream = counting();
    let gateway = Gateway::start(&text("shared = true"), &upstream);
    assert_eq!(told(&ask(&gateway, "demo-alice-key").await), (200, "1", MISS));
    assert_eq!(told(&ask(&gateway, "demo-bob-key").await), (200, "1", "hit; ttl=60"));
    assert_eq!(ask(&gateway, "mallory").await.status, 401);
    // `private` is the upstream's word, and holds all the same.
    for number in ["2", "3"] {
        let call = gateway.get("/b").header("x-api-key", "demo-alice-key");
        assert_eq!(call.header("x-answer", "cache-control=private, max-age=60").await.text(), number);
    }
}

#[tokio::test]
async fn a_caller_without_the_attribute_of_the_key_is_served_from_nothing() {
    let upstream = counting();
    let gateway = Gateway::start(&text("key = [\"${auth.tenant}\"]"), &upstream);
    for number in ["1", "2"] {
        assert_eq!(told(&ask(&gateway, "demo-alice-key").await), (200, number, "fwd=bypass"));
    }
}

#[tokio::test]
async fn credentials_that_are_not_in_the_key_are_answered_from_what_is_for_everybody_only() {
    let upstream = counting();
    let text = "[caches.c]\nttl = \"60s\"\n[routes.r]\nupstream = \"up\"\ncache = \"c\"\n";
    let gateway = Gateway::start(text, &upstream);
    for (path, name) in [("/a", "authorization"), ("/b", "cookie")] {
        let ask =
            |value: &str, answer: &str| gateway.get(path).header(name, value).header("x-answer", answer).into_future();
        let numbers = [ask("u=1", "").await.body, ask("u=1", "").await.body, get(&gateway, path, "").await.body];
        assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2], "{name}");
        // One is kept for those without, and is none of theirs.
        assert_eq!(gateway.get(path).await.body, numbers[2]);
        assert_ne!(ask("u=1", "").await.body, numbers[2]);
        // What says that it is for everybody is.
        let public = ask("u=1", "cache-control=public, max-age=30").await.body;
        assert_eq!(ask("u=2", "").await.body, public, "{name}");
        assert_eq!(gateway.get(path).await.body, public, "{name}");
    }
    let keyed = text.replace("ttl = \"60s\"", "ttl = \"60s\"\nkey = [\"header:authorization\", \"cookie:u\"]");
    let gateway = Gateway::start(&keyed, &upstream);
    let ask = |user: &str| {
        gateway.get("/c").header("authorization", user).header("cookie", &format!("u={user}")).into_future()
    };
    let (one, other) = (ask("1").await.body, ask("2").await.body);
    assert_ne!(one, other);
    assert_eq!([ask("1").await.body, ask("2").await.body], [one, other]);
}

#[tokio::test]
async fn what_tells_the_upstream_who_asks_is_in_the_key_or_shared_by_word() {
    let upstream = Upstream::start();
    let route = "upstream = \"up\"\nupstream_headers = { x-from = \"${request.client-ip}\" }\n";
    let text = |more: &str| format!("[caches.c]\nttl = \"60s\"\n{more}\n[routes.r]\n{route}cache = \"c\"\n");
    let problems = Gateway::try_start(&text(""), &upstream).err().unwrap();
    assert!(
        problems.contains("`x-from` tells the upstream `request.client-ip`, which is not in the key"),
        "{problems}"
    );
    assert!(problems.contains("gatehouse.toml:7:9"), "{problems}");
    for more in ["key = [\"${request.client-ip}\"]", "shared = true"] {
        let gateway = Gateway::start(&text(more), &upstream);
        gateway.get("/").await;
        assert_eq!(told(&gateway.get("/").await).2, "hit; ttl=60");
    }
    // What an answer varies by is not what the route tells of the caller.
    let upstream = counting();
    let gateway = Gateway::start(&text("shared = true"), &upstream);
    for _ in 0..2 {
        assert_eq!(told(&get(&gateway, "/", "vary=x-from").await).2, MISS);
    }
}
