//! Fetching, keeping and refreshing keys, against a server of the test double.

use std::{cell::RefCell, rc::Rc, time::Duration};

use gatehouse_plugin::{
    http,
    serde_json::Value,
    test::{Exchange, Gateway},
};

use super::*;

/// Of RFC 8037 appendix A.2, under an id.
fn jwks(kid: &str) -> String {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    json!({ "keys": [key] }).to_string()
}

/// A gateway in which the issuer serves what the cell holds; nothing: it is down.
fn gateway(served: &Rc<RefCell<Option<String>>>) -> Gateway {
    let served = Rc::clone(served);
    Gateway::new().server(move |request| {
        assert_eq!(request.url, "https://issuer.example/jwks");
        match &*served.borrow() {
            Some(body) => Ok(http::Response::new(200, body.clone())),
            None => Ok(http::Response::new(503, "")),
        }
    })
}

fn config() -> Value {
    json!({ "jwks_url": "https://issuer.example/jwks", "refresh": 300, "unknown_kid_interval": 60, "required_claims": [] })
}

/// What becomes of a token that names this key. Its signature is wrong: known and unknown keys are told apart by the reason.
fn ask(gateway: &Gateway, plugin: &JwtRemote, kid: &str) -> Result<String> {
    // {"alg":"EdDSA","kid":"k1"} and {"alg":"EdDSA","kid":"k2"}
    let header =
        if kid == "k1" { "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0" } else { "eyJhbGciOiJFZERTQSIsImtpZCI6ImsyIn0" };
    let exchange = Exchange::get("/").within(gateway).header("authorization", &format!("Bearer {header}.e30.AA"));
    match exchange.authorize(plugin)? {
        Verdict::Deny(denial) => Ok(denial.reason.unwrap_or_default()),
        other => Err(format!("{other:?}"))?,
    }
}

const KNOWN: &str = "the token's signature is wrong";
const UNKNOWN: &str = "the token's key is unknown";

#[test]
fn keys_are_fetched_on_first_use_and_when_they_are_old() -> Result<()> {
    let served = Rc::new(RefCell::new(Some(jwks("k1"))));
    let gateway = gateway(&served);
    let plugin: JwtRemote = gateway.start(config())?;
    assert_eq!(gateway.sent().len(), 0);
    assert_eq!(ask(&gateway, &plugin, "k1")?, KNOWN);
    gateway.pass(Duration::from_secs(299));
    assert_eq!(ask(&gateway, &plugin, "k1")?, KNOWN);
    assert_eq!(gateway.sent().len(), 1);
    gateway.pass(Duration::from_secs(1));
    *served.borrow_mut() = Some(jwks("k2"));
    assert_eq!(ask(&gateway, &plugin, "k1")?, UNKNOWN);
    assert_eq!(gateway.sent().len(), 2);
    Ok(())
}

#[test]
fn an_unknown_key_is_looked_for_once_per_interval() -> Result<()> {
    let served = Rc::new(RefCell::new(Some(jwks("k1"))));
    let gateway = gateway(&served);
    let plugin: JwtRemote = gateway.start(config())?;
    for _ in 0..10 {
        assert_eq!(ask(&gateway, &plugin, "k2")?, UNKNOWN);
    }
    assert_eq!(gateway.sent().len(), 1);
    *served.borrow_mut() = Some(jwks("k2"));
    gateway.pass(Duration::from_secs(60));
    assert_eq!(ask(&gateway, &plugin, "k2")?, KNOWN);
    assert_eq!(gateway.sent().len(), 2);
    Ok(())
}

#[test]
fn a_server_that_fails_leaves_the_old_keys_and_is_not_pressed() -> Result<()> {
    let served = Rc::new(RefCell::new(Some(jwks("k1"))));
    let gateway = gateway(&served);
    let plugin: JwtRemote = gateway.start(config())?;
    assert_eq!(ask(&gateway, &plugin, "k1")?, KNOWN);
    gateway.pass(Duration::from_secs(300));
    for broken in [
        None,
        Some("{}".to_owned()),
        Some(json!({ "keys": [{ "kty": "oct", "alg": "HS256", "k": "AAAA" }] }).to_string()),
    ] {
        *served.borrow_mut() = broken;
        let before = gateway.sent().len();
        assert_eq!(ask(&gateway, &plugin, "k1")?, KNOWN);
        assert_eq!(ask(&gateway, &plugin, "k1")?, KNOWN);
        assert_eq!(gateway.sent().len(), before + 1);
        gateway.pass(Duration::from_secs(60));
    }
    Ok(())
}

#[test]
fn without_any_keys_it_fails_and_soon_tries_again() -> Result<()> {
    let served = Rc::new(RefCell::new(None));
    let gateway = gateway(&served);
    let plugin: JwtRemote = gateway.start(config())?;
    assert!(ask(&gateway, &plugin, "k1").is_err());
    *served.borrow_mut() = Some(jwks("k1"));
    assert!(ask(&gateway, &plugin, "k1").is_err());
    gateway.pass(Duration::from_secs(5));
    assert_eq!(ask(&gateway, &plugin, "k1")?, KNOWN);
    Ok(())
}

#[test]
fn a_request_without_a_token_fetches_nothing() -> Result<()> {
    let gateway = gateway(&Rc::default());
    let plugin: JwtRemote = gateway.start(config())?;
    let Verdict::Deny(denial) = Exchange::get("/").within(&gateway).authorize(&plugin)? else { panic!("let in") };
    assert_eq!((denial.status, gateway.sent().len()), (401, 0));
    Ok(())
}

#[test]
fn a_verdict_is_kept_no_longer_than_the_keys() -> Result<()> {
    let vectors: Value = include_str!("../../jwt/core/src/tests/vectors.json").parse()?;
    let served = Rc::new(RefCell::new(Some(vectors["jwks"].to_string())));
    let gateway = gateway(&served);
    let mut config = config();
    config["audience"] = json!("api");
    let plugin: JwtRemote = gateway.start(config)?;
    let token = vectors["tokens"]["EdDSA"].as_str().unwrap_or_default();
    let exchange = Exchange::get("/").within(&gateway).header("authorization", &format!("Bearer {token}"));
    assert_eq!(exchange.authorize(&plugin)?, Verdict::allow("alice").max_age(300).into());
    Ok(())
}

#[test]
fn keys_in_the_configuration_are_refused() {
    let refused = |config: Value| Gateway::new().start::<JwtRemote>(config).err().map(|it| it.text().to_owned());
    assert_eq!(refused(json!({})).as_deref(), Some("`jwks_url` is missing"));
    let keys = json!({ "jwks_url": "https://issuer.example/jwks", "jwks": "{}" });
    assert_eq!(refused(keys).as_deref(), Some("`keys` and `jwks` belong to the plugin jwt"));
}
