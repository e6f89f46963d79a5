//! Writes a line for each exchange.

use gatehouse_plugin::prelude::*;

#[derive(Deserialize)]
struct Lines {}

impl Logger for Lines {
    fn log(&self, request: &Request, response: &Response, outcome: &Outcome) -> Result<()> {
        let took = outcome.duration().as_millis();
        info!("{} {} {} {took} ms", request.method(), request.path(), response.status());
        Ok(())
    }
}

export!(Lines: logger);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatehouse_plugin::test::{Exchange, start};

    use super::*;

    #[test]
    fn an_exchange_becomes_a_line() {
        let lines: Lines = start(json!({})).unwrap();
        let exchange = Exchange::get("/pets").status(200).took(Duration::from_millis(2), None);
        exchange.log(&lines).unwrap();
        assert_eq!(exchange.gateway().log()[0].1, "GET /pets 200 2 ms");
    }
}
