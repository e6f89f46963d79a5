//! The bench's request filter: what every peer's extension is asked to do, a header `x-user` is added.

use gatehouse_plugin::prelude::*;

struct User;

impl Plugin for User {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl RequestFilter for User {
    fn on_request(&self, _request: &Request) -> Result<RequestAction> {
        RequestEdit::new().set_header("x-user", "bench").into()
    }
}

export!(User: request_filter);
