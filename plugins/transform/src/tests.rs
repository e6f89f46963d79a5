//! What becomes of headers, targets and bodies, without a gateway.

use gatehouse_plugin::{
    serde_json::{Value, from_slice},
    test::{Exchange, start},
};

use super::*;

fn request(exchange: &Exchange, rules: Value) -> Result<RequestAction> {
    exchange.on_request(&start::<Transform>(json!({ "request": rules }))?)
}

/// The body after `rules`.
fn body(body: &str, rules: Value) -> Result<String> {
    let plugin: Transform = start(json!({ "request": { "body": rules } }))?;
    let exchange = Exchange::post("/").header("content-type", "application/json").attribute("auth.tenant", "acme");
    match exchange.on_request_body(&plugin, body.as_bytes())? {
        RequestBodyAction::Edit(edit) => Ok(String::from_utf8(edit.body.unwrap_or_default())?),
        other => Err(format!("{other:?}"))?,
    }
}

fn refused(config: Value) -> String {
    start::<Transform>(config).err().map(|it| it.text().to_owned()).unwrap_or_default()
}

#[test]
fn headers_are_removed_renamed_set_and_appended_in_that_order() -> Result<()> {
    let exchange = Exchange::get("/").header("x-old", "1").header("x-old", "2").attribute("auth.principal", "é\n");
    let rules = json!({ "headers": {
        "remove": ["x-secret"], "rename": { "x-old": "x-new", "x-absent": "x-b" },
        "set": { "x-user": "u=${auth.principal}", "x-none": "${auth.absent}" }, "append": { "via-route": "${request.route}$$" },
    } });
    let expected = RequestEdit::new()
        .remove_header("x-secret")
        .remove_header("x-old")
        .set_header("x-new", "1")
        .append_header("x-new", "2")
        .set_header("x-user", "u=\u{c3}\u{a9} ")
        .append_header("via-route", "route$");
    assert_eq!(request(&exchange, rules)?, expected.into());
    Ok(())
}

#[test]
fn a_prefix_is_stripped_at_a_segments_end_only() -> Result<()> {
    let path = |path, rules| request(&Exchange::get(path), rules);
    let strip = json!({ "strip_prefix": "/api" });
    assert_eq!(path("/api/pets", strip.clone())?, RequestEdit::new().path("/pets").into());
    assert_eq!(path("/api", strip.clone())?, RequestEdit::new().path("/").into());
    assert_eq!(path("/apis", strip)?, RequestEdit::new().path("/apis").into());
    let both = json!({ "strip_prefix": "/api", "add_prefix": "/v2" });
    assert_eq!(path("/api/pets", both)?, RequestEdit::new().path("/v2/pets").into());
    Ok(())
}

#[test]
fn a_value_cannot_leave_its_path_segment() -> Result<()> {
    let rules = json!({ "path": "/search/${query.q}/${path.id}" });
    let path = |query: &str| request(&Exchange::get(&format!("/?q={query}")).path_param("id", "a%20b"), rules.clone());
    assert_eq!(path("x?y=%25.é")?, RequestEdit::new().path("/search/x%3Fy%3D%25.%C3%A9/a%20b").into());
    for unclear in ["..", "%2E.", ".", "..;x", ".%3b", "../x", "a%2Fb", "a%5cb", "a%00", "%0a", "%7F"] {
        assert_eq!(path(unclear)?, Reply::new(400).into(), "{unclear}");
    }
    let header = |value| Exchange::get("/").header("x", value);
    for unclear in ["\u{ff}", "\u{c0}\u{ae}"] {
        assert_eq!(request(&header(unclear), json!({ "path": "/${header.x}" }))?, Reply::new(400).into());
    }
    assert_eq!(request(&header("/x"), json!({ "path": "${header.x}" }))?, Reply::new(400).into());
    let query = request(&Exchange::get("/?a=b%20c"), json!({ "path": "/${request.query}" }))?;
    assert_eq!(query, RequestEdit::new().path("/a%3Db%2520c").into());
    Ok(())
}

#[test]
fn query_parameters_are_changed_and_the_others_keep_their_bytes() -> Result<()> {
    let exchange = Exchange::get("/?a=%7e&%62=1&c=x&b=2&d").attribute("auth.tenant", "a&b");
    let rules = json!({ "query": {
        "remove": ["c"], "rename": { "d": "e f" }, "set": { "b": "${auth.tenant}" }, "append": { "z": "1" },
    } });
    assert_eq!(request(&exchange, rules)?, RequestEdit::new().query("a=%7e&b=a%26b&e%20f&z=1").into());
    assert_eq!(request(&exchange, json!({ "query": { "remove": ["absent"] } }))?, RequestAction::Unchanged);
    let all = json!({ "query": { "remove": ["a", "b", "c", "d"] } });
    assert_eq!(request(&exchange, all)?, RequestEdit::new().query("").into());
    Ok(())
}

