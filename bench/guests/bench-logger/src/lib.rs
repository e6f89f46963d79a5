//! The bench's logger: it looks at what a line would say of an exchange that went well, and writes none.

use gatehouse_plugin::prelude::*;

struct Failures;

impl Plugin for Failures {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Logger for Failures {
    fn log(&self, _request: &Request, response: &Response, outcome: &Outcome) -> Result<()> {
        if response.status() >= 500 {
            info!("{} after {} us", response.status(), outcome.duration().as_micros());
        }
        Ok(())
    }
}

export!(Failures: logger);
