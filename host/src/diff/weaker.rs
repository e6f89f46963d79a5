//! Which changes let more pass than before. It is a help for who reads them, and no proof of the others.

use serde_json::Value;

/// Why a change lets more pass.
pub(super) fn why(
    at: &[&str],
    old: Option<&Value>,
    new: Option<&Value>,
    (was, is): (&Value, &Value),
) -> Option<String> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let becomes = |word: &str| text(new).as_deref() == Some(word);
    let gone = lost(old, new);
    let come = lost(new, old);
    let some = |why: &str| Some(why.to_owned());
    match at {
        ["routes", _] if new.is_none() && has(old, "plugins") => {
            some("its requests may find a wider route, without its plugins")
        }
        ["routes", _] if old.is_none() && !has(new, "plugins") => some("no plugin decides who may use it"),
        ["routes", _, "plugins"] if !gone.is_empty() => Some(format!("no longer in its chain: {}", gone.join(", "))),
        ["routes", _, "rate_limits" | "quotas" | "concurrency_limits"] if !gone.is_empty() => {
            Some(format!("no longer limited by {}", gone.join(", ")))
        }
        ["routes", _, "api_key"] if new.is_none() => some("its requests need no API key"),
        ["api_keys", _, "enabled"] if new != Some(&Value::Bool(false)) => some("the key is accepted"),
        ["usage_plans", _, "routes"] if new.is_none() || !come.is_empty() => some("its keys may use more"),
        ["redis", _, "when_away"] if becomes("open") => some("without an answer all pass"),
        ["caches", _, "shared"] | ["routes", _, "cache", "shared"] if new == Some(&Value::Bool(true)) => {
            some("its answers are for everybody who gets through")
        }
        ["routes", _, "validate"] if new.is_none() => some("its requests are no longer validated"),
        ["routes", _, "authorize"] if becomes("any") => some("one authorizer is enough"),
        ["routes", _, "cors"] if old.is_none() => some("other origins' pages may use it"),
        ["cors", _, "allow_origins"] if !come.is_empty() => Some(format!("may now: {}", come.join(", "))),
        ["cors", _, "allow_credentials"] if new == Some(&Value::Bool(true)) => some("pages may send credentials"),
        ["listeners", name, "tls", key] => of_tls(name, key, (was, is), (old, new)),
        ["upstreams", _, "url"] => {
            let plain = |value: Option<String>| value.is_some_and(|url| url.starts_with("http://"));
            (plain(text(new)) && !plain(text(old))).then(|| "TLS is off".to_owned())
        }
        ["upstreams", _, "tls", "ca"] => some("another issuer is trusted"),
        ["plugins", _, "on_failure"] if becomes("skip") => some("a failure of it lets pass"),
        ["plugins", _, "isolation"] if becomes("reuse") || new.is_none() => some("an instance serves several requests"),
        ["plugins", _, "grants", "http_private" | "keyvalue"] if new == Some(&Value::Bool(true)) => {
            some("it may reach more")
        }
        ["plugins", _, "grants", ..] if !come.is_empty() => Some(format!("it may reach: {}", come.join(", "))),
        ["plugins", _, "cache", "identity"] if !gone.is_empty() => {
            Some(format!("no longer required: {}", gone.join(", ")))
        }
        ["validators", _, "required_headers" | "required_query" | "checks"]
            if !gone.is_empty() && (at[2] != "checks" || new.is_some()) =>
        {
            Some(format!("no longer required: {}", gone.join(", ")))
        }
        ["validators", _, "checks"] if old.is_none() => some("it looks at less"),
        ["validators", _, "body" | "openapi"] if new.is_none() => some("bodies are no longer held against it"),
        ["validators", _, "body_required"] if new == Some(&Value::Bool(false)) => {
            some("a request may be without a body")
        }
        ["validators", _, "content_types"] if !come.is_empty() => Some(format!("may now come: {}", come.join(", "))),
        ["server", "trusted_proxies"] if !come.is_empty() => Some(format!("believed of clients: {}", come.join(", "))),
        ["admin", "address"] => {
            let address = text(new).unwrap_or_default();
            let local = address.starts_with("127.") || address.starts_with("[::1]");
            (new.is_some() && !local).then(|| "others than this machine may reach it".to_owned())
        }
        _ => None,
    }
}

fn of_tls(
    name: &str,
    key: &str,
    (_, is): (&Value, &Value),
    (old, new): (Option<&Value>, Option<&Value>),
) -> Option<String> {
    let listener = is.get("listeners").and_then(|listeners| listeners.get(name));
    let off = listener.is_some_and(|listener| listener.get("tls").is_none());
    let why = match key {
        "certificates" if off => "TLS is off",
        "client_ca" if new.is_none() => "clients need no certificate",
        "client_ca" if old.is_some() => "another issuer of clients' certificates is trusted",
        "client_certificate" if new.and_then(Value::as_str) == Some("optional") => "clients need no certificate",
        "min_version" if new.and_then(Value::as_str) != Some("1.3") => "an older TLS is spoken",
        _ => return None,
    };
    Some(why.to_owned())
}

fn has(table: Option<&Value>, key: &str) -> bool {
    table.and_then(|table| table.get(key)).is_some()
}

/// Elements of a list (or the one text) that another has not.
fn lost(from: Option<&Value>, other: Option<&Value>) -> Vec<String> {
    let list = |value: Option<&Value>| match value {
        Some(Value::Array(list)) => list.clone(),
        Some(value @ Value::String(_)) => vec![value.clone()],
        _ => Vec::new(),
    };
    let other = list(other);
    let gone = list(from).into_iter().filter(|value| !other.contains(value));
    gone.map(|value| value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"))).collect()
}
