//! The lines as they come out, without a gateway.

use std::time::Duration;

use gatehouse_plugin::{
    serde_json,
    test::{Exchange, start},
};

use super::*;

fn exchange() -> Exchange {
    Exchange::get("/pets/1?token=s")
        .header("user-agent", "curl/8 \"x\"\n\u{c3}\u{a9}")
        .client_ip("192.0.2.7")
        .attribute("auth.principal", "alice smith")
        .attribute("auth.plan", "gold")
        .status(200)
        .response_header("content-type", "text/plain")
        .started(1_709_208_000)
        .took(Duration::from_micros(1500), Some(Duration::from_micros(1250)))
        .bytes(0, 42)
        .verdict("allow", true)
}

fn line(config: Value) -> Result<String> {
    let exchange = exchange();
    exchange.log(&start::<AccessLog>(config)?)?;
    Ok(exchange.gateway().output().remove(0))
}

#[test]
fn json_has_all_fields_and_what_is_asked_for() -> Result<()> {
    let config = json!({
        "request_headers": ["user-agent", "referer"], "response_headers": ["content-type"], "attributes": ["auth.plan"],
    });
    let line: Value = serde_json::from_str(&line(config)?)?;
    assert_eq!(
        line,
        json!({
            "time": "2024-02-29T12:00:00.000Z", "id": "0123456789abcdef", "client": "192.0.2.7", "method": "GET",
            "scheme": "http", "host": "localhost", "path": "/pets/1", "query": "token=s", "protocol": "HTTP/1.1",
            "route": "route", "status": 200, "request_bytes": 0, "response_bytes": 42, "duration_ms": 1.5,
            "upstream_ms": 1.25, "principal": "alice smith", "verdict": "allow", "verdict_cached": true, "failure": null,
            "request_headers": { "user-agent": "curl/8 \"x\"\né" },
            "response_headers": { "content-type": "text/plain" },
            "attributes": { "auth.plan": "gold" },
        })
    );
    Ok(())
}

#[test]
fn combined_is_one_line_that_a_client_cannot_break() -> Result<()> {
    let expected = r#"192.0.2.7 - alice\x20smith [29/Feb/2024:12:00:00 +0000] "GET /pets/1?token=s HTTP/1.1" 200 42 "-" "curl/8 \"x\"\x0a\xc3\xa9""#;
    assert_eq!(line(json!({ "format": "combined" }))?, expected);
    Ok(())
}

#[test]
fn the_query_can_be_left_out() -> Result<()> {
    assert!(!line(json!({ "query": false }))?.contains("token"));
    assert!(!line(json!({ "query": false, "format": "combined" }))?.contains("token"));
    Ok(())
}

#[test]
fn dates_are_right_around_leap_days_and_centuries() {
    for (seconds, date) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399, "2000-02-28T23:59:59.000Z"),
        (951_782_400, "2000-02-29T00:00:00.000Z"),
        (1_735_689_599, "2024-12-31T23:59:59.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"),
    ] {
        assert_eq!(time::rfc3339(Duration::from_secs(seconds)), date);
    }
}

#[test]
fn the_schema_admits_what_the_plugin_takes() -> Result<()> {
    let schema = jsonschema::validator_for(&config::SCHEMA.parse()?)?;
    assert!(schema.is_valid(&json!({})));
    assert!(schema.is_valid(&json!({ "format": "combined", "query": false })));
    assert!(!schema.is_valid(&json!({ "format": "common" })));
    assert!(start::<AccessLog>(json!({ "format": "combined", "attributes": ["auth.plan"] })).is_err());
    Ok(())
}
