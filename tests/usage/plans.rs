//! What a plan allows.

use std::time::Duration;

use super::{ALICE, BOB, CAROL, gateway, outcome, text, with};
use crate::support::{
    Process, Upstream,
    raw::{ask, get},
};

const MORE: &str = "[routes.orders]\npath = \"/orders\"\nupstream = \"up\"\napi_key = \"required\"\n\
    [routes.free]\npath = \"/free\"\nupstream = \"up\"\n";

#[tokio::test]
async fn each_key_has_its_own_rate_and_its_own_quota() {
    let upstream = Upstream::start();
    let plan = "rate = \"1/s\"\nburst = 2\nquota = { requests = 3, per = \"month\" }";
    let gateway = gateway(plan, MORE, &upstream);
    let first = with(&gateway, "/a", ALICE.0).await;
    let values = |name| first.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(values("ratelimit"), ["\"gold\";r=1;t=1", "\"gold/quota\";r=2;t=2678400"]);
    assert_eq!(values("ratelimit-policy"), ["\"gold\";q=2;w=2", "\"gold/quota\";q=3;w=2678400"]);
    // All routes of the plan together.
    assert_eq!(with(&gateway, "/orders", ALICE.0).await.status, 200);
    let fast = with(&gateway, "/a", ALICE.0).await;
    assert_eq!((outcome(&fast), fast.header("retry-after")), ((429, "rate_limited".to_owned()), Some("1")));
    gateway.pass(5);
    assert_eq!(with(&gateway, "/a", ALICE.0).await.status, 200, "what the rate refused cost nothing of the quota");
    let used_up = with(&gateway, "/a", ALICE.0).await;
    let wait = (31 * 86_400 - 5).to_string();
    assert_eq!((outcome(&used_up), used_up.header("retry-after")), ((429, "quota_exceeded".to_owned()), Some(&*wait)));
    assert_eq!(with(&gateway, "/a", BOB.0).await.status, 200);
    assert_eq!(gateway.get("/free").await.status, 200);
    let counted =
        |result| gateway.metric(&format!("gatehouse_usage_plan_requests_total{{plan=\"gold\",result=\"{result}\"}}"));
    assert_eq!((counted("passed"), counted("refused")), (4, 2));
    assert_eq!(gateway.metric("gatehouse_quota_exceeded_total{quota=\"gold/quota\"}"), 1);
    gateway.pass(31 * 86_400);
    assert_eq!(with(&gateway, "/a", ALICE.0).await.status, 200);
}

#[tokio::test]
async fn a_plan_is_for_its_routes_and_a_route_may_have_its_own_rate() {
    let upstream = Upstream::start();
    let plan = "rate = \"3/h\"\nroutes = [\"r\", \"orders\"]\nroute_rates.orders = { rate = \"1/h\" }";
    let silver = format!(
        "[usage_plans.silver]\nroutes = [\"orders\"]\n[api_keys.carol]\nsha256 = \"{}\"\nplan = \"silver\"\n",
        CAROL.1
    );
    let gateway = gateway(plan, &format!("{MORE}{silver}"), &upstream);
    let statuses = [
        with(&gateway, "/orders", ALICE.0).await.status,
        with(&gateway, "/orders", ALICE.0).await.status,
        with(&gateway, "/orders", BOB.0).await.status,
        with(&gateway, "/a", ALICE.0).await.status,
        with(&gateway, "/a", ALICE.0).await.status,
        with(&gateway, "/a", ALICE.0).await.status,
        with(&gateway, "/a", ALICE.0).await.status,
    ];
    assert_eq!(statuses, [200, 429, 200, 200, 200, 200, 429]);
    assert_eq!(with(&gateway, "/orders", CAROL.0).await.status, 200);
    assert_eq!(outcome(&with(&gateway, "/a", CAROL.0).await), (403, "api_key_invalid".to_owned()));
}

#[tokio::test]
async fn a_limit_may_be_by_the_key_and_one_by_address_counts_who_has_none() {
    let upstream = Upstream::start();
    let more = "rate_limits = [\"address\", \"key\"]\n[rate_limits.address]\nrate = \"6/h\"\nkey = \"${request.client-ip}\"\n\
        [rate_limits.key]\nrate = \"1/h\"\nkey = \"${api_key.name}\"\n";
    let gateway = gateway("", more, &upstream);
    let mut statuses = Vec::new();
    for key in [ALICE.0, ALICE.0, BOB.0, "guess", "guess", "guess", "guess", BOB.0] {
        statuses.push(with(&gateway, "/a", key).await.status);
    }
    assert_eq!(statuses, [200, 429, 200, 403, 403, 403, 429, 429]);
}

#[tokio::test]
async fn a_reload_goes_on_counting_whatever_else_of_the_plan_changes() {
    let upstream = Upstream::start();
    let plan = |quota, rate| format!("rate = \"{rate}/h\"\nquota = {{ requests = {quota}, per = \"day\" }}");
    let gateway = gateway(&plan(2, 5), "", &upstream);
    for status in [200, 200, 429] {
        assert_eq!(with(&gateway, "/a", ALICE.0).await.status, status);
    }
    gateway.reload(&text(&plan(3, 5), MORE), &upstream).unwrap();
    for code in ["", "quota_exceeded"] {
        assert_eq!(outcome(&with(&gateway, "/a", ALICE.0).await).1, code);
    }
    // Five of five an hour are gone, those that the quota refused included.
    gateway.reload(&text(&plan(100, 5), MORE), &upstream).unwrap();
    assert_eq!(outcome(&with(&gateway, "/a", ALICE.0).await).1, "rate_limited");
    gateway.clock.advance(Duration::from_secs(720));
    assert_eq!(with(&gateway, "/a", ALICE.0).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_address_tells_what_each_key_has_used() {
    let upstream = Upstream::start();
    let admin = "[admin]\naddress = \"127.0.0.1:0\"\n";
    let process = Process::start(&text("quota = { requests = 5, per = \"month\" }", admin), &upstream);
    for _ in 0..2 {
        assert_eq!(process.get("/a").header("x-api-key", ALICE.0).await.status, 200);
    }
    let tell = |path: &str| ask(process.admin(), get(path, "connection: close\r\n"));
    let plans: serde_json::Value = serde_json::from_str(&tell("/usage").text()).unwrap();
    assert_eq!((&plans["plans"][0]["plan"], &plans["plans"][0]["keys"]), (&"gold".into(), &2.into()));
    let gold: serde_json::Value = serde_json::from_str(&tell("/usage/gold").text()).unwrap();
    assert_eq!(gold["keys"], serde_json::json!({ "alice": { "used": 2, "remaining": 3 } }));
    assert_eq!((&gold["quota"]["requests"], &gold["quota"]["per"]), (&5.into(), &"month".into()));
    assert_eq!(tell("/usage/silver").status(), 404);
}
