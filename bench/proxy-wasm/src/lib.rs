//! The bench's filter for Envoy, what every peer's extension is asked to do: `authorization` must begin with `Bearer `,
//! and a header `x-user` is added.

use proxy_wasm::{
    traits::{Context, HttpContext},
    types::{Action, LogLevel},
};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_http_context(|_, _| -> Box<dyn HttpContext> { Box::new(Bearer) });
}}

struct Bearer;

impl Context for Bearer {}

impl HttpContext for Bearer {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        match self.get_http_request_header("authorization") {
            Some(value) if value.starts_with("Bearer ") => {
                self.set_http_request_header("x-user", Some("bench"));
                Action::Continue
            }
            _ => {
                self.send_http_response(401, Vec::new(), None);
                Action::Pause
            }
        }
    }
}
