//! Refuses bodies that are not JSON.

use gatehouse_plugin::{prelude::*, serde_json};
use serde::de::IgnoredAny;

#[derive(Deserialize)]
struct OnlyJson {}

impl RequestBodyFilter for OnlyJson {
    fn request_body_limit(&self, request: &Request) -> Option<u64> {
        (request.header("content-type")? == "application/json").then_some(65536)
    }

    fn on_request_body(&self, _request: &Request, body: Vec<u8>) -> Result<RequestBodyAction> {
        match serde_json::from_slice::<IgnoredAny>(&body) {
            Ok(_) => Ok(RequestBodyAction::Unchanged),
            Err(_) => Reply::new(400).json(json!({ "error": "the body is no JSON" })).into(),
        }
    }
}

export!(OnlyJson: request_body_filter);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::test::{Exchange, start};

    use super::*;

    #[test]
    fn what_is_not_json_is_refused() {
        let filter: OnlyJson = start(json!({})).unwrap();
        let exchange = Exchange::post("/pets").header("content-type", "application/json");
        assert_eq!(exchange.run(|request| filter.request_body_limit(request)), Some(65536));
        assert_eq!(exchange.on_request_body(&filter, b"{}"), Ok(RequestBodyAction::Unchanged));
        assert!(exchange.on_request_body(&filter, b"{").is_ok_and(|action| action != RequestBodyAction::Unchanged));
    }

    #[test]
    fn other_bodies_are_not_looked_at() {
        let filter: OnlyJson = start(json!({})).unwrap();
        assert_eq!(Exchange::post("/pets").run(|request| filter.request_body_limit(request)), None);
    }
}
