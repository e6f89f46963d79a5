//! Rate limits: how many pass exactly, what tells buckets apart, and what the client is told.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::support::{Gateway, Reply, Upstream};

const MILLISECONDS: fn(u64) -> Duration = Duration::from_millis;

/// A gateway with a limit `l` of these keys on every route of this text.
fn gateway(limit: &str, more: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(&text(limit, more), upstream)
}

fn text(limit: &str, more: &str) -> String {
    format!("[rate_limits.l]\n{limit}\n[routes.r]\nupstream = \"up\"\nrate_limits = [\"l\"]\n{more}")
}

/// The status and `remaining` of a request that says where it comes from.
async fn from(gateway: &Gateway, client: &str) -> u16 {
    gateway.get("/").header("x-forwarded-for", client).await.status
}

fn told(reply: &Reply) -> (u16, &str, &str, Option<&str>) {
    let header = |name| reply.header(name).unwrap_or_default();
    (reply.status, header("ratelimit"), header("ratelimit-policy"), reply.header("retry-after"))
}

#[tokio::test]
async fn a_bucket_empties_and_fills_exactly_and_the_client_is_told() {
    let upstream = Upstream::start();
    let gateway = gateway("rate = \"10/s\"\nburst = 3", "", &upstream);
    let policy = "\"l\";q=3;w=1";
    for remaining in [2, 1, 0] {
        let reply = gateway.get("/").await;
        assert_eq!(told(&reply), (200, &*format!("\"l\";r={remaining};t=1"), policy, None));
    }
    let reply = gateway.get("/").await;
    assert_eq!(told(&reply), (429, "\"l\";r=0;t=1", policy, Some("1")));
    let body = reply.json();
    assert_eq!(
        (body["code"].as_str(), body["message"].as_str().map(|text| text.contains("1 s"))),
        (Some("rate_limited"), Some(true))
    );
    // A token each 100 ms, no earlier.
    gateway.clock.advance(MILLISECONDS(99));
    assert_eq!(gateway.get("/").await.status, 429);
    gateway.clock.advance(MILLISECONDS(1));
    assert_eq!([gateway.get("/").await.status, gateway.get("/").await.status], [200, 429]);
    // Refusals cost nothing, and more than full it never is.
    gateway.clock.advance(Duration::from_secs(3600));
    let mut passed = 0;
    for _ in 0..10 {
        passed += u32::from(gateway.get("/").await.status == 200);
    }
    assert_eq!(passed, 3);
    assert_eq!(gateway.metric("gatehouse_rate_limited_total{limit=\"l\"}"), 10);
    assert_eq!(upstream.seen().len(), 7);
}

#[tokio::test]
async fn slow_rates_say_how_long_to_wait() {
    let upstream = Upstream::start();
    let gateway = gateway("rate = \"2/h\"", "", &upstream);
    assert_eq!(told(&gateway.get("/").await), (200, "\"l\";r=1;t=1800", "\"l\";q=2;w=3600", None));
    gateway.get("/").await;
    gateway.clock.advance(Duration::from_secs(800));
    assert_eq!(told(&gateway.get("/").await), (429, "\"l\";r=0;t=1000", "\"l\";q=2;w=3600", Some("1000")));
}

#[tokio::test]
async fn of_requests_at_once_exactly_the_burst_passes_whichever_worker_takes_them() {
    let upstream = Upstream::start();
    let more = "[server]\nworkers = 4\n";
    let gateway = gateway("rate = \"1/h\"\nburst = 30", more, &upstream);
    let mut asked = tokio::task::JoinSet::new();
    (0..200).for_each(|_| drop(asked.spawn(gateway.get("/").into_future())));
    let answers = asked.join_all().await;
    assert_eq!(answers.iter().filter(|reply| reply.status == 200).count(), 30);
    assert_eq!(upstream.seen().len(), 30);
}

#[tokio::test]
async fn clients_are_told_apart_by_address_and_a_network_of_ipv6_is_one() {
    let upstream = Upstream::start();
    let more = "[server]\nworkers = 1\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let gateway = gateway("rate = \"1/h\"\nkey = \"${request.client-ip}\"", more, &upstream);
    for (client, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.1", 429),
        ("192.0.2.2", 200),
        ("2001:db8::1", 200),
        ("2001:db8::ffff:2", 429),
        ("2001:db8:0:1::1", 200),
    ] {
        assert_eq!(from(&gateway, client).await, status, "{client}");
    }
}

