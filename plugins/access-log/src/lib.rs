//! Writes a line for each exchange: a JSON object, or the combined format of Apache and nginx.

mod combined;
mod config;
mod time;

use gatehouse_plugin::{
    output,
    prelude::*,
    serde_json::{Map, Value},
};

use config::{Config, Format};

struct AccessLog(Config);

impl Plugin for AccessLog {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        let more = [&config.request_headers, &config.response_headers, &config.attributes];
        if config.format == Format::Combined && more.iter().any(|it| !it.is_empty()) {
            Err(
                "the combined format has no room for request_headers, response_headers and attributes: use format = \"json\"",
            )?;
        }
        Ok(Self(config))
    }

    fn config_schema() -> Option<&'static str> {
        Some(config::SCHEMA)
    }
}

impl Logger for AccessLog {
    fn log(&self, request: &Request, response: &Response, outcome: &Outcome) -> Result<()> {
        let line = match self.0.format {
            Format::Json => self.json(request, response, outcome).to_string(),
            Format::Combined => combined::line(request, response, outcome, self.0.query),
        };
        // A line that does not fit is dropped and counted by the gateway.
        output::write_line(&line);
        Ok(())
    }
}

impl AccessLog {
    fn json(&self, request: &Request, response: &Response, outcome: &Outcome) -> Value {
        let mut line = json!({
            "time": time::rfc3339(outcome.started()),
            "id": request.id(),
            "client": request.client_ip(),
            "method": request.method(),
            "scheme": request.scheme(),
            "host": request.authority(),
            "path": request.path(),
            "protocol": request.protocol(),
            "route": request.route(),
            "status": response.status(),
            "request_bytes": outcome.request_bytes(),
            "response_bytes": outcome.response_bytes(),
            "duration_ms": outcome.duration().as_secs_f64() * 1e3,
            "upstream_ms": outcome.upstream_duration().map(|it| it.as_secs_f64() * 1e3),
            "principal": request.attribute("auth.principal"),
            "verdict": outcome.verdict(),
            "verdict_cached": outcome.verdict_cached(),
            "failure": outcome.failure(),
        });
        if self.0.query {
            line["query"] = json!(request.query());
        }
        let more = [
            ("request_headers", pick(&self.0.request_headers, |name| request.header(name).map(readable))),
            ("response_headers", pick(&self.0.response_headers, |name| response.header(name).map(readable))),
            ("attributes", pick(&self.0.attributes, |name| request.attribute(name))),
        ];
        for (name, values) in more {
            if !values.is_empty() {
                line[name] = Value::Object(values);
            }
        }
        line
    }
}

/// Those that are there.
fn pick(names: &[String], read: impl Fn(&str) -> Option<String>) -> Map<String, Value> {
    names.iter().filter_map(|name| Some((name.clone(), Value::String(read(name)?)))).collect()
}

/// A header's value as text: its characters stand for bytes, which nowadays are UTF-8.
fn readable(value: String) -> String {
    let bytes: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
    bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(value)
}

export!(AccessLog: logger);

#[cfg(test)]
mod tests;
