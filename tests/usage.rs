//! Usage plans and API keys: who passes, what a plan allows each of its keys, and who gets to know of a key.

mod keys;
mod plans;

use crate::support::{Gateway, Reply, Upstream};

/// Values of keys, with their digests as sha256sum says them.
pub(crate) const ALICE: (&str, &str) =
    ("alice-2026-0123456789", "20f2bd2ea01542c6592faf83b6412e34b32b540762c3526640a4f2f4889bc956");
pub(crate) const BOB: (&str, &str) =
    ("bob-2026-0123456789", "1a4f1d633d30678bd1bc53a1048f89122e62361bd1f3d286a7bffa8c27b5433f");
pub(crate) const CAROL: (&str, &str) =
    ("carol-2026-0123456789", "1abbb4374ce97277c3653e3a44a533260442d02dcc2746a48d8a3109fc92ff98");

/// A plan `gold` of these keys, with `alice` and `bob`, and one route that asks for a key.
fn text(plan: &str, more: &str) -> String {
    format!(
        "[usage_plans.gold]\n{plan}\n[api_keys.alice]\nsha256 = \"{}\"\nplan = \"gold\"\n\
        [api_keys.bob]\nsha256 = \"{}\"\nplan = \"gold\"\n\
        [routes.r]\npath = \"/{{rest+}}\"\nupstream = \"up\"\napi_key = \"required\"\n{more}",
        ALICE.1, BOB.1
    )
}

fn gateway(plan: &str, more: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(&text(plan, more), upstream)
}

async fn with(gateway: &Gateway, path: &str, key: &str) -> Reply {
    gateway.get(path).header("x-api-key", key).await
}

fn outcome(reply: &Reply) -> (u16, String) {
    let code = if reply.status == 200 { String::new() } else { reply.json()["code"].as_str().unwrap().to_owned() };
    (reply.status, code)
}
