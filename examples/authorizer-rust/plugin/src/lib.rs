//! Lets callers with a known key pass, and tells the upstream the title from their profile.

use std::collections::BTreeMap;

use gatehouse_plugin::{http, prelude::*, serde_json};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The plugin is its configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Callers by their keys.
    keys: BTreeMap<String, Caller>,
    /// URL below which the profiles are.
    profiles: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Caller {
    name: String,
    plan: String,
}

impl Authorizer for Keys {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        let Some(key) = request.header("x-api-key") else { return Ok(Verdict::Abstain) };
        match self.keys.get(&key) {
            Some(Caller { name, plan }) => Verdict::allow(name).attribute("plan", plan).into(),
            None => Verdict::deny(403).json(json!({ "error": "unknown key" })).into(),
        }
    }
}

impl RequestFilter for Keys {
    fn on_request(&self, request: &Request) -> Result<RequestAction> {
        let (Some(profiles), Some(principal)) = (&self.profiles, request.attribute("auth.principal")) else {
            return Ok(RequestAction::Unchanged);
        };
        match title(profiles, &principal) {
            Ok(title) => RequestEdit::new().set_header("x-profile", title).into(),
            Err(error) => {
                warn!("no profile of {principal}: {}", error.text());
                Ok(RequestAction::Unchanged)
            }
        }
    }
}

fn title(profiles: &str, principal: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Profile {
        title: String,
    }

    let answer = http::get(&format!("{profiles}/{}", utf8_percent_encode(principal, NON_ALPHANUMERIC)))?;
    if answer.status != 200 {
        return Err(format!("the answer is {}", answer.status).into());
    }
    Ok(serde_json::from_slice::<Profile>(&answer.body)?.title)
}

export!(Keys: authorizer, request_filter);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::test::{Exchange, Gateway, start};

    use super::*;

    fn keys() -> Keys {
        let keys = json!({ "k1": { "name": "alice", "plan": "gold" } });
        start(json!({ "keys": keys, "profiles": "http://profiles.example" })).unwrap()
    }

    #[test]
    fn a_known_key_passes_and_tells_the_plan() {
        let exchange = Exchange::get("/orders/1").header("x-api-key", "k1");
        assert_eq!(exchange.authorize(&keys()), Verdict::allow("alice").attribute("plan", "gold").into());
        assert_eq!(exchange.reads(), ["header:x-api-key"]);
    }

    #[test]
    fn an_unknown_key_is_refused_and_no_key_is_left_to_others() {
        let denied = Exchange::get("/").header("x-api-key", "k2").authorize(&keys());
        assert_eq!(denied, Verdict::deny(403).json(json!({ "error": "unknown key" })).into());
        assert_eq!(Exchange::get("/").authorize(&keys()), Ok(Verdict::Abstain));
    }

    #[test]
    fn the_title_of_the_profile_goes_upstream() {
        let gateway = Gateway::new().server(|_| Ok(http::Response::new(200, r#"{"title": "keeper"}"#)));
        let exchange = Exchange::get("/").attribute("auth.principal", "a/b").within(&gateway);
        assert_eq!(exchange.on_request(&keys()), RequestEdit::new().set_header("x-profile", "keeper").into());
        assert_eq!(gateway.sent()[0].url, "http://profiles.example/a%2Fb");
    }

    #[test]
    fn without_a_profile_the_request_goes_on_and_the_log_says_why() {
        let gateway = Gateway::new().server(|_| Ok(http::Response::new(404, "")));
        let exchange = Exchange::get("/").attribute("auth.principal", "alice").within(&gateway);
        assert_eq!(exchange.on_request(&keys()), Ok(RequestAction::Unchanged));
        assert_eq!(gateway.log()[0].1, "no profile of alice: the answer is 404");
    }
}
