//! A plugin for tests that uses what needs a grant: `http`, `keyvalue` and `output` must all be given.
//!
//! ```toml
//! [plugins.probe-calls.config]
//! calls = ["http:http://127.0.0.1:9000/slow", "increment:hits", "set:k=v", "get:k", "output:a line"]
//! calls_header = "x-calls"            # a header whose value, if it is there, takes their place: calls parted by spaces
//! max_age = 60                        # of the verdict
//! log = true                          # writes a line for each exchange to `output`
//! ```
//!
//! The authorizer makes the calls in their order and allows; what they gave becomes the attributes `http` (a status, or
//! `failed: why`), `increment`, `get`, `output`. With several of a kind, the last one counts.

use std::time::Duration;

use gatehouse_plugin::{http, keyvalue::Bucket, output, prelude::*};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Calls {
    calls: Vec<String>,
    calls_header: String,
    max_age: Option<u32>,
    log: bool,
}

impl Authorizer for Calls {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        let told = if self.calls_header.is_empty() { None } else { request.header(&self.calls_header) };
        let calls = match told {
            Some(calls) => calls.split(' ').map(str::to_owned).collect(),
            None => self.calls.clone(),
        };
        let mut grant = Grant { max_age: self.max_age, ..Grant::anonymous() };
        for call in &calls {
            let (kind, argument) = call.split_once(':').ok_or("a call without an argument")?;
            grant = grant.attribute(kind, make(kind, argument)?);
        }
        grant.into()
    }
}

impl Logger for Calls {
    fn log(&self, request: &Request, response: &Response, outcome: &Outcome) -> Result<()> {
        if self.log {
            output::write_line(
                &json!({
                    "method": request.method(), "path": request.path(), "status": response.status(),
                    "duration": outcome.duration().as_micros() as u64, "failure": outcome.failure(),
                })
                .to_string(),
            );
        }
        Ok(())
    }
}

export!(Calls: authorizer, logger);

fn make(kind: &str, argument: &str) -> Result<String> {
    let bucket = || Bucket::open("probe");
    Ok(match kind {
        "http" => match http::Request::new("GET", argument).timeout(Duration::from_secs(30)).send() {
            Ok(response) => response.status.to_string(),
            Err(error) => format!("failed: {}", error.text()),
        },
        "increment" => bucket()?.increment(argument, 1)?.to_string(),
        "set" => {
            let (key, value) = argument.split_once('=').ok_or("set without a value")?;
            bucket()?.set(key, value.as_bytes())?;
            String::new()
        }
        "get" => bucket()?.get(argument)?.map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default(),
        "output" => output::write_line(argument).to_string(),
        other => Err(format!("there is no call named {other}"))?,
    })
}