#[test]
fn body_fields_are_set_and_removed_and_the_rest_keeps_its_bytes() -> Result<()> {
    let old = r#"{"z": 1.000, "user": {"id": 123456789012345678901234567890, "password": "p"}, "items": [{"s":1,"t":2},{"s":3}]}"#;
    let rules = json!({
        "remove": ["/user/password", "/items/*/s", "/absent/x", "/items/7"],
        "set": { "/user/tenant": "${auth.tenant}", "/meta/~1n": 5, "/items/-": null, "/nothing": "${auth.absent}" },
    });
    let new = r#"{"z":1.000,"user":{"id":123456789012345678901234567890,"tenant":"acme"},"items":[{"t":2},{},null],"meta":{"/n":5}}"#;
    assert_eq!(body(old, rules)?, new);
    Ok(())
}

#[test]
fn a_repeated_key_cannot_hide_a_value() -> Result<()> {
    let old = r#"{"role":"a","role":"b","x":{"p":1},"x":{"p":2}}"#;
    let new = r#"{"role":"user","x":{},"x":{}}"#;
    assert_eq!(body(old, json!({ "set": { "/role": "user" }, "remove": ["/x/p"] }))?, new);
    Ok(())
}

#[test]
fn a_request_that_is_not_plain_json_is_answered() -> Result<()> {
    let plugin: Transform = start(json!({ "request": { "body": { "remove": ["/x"] } } }))?;
    let json_body = Exchange::post("/").header("content-type", "application/problem+JSON; charset=utf-8");
    let status = |action| match action {
        RequestBodyAction::Respond(reply) => reply.status,
        _ => 0,
    };
    assert_eq!(status(json_body.on_request_body(&plugin, b"{")?), 400);
    assert_eq!(status(json_body.on_request_body(&plugin, b"{\"a\":{\"b\":}}")?), 400);
    assert_eq!(status(json_body.clone().header("content-encoding", "gzip").on_request_body(&plugin, b"x")?), 415);
    assert_eq!(json_body.on_request_body(&plugin, b"")?, RequestBodyAction::Unchanged);
    let text = Exchange::post("/").header("content-type", "text/plain");
    assert_eq!(text.run(|request| plugin.request_body_limit(request)), None);
    Ok(())
}

#[test]
fn a_response_is_changed_and_loses_what_described_its_old_bytes() -> Result<()> {
    let plugin: Transform = start(json!({ "response": {
        "status": 203, "headers": { "set": { "x-was": "${response.status} ${response.header.x-a}" } },
        "body": { "set": { "/from": "${request.path}" } },
    } }))?;
    let exchange =
        Exchange::get("/p").status(200).response_header("content-type", "application/json").response_header("x-a", "b");
    let RequestAction::Edit(asked) = exchange.on_request(&plugin)? else { panic!("unchanged") };
    assert_eq!(asked.headers[0], HeaderEdit::Remove("accept-encoding".to_owned()));
    assert_eq!(exchange.on_response(&plugin)?, ResponseEdit::new().status(203).set_header("x-was", "200 b").into());
    let ResponseBodyAction::Edit(edit) = exchange.on_response_body(&plugin, b"{}")? else { panic!("unchanged") };
    assert_eq!(from_slice::<Value>(&edit.body.unwrap_or_default())?, json!({ "from": "/p" }));
    assert_eq!(edit.response.headers[0], HeaderEdit::Remove("etag".to_owned()));
    assert!(exchange.on_response_body(&plugin, b"<html>").is_err());
    let encoded = exchange.clone().response_header("content-encoding", "gzip");
    assert!(encoded.on_response_body(&plugin, b"{}").is_err());
    Ok(())
}

#[test]
fn what_could_never_work_is_refused_at_the_start() {
    let headers = |rules| refused(json!({ "request": { "headers": rules } }));
    assert_eq!(
        headers(json!({ "set": { "Content-Length": "1" } })),
        "the header Content-Length is the gateway's: a plugin cannot change it"
    );
    assert_eq!(headers(json!({ "set": { "a": "${request.colour}" } })), "there is nothing called ${request.colour}");
    assert_eq!(
        headers(json!({ "set": { "a": "${response.status}" } })),
        "a rule for requests cannot refer to `response`"
    );
    assert_eq!(headers(json!({ "set": { "a": "5$" } })), "`5$`: write `$$` for a `$`, `${...}` for a reference");
    assert!(refused(json!({ "request": { "path": "/", "add_prefix": "/v2" } })).starts_with("`path` makes"));
    assert!(refused(json!({ "request": { "strip_prefix": "/api/" } })).starts_with("the prefix /api/"));
    assert!(refused(json!({ "response": { "body": { "remove": ["a"] } } })).starts_with("`a` is not a JSON Pointer"));
}

#[test]
fn the_schema_admits_what_the_plugin_takes() -> Result<()> {
    let schema = jsonschema::validator_for(&config::SCHEMA.parse()?)?;
    let config = json!({
        "request": {
            "headers": { "remove": ["a"], "rename": { "b": "c" }, "set": { "d": "e" }, "append": { "f": "g" } },
            "strip_prefix": "/api", "add_prefix": "/v2", "query": { "set": { "a": "b" } },
            "body": { "remove": ["/a"], "set": { "/b": { "c": 1 } } },
        },
        "response": { "status": 200, "headers": {}, "body": {} },
    });
    assert!(schema.is_valid(&config));
    start::<Transform>(config)?;
    assert!(!schema.is_valid(&json!({ "request": { "headers": { "add": {} } } })));
    assert!(!schema.is_valid(&json!({ "response": { "body": { "remove": ["a"] } } })));
    Ok(())
}
