//! Tells the upstream who has asked.

use gatehouse_plugin::prelude::*;

#[derive(Deserialize)]
struct Caller {}

impl RequestFilter for Caller {
    fn on_request(&self, request: &Request) -> Result<RequestAction> {
        RequestEdit::new().set_header("x-caller", request.client_ip()).into()
    }
}

export!(Caller: request_filter);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::test::{Exchange, start};

    use super::*;

    #[test]
    fn the_upstream_is_told_who_asks() {
        let caller: Caller = start(json!({})).unwrap();
        let exchange = Exchange::get("/pets").client_ip("192.0.2.7");
        assert_eq!(exchange.on_request(&caller), RequestEdit::new().set_header("x-caller", "192.0.2.7").into());
    }
}
