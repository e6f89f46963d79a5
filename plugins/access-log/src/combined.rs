//! The combined format: `client - user [time] "request" status bytes "referer" "user-agent"`.

use gatehouse_plugin::{Outcome, Request, Response};

use crate::{readable, time};

pub(crate) fn line(request: &Request, response: &Response, outcome: &Outcome, with_query: bool) -> String {
    let query = request.query().filter(|_| with_query).map(|query| format!("?{query}")).unwrap_or_default();
    format!(
        r#"{} - {} [{}] "{} {}{} {}" {} {} "{}" "{}""#,
        request.client_ip(),
        user(request.attribute("auth.principal")),
        time::common(outcome.started()),
        escape(&request.method()),
        escape(&request.path()),
        escape(&query),
        request.protocol(),
        response.status(),
        bytes(outcome.response_bytes()),
        quoted(request.header("referer")),
        quoted(request.header("user-agent")),
    )
}

/// One word, for the fields are parted by spaces.
fn user(principal: Option<String>) -> String {
    match principal {
        Some(name) if !name.is_empty() => escape(&name).replace(' ', "\\x20"),
        _ => "-".to_owned(),
    }
}

fn bytes(count: u64) -> String {
    if count == 0 { "-".to_owned() } else { count.to_string() }
}

fn quoted(value: Option<String>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| escape(&readable(value)))
}

/// As Apache does: a client can neither end a field nor a line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            ' '..='~' => escaped.push(c),
            _ => c.to_string().bytes().for_each(|byte| escaped.push_str(&format!("\\x{byte:02x}"))),
        }
    }
    escaped
}
