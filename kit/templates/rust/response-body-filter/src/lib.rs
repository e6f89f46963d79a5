//! Takes the field `password` out of JSON answers.

use gatehouse_plugin::{prelude::*, serde_json};

#[derive(Deserialize)]
struct NoPasswords {}

impl ResponseBodyFilter for NoPasswords {
    fn response_body_limit(&self, _request: &Request, response: &Response) -> Option<u64> {
        (response.header("content-type")? == "application/json").then_some(65536)
    }

    fn on_response_body(&self, _request: &Request, _response: &Response, body: Vec<u8>) -> Result<ResponseBodyAction> {
        let mut answer: serde_json::Map<_, _> = serde_json::from_slice(&body)?;
        match answer.remove("password") {
            Some(_) => ResponseEdit::new().body(serde_json::to_vec(&answer)?).into(),
            None => Ok(ResponseBodyAction::Unchanged),
        }
    }
}

export!(NoPasswords: response_body_filter);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::test::{Exchange, start};

    use super::*;

    #[test]
    fn the_password_goes() {
        let plugin: NoPasswords = start(json!({})).unwrap();
        let exchange = Exchange::get("/me").response_header("content-type", "application/json");
        let changed = exchange.on_response_body(&plugin, br#"{"name":"alice","password":"secret"}"#);
        assert_eq!(changed, ResponseEdit::new().body(r#"{"name":"alice"}"#).into());
        assert_eq!(exchange.on_response_body(&plugin, b"{}"), Ok(ResponseBodyAction::Unchanged));
    }
}
