//! Hides what the upstream is made of.

use gatehouse_plugin::prelude::*;

#[derive(Deserialize)]
struct Discreet {}

impl ResponseFilter for Discreet {
    fn on_response(&self, _request: &Request, response: &Response) -> Result<ResponseAction> {
        if response.header("x-powered-by").is_none() {
            return Ok(ResponseAction::Unchanged);
        }
        ResponseEdit::new().remove_header("x-powered-by").into()
    }
}

export!(Discreet: response_filter);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::test::{Exchange, start};

    use super::*;

    #[test]
    fn the_header_goes_where_it_is() {
        let plugin: Discreet = start(json!({})).unwrap();
        let exchange = Exchange::get("/").response_header("x-powered-by", "a program");
        assert_eq!(exchange.on_response(&plugin), ResponseEdit::new().remove_header("x-powered-by").into());
        assert_eq!(Exchange::get("/").on_response(&plugin), Ok(ResponseAction::Unchanged));
    }
}
