//! The rule for keys, without a gateway.

use gatehouse_plugin::test::{Exchange, start};

use super::*;

/// `printf %s secret | sha256sum`
const SECRET: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

fn config() -> gatehouse_plugin::serde_json::Value {
    json!({
        "in": ["header:X-Key", "query:key", "cookie:key", "authorization:ApiKey"],
        "keys": [{ "id": "k1", "hash": SECRET, "principal": "mobile", "attributes": { "plan": "gold" } }],
    })
}

fn granted() -> Grant {
    Verdict::allow("mobile").attribute("key_id", "k1").attribute("plan", "gold")
}

fn error(verdict: Verdict) -> String {
    let Verdict::Deny(denial) = verdict else { panic!("not denied: {verdict:?}") };
    assert_eq!((denial.status, &*denial.headers[0].name), (401, "www-authenticate"));
    denial.reason.expect("a reason")
}

#[test]
fn a_key_is_found_in_each_place() -> Result<()> {
    let plugin: ApiKey = start(config())?;
    for exchange in [
        Exchange::get("/").header("x-key", "secret"),
        Exchange::get("/?key=secre%74"),
        Exchange::get("/").header("cookie", "a=b; key=secret"),
        Exchange::get("/").header("authorization", "apikey secret"),
    ] {
        assert_eq!(exchange.authorize(&plugin)?, granted().into());
    }
    Ok(())
}

#[test]
fn a_wrong_key_is_denied_even_when_a_right_one_follows() -> Result<()> {
    let exchange = Exchange::get("/?key=secret").header("x-key", "wrong");
    assert_eq!(error(exchange.authorize(&start::<ApiKey>(config())?)?), "invalid_key");
    assert_eq!(exchange.reads(), ["header:x-key"]);
    Ok(())
}

#[test]
fn without_a_key_it_denies_or_abstains() -> Result<()> {
    let mut config = config();
    let exchange = Exchange::get("/").header("x-key", "");
    assert_eq!(error(exchange.authorize(&start::<ApiKey>(config.clone())?)?), "missing_key");
    config["required"] = json!(false);
    assert_eq!(exchange.authorize(&start::<ApiKey>(config)?)?, Verdict::Abstain);
    Ok(())
}

#[test]
fn a_key_that_is_not_forwarded_is_removed() -> Result<()> {
    let mut config = config();
    config["forward"] = json!(false);
    let verdict = Exchange::get("/").header("x-key", "secret").authorize(&start::<ApiKey>(config)?)?;
    assert_eq!(verdict, granted().remove_header("x-key").into());
    Ok(())
}

#[test]
fn a_bad_configuration_is_refused_with_a_reason() {
    let refused = |config| start::<ApiKey>(config).err().map(|it| it.text().to_owned()).unwrap_or_default();
    let key = json!({ "id": "k1", "hash": SECRET });
    assert_eq!(refused(json!({ "keys": [key, key] })), "two keys have the id k1");
    assert_eq!(refused(json!({ "keys": [key, { "id": "k2", "hash": SECRET }] })), "the key k1 has the hash of another");
    assert_eq!(
        refused(json!({ "keys": [{ "id": "k1", "hash": "secret" }] })),
        "a hash is `sha256:` and 64 hexadecimal digits"
    );
    assert!(refused(json!({ "in": ["body:key"], "keys": [] })).starts_with("a credential is not looked for in `body`"));
}

#[test]
fn the_schema_admits_what_the_plugin_takes() -> Result<()> {
    let schema = jsonschema::validator_for(&config::SCHEMA.parse()?)?;
    assert!(schema.is_valid(&config()));
    assert!(!schema.is_valid(&json!({ "keys": [{ "id": "k1", "hash": "secret" }] })));
    assert!(!schema.is_valid(&json!({ "keys": [], "header": "x-key" })));
    Ok(())
}