#[tokio::test]
async fn a_limit_of_several_routes_counts_them_together_unless_its_key_names_the_route() {
    let upstream = Upstream::start();
    let more = "[routes.s]\npath = \"/s/{id}\"\nupstream = \"up\"\nrate_limits = [\"l\"]\n[routes.free]\npath = \"/free\"\nupstream = \"up\"\n";
    let together = gateway("rate = \"1/h\"", more, &upstream);
    assert_eq!([together.get("/").await.status, together.get("/s/1").await.status], [200, 429]);
    let free = together.get("/free").await;
    assert_eq!(told(&free), (200, "", "", None));
    let apart = gateway("rate = \"1/h\"\nkey = \"${request.route}\"", more, &upstream);
    let statuses = [apart.get("/").await.status, apart.get("/s/1").await.status, apart.get("/s/2").await.status];
    assert_eq!(statuses, [200, 200, 429]);
}

#[tokio::test]
async fn every_limit_of_a_route_has_to_allow() {
    let upstream = Upstream::start();
    let text = "[rate_limits.short]\nrate = \"2/s\"\n[rate_limits.long]\nrate = \"3/h\"\n\
        [routes.r]\nupstream = \"up\"\nrate_limits = [\"short\", \"long\"]\n";
    let gateway = Gateway::start(text, &upstream);
    let reply = gateway.get("/").await;
    let values = |name| reply.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(values("ratelimit"), ["\"short\";r=1;t=1", "\"long\";r=2;t=1200"]);
    assert_eq!(values("ratelimit-policy"), ["\"short\";q=2;w=1", "\"long\";q=3;w=3600"]);
    let statuses = [gateway.get("/").await.status, gateway.get("/").await.status];
    assert_eq!(statuses, [200, 429]);
    gateway.clock.advance(Duration::from_secs(1));
    let statuses = [gateway.get("/").await.status, gateway.get("/").await.status];
    assert_eq!(statuses, [200, 429]);
}

#[tokio::test]
async fn a_limit_by_who_it_is_comes_after_the_authorizer_and_one_by_address_before() {
    let upstream = Upstream::start();
    let plugin = "[plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\ncache = { ttl = \"0s\" }\n\
        config.authorize = { verdict_header = \"x-verdict\", principal = \"alice\" }\n";
    let more = format!("plugins = [\"probe\"]\n{plugin}");
    let after = gateway("rate = \"1/h\"\nkey = \"${auth.principal}\"", &more, &upstream);
    // Who is denied is not counted.
    let mut statuses = Vec::new();
    for verdict in ["deny", "allow", "allow", "deny"] {
        statuses.push(after.get("/").header("x-verdict", verdict).await.status);
    }
    assert_eq!(statuses, [403, 200, 429, 403]);
    let before = gateway("rate = \"1/h\"\nkey = \"${request.client-ip}\"", &more, &upstream);
    assert_eq!(before.get("/").header("x-verdict", "deny").await.status, 403);
    // Nobody is asked any more who would deny.
    assert_eq!(before.get("/").header("x-verdict", "deny").await.status, 429);
}

#[tokio::test]
async fn who_lacks_what_the_key_names_is_counted_with_all_that_do() {
    let upstream = Upstream::start();
    let plugin = "[plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\n";
    let more = format!("plugins = [\"probe\"]\n{plugin}");
    let gateway = gateway("rate = \"1/h\"\nkey = \"${auth.nobody-sets-it}\"", &more, &upstream);
    assert_eq!([gateway.get("/").await.status, gateway.get("/").await.status], [200, 429]);
}

#[tokio::test]
async fn a_reload_goes_on_counting_what_has_not_changed() {
    let upstream = Upstream::start();
    let gateway = gateway("rate = \"1/h\"", "", &upstream);
    assert_eq!(gateway.get("/").await.status, 200);
    gateway.reload(&text("rate = \"1/h\"", "[routes.new]\npath = \"/new\"\nupstream = \"up\"\n"), &upstream).unwrap();
    assert_eq!([gateway.get("/").await.status, gateway.get("/new").await.status], [429, 200]);
    gateway.reload(&text("rate = \"2/h\"", ""), &upstream).unwrap();
    assert_eq!(gateway.get("/").await.status, 200);
}

#[tokio::test]
async fn what_an_upstream_says_of_its_own_limits_is_kept() {
    let upstream = Upstream::answering(|_| {
        Response::builder().header("ratelimit", "\"up\";r=5;t=1").body(Full::new(Bytes::new())).unwrap()
    });
    let gateway = gateway("rate = \"2/h\"", "", &upstream);
    let reply = gateway.get("/").await;
    let values: Vec<_> = reply.headers.get_all("ratelimit").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(values, ["\"up\";r=5;t=1", "\"l\";r=1;t=1800"]);
}

#[tokio::test]
async fn many_keys_take_no_more_room_than_is_given() {
    let upstream = Upstream::start();
    let more = "[server]\nworkers = 1\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let gateway = gateway("rate = \"1/h\"\nkey = \"${request.client-ip}\"\nentries = 10", more, &upstream);
    for number in 0..2000 {
        assert_eq!(from(&gateway, &format!("10.0.{}.{}", number / 250, number % 250)).await, 200);
    }
}
