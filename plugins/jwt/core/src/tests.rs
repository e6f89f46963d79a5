//! `tests/vectors.json` was made with another implementation (PyJWT): keys, a token of each algorithm, and forgeries. Its
//! tokens hold from 1,749,999,990 to 1,750,003,600.

use std::rc::Rc;

use gatehouse_plugin::{
    Denial, Grant, Result, Verdict,
    serde_json::{self, Value, json},
    test::{Exchange, Gateway},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize as _;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn vectors() -> Value {
    serde_json::from_str(include_str!("tests/vectors.json")).expect("it is JSON")
}

/// The verdict on a token at `now` under a configuration.
fn ask_at(now: u64, config: Value, token: &str) -> Result<Verdict> {
    let exchange =
        Exchange::get("/").within(&Gateway::new().at(now)).header("authorization", &format!("Bearer {token}"));
    decide(&exchange, config)
}

fn decide(exchange: &Exchange, config: Value) -> Result<Verdict> {
    let mut config = Config::deserialize(config)?;
    let keys = Rc::new(config.keys()?);
    let rules = Rules::new(config)?;
    exchange.run(|request| rules.authorize(request, |_| Ok(keys)))
}

/// With the vectors' keys, at a time when its tokens hold.
fn ask(more: Value, token: &str) -> Result<Verdict> {
    let mut config = json!({ "jwks": vectors()["jwks"].to_string(), "audience": "api" });
    config.as_object_mut().expect("it is one").extend(more.as_object().cloned().unwrap_or_default());
    ask_at(1_750_000_000, config, token)
}

fn token(algorithm: &str) -> String {
    vectors()["tokens"][algorithm].as_str().expect("there is one").to_owned()
}

/// A token of our own, signed with `SECRET`.
fn signed(claims: &Value) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    let signed =
        format!("{}.{}", BASE64.encode(r#"{"alg":"HS256","typ":"at+jwt"}"#), BASE64.encode(claims.to_string()));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length will do");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

/// The verdict, at the time 1,000, on claims of our own under rules of our own.
fn judge(claims: Value, rules: Value) -> Result<Verdict> {
    let mut config = json!({ "keys": [{ "secret": SECRET, "algorithms": ["HS256"] }] });
    config.as_object_mut().expect("it is one").extend(rules.as_object().cloned().unwrap_or_default());
    ask_at(1_000, config, &signed(&claims))
}

fn granted(verdict: Verdict) -> Grant {
    let Verdict::Allow(grant) = verdict else { panic!("not allowed: {verdict:?}") };
    grant
}

fn denied(verdict: Verdict) -> Denial {
    let Verdict::Deny(denial) = verdict else { panic!("not denied: {verdict:?}") };
    denial
}

fn reason(verdict: Verdict) -> String {
    denied(verdict).reason.unwrap_or_default()
}

#[test]
fn tokens_of_all_algorithms_pass() -> Result<()> {
    for (algorithm, token) in vectors()["tokens"].as_object().expect("it is one") {
        let verdict = ask(json!({}), token.as_str().unwrap_or_default())?;
        assert_eq!(verdict, Verdict::allow("alice").max_age(3600).into(), "{algorithm}");
    }
    Ok(())
}

#[test]
fn public_keys_in_pem_are_as_good_as_a_key_set() -> Result<()> {
    let pem = &vectors()["pem"];
    let config = json!({ "audience": "*", "keys": [
        { "public_key": pem["rsa"] }, { "public_key": pem["p256"] }, { "public_key": pem["p384"], "kid": "p384" }, { "public_key": pem["ed"] },
    ] });
    for algorithm in ["RS512", "PS256", "ES256", "ES384", "EdDSA"] {
        granted(ask_at(1_750_000_000, config.clone(), &token(algorithm))?);
    }
    Ok(())
}

#[test]
fn forged_tokens_are_refused() -> Result<()> {
    for (attack, token) in vectors()["attacks"].as_object().expect("it is one") {
        let denial = denied(ask(json!({}), token.as_str().unwrap_or_default())?);
        assert_eq!(denial.status, 401, "{attack}");
        assert!(denial.headers[0].value.contains("error=\"invalid_token\""), "{attack}");
    }
    Ok(())
}

#[test]
fn any_changed_part_of_a_token_makes_it_invalid() -> Result<()> {
    for algorithm in ["HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"] {
        let token = token(algorithm);
        for at in (0..token.len()).step_by(7) {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes)?;
            assert_eq!(denied(ask(json!({}), &changed)?).status, 401, "{algorithm} at {at}");
        }
    }
    Ok(())
}

#[test]
fn what_is_not_a_token_is_malformed() -> Result<()> {
    let good = token("HS256");
    let padded = format!("{good}=");
    let longer = format!("{good}.x");
    for text in ["x", "a.b", "..", "e30.e30.", padded.as_str(), longer.as_str()] {
        assert_eq!(reason(ask(json!({}), text)?), "the token is malformed", "{text}");
    }
    Ok(())
}

#[test]
fn a_key_is_used_with_its_own_algorithms_only() -> Result<()> {
    assert_eq!(
        reason(ask(json!({ "algorithms": ["ES256"] }), &token("RS256"))?),
        "the token's algorithm is not allowed"
    );
    let config =
        json!({ "audience": "*", "keys": [{ "public_key": vectors()["pem"]["rsa"], "algorithms": ["PS256"] }] });
    assert_eq!(reason(ask_at(1_750_000_000, config, &token("RS256"))?), "the token's signature is wrong");
    Ok(())
}

#[test]
fn an_unknown_key_is_named_as_such() -> Result<()> {
    let config = json!({ "audience": "*", "keys": [{ "kid": "other", "public_key": vectors()["pem"]["rsa"] }] });
    assert_eq!(reason(ask_at(1_750_000_000, config, &token("RS256"))?), "the token's key is unknown");
    Ok(())
}

#[test]
fn times_hold_with_some_leeway() -> Result<()> {
    let at = |claims: Value| judge(claims, json!({ "leeway": 10 }));
    assert_eq!(granted(at(json!({ "exp": 1_060 }))?).max_age, Some(60));
    assert_eq!(granted(at(json!({ "exp": 991.5 }))?).max_age, Some(0));
    assert_eq!(reason(at(json!({ "exp": 990 }))?), "the token has expired");
    assert_eq!(reason(at(json!({ "exp": -1 }))?), "the token has expired");
    granted(at(json!({ "exp": 2_000, "nbf": 1_010, "iat": 1_010 }))?);
    let early = denied(at(json!({ "exp": 2_000, "nbf": 1_110 }))?);
    assert_eq!((early.reason.as_deref(), early.max_age), (Some("the token is not valid yet"), Some(100)));
    assert_eq!(reason(at(json!({ "exp": 2_000, "iat": 1_011 }))?), "the token was issued in the future");
    for malformed in [json!("2000"), json!(null), json!([2_000])] {
        assert_eq!(reason(at(json!({ "exp": malformed }))?), "the claim exp is malformed");
    }
    Ok(())
}

#[test]
fn claims_that_are_required_must_be_there() -> Result<()> {
    assert_eq!(reason(judge(json!({ "sub": "alice" }), json!({}))?), "a claim is missing");
    let verdict = judge(json!({ "sub": "alice" }), json!({ "required_claims": ["sub"] }))?;
    assert_eq!(verdict, Verdict::allow("alice").into());
    Ok(())
}

#[test]
fn a_token_for_others_is_refused() -> Result<()> {
    let aud = |aud: Value, ours: Value| judge(json!({ "exp": 2_000, "aud": aud }), json!({ "audience": ours }));
    granted(aud(json!("api"), json!("api"))?);
    granted(aud(json!(["x", "api"]), json!(["api", "y"]))?);
    granted(aud(json!("x"), json!("*"))?);
    assert_eq!(reason(aud(json!("x"), json!("api"))?), "the token is for others");
    assert_eq!(reason(aud(json!("x"), json!([]))?), "the token is for others");
    assert_eq!(reason(aud(json!({ "api": 1 }), json!("api"))?), "the claim aud is malformed");
    assert_eq!(reason(judge(json!({ "exp": 2_000 }), json!({ "audience": "api" }))?), "the token is for others");
    granted(judge(json!({ "exp": 2_000 }), json!({}))?);
    Ok(())
}

#[test]
fn a_token_of_another_issuer_or_type_is_refused() -> Result<()> {
    let claims = json!({ "exp": 2_000, "iss": "a" });
    granted(judge(claims.clone(), json!({ "issuer": ["a", "b"], "type": "at+JWT" }))?);
    assert_eq!(reason(judge(claims.clone(), json!({ "issuer": "b" }))?), "the token is of another issuer");
    assert_eq!(reason(judge(claims, json!({ "type": "JWT" }))?), "the token is of another type");
    Ok(())
}

#[test]
fn a_missing_scope_is_a_403_that_names_it() -> Result<()> {
    let scoped = |claim: Value| judge(claim, json!({ "scopes": ["read", "write"] }));
    granted(scoped(json!({ "exp": 2_000, "scope": "write read" }))?);
    granted(scoped(json!({ "exp": 2_000, "scp": ["read", "write"] }))?);
    let denial = denied(scoped(json!({ "exp": 2_000, "scope": "read writer" }))?);
    assert_eq!(denial.status, 403);
    assert_eq!(denial.headers[0].value, r#"Bearer realm="api", error="insufficient_scope", scope="read write""#);
    Ok(())
}

#[test]
fn claims_become_attributes() -> Result<()> {
    let rules = json!({ "principal": "email", "attributes": {
        "tenant": "https://example.com/tenant", "role": "/realm/roles/1", "realm": "realm", "none": "absent", "null": "null",
    } });
    let claims = json!({ "exp": 2_000, "email": "a@example.com", "https://example.com/tenant": 7, "realm": { "roles": ["x", "y"] }, "null": null });
    let expected = Verdict::allow("a@example.com")
        .attribute("realm", r#"{"roles":["x","y"]}"#)
        .attribute("role", "y")
        .attribute("tenant", "7")
        .max_age(1_000);
    assert_eq!(judge(claims, rules)?, expected.into());
    Ok(())
}

#[test]
fn without_a_token_it_denies_or_abstains() -> Result<()> {
    let config = |required| json!({ "keys": [{ "secret": SECRET, "algorithms": ["HS256"] }], "required": required, "in": ["cookie:t", "authorization:Bearer"] });
    let basic = Exchange::get("/").header("authorization", "Basic x");
    let denial = denied(decide(&basic, config(true))?);
    assert_eq!((denial.status, &*denial.headers[0].value), (401, "Bearer realm=\"api\""));
    assert_eq!(decide(&basic, config(false))?, Verdict::Abstain);
    assert_eq!(basic.reads(), ["cookie:t", "header:authorization"]);
    Ok(())
}

#[test]
fn unsafe_keys_are_refused() {
    let refused = |key: Value| {
        let keys =
            Config::deserialize(json!({ "keys": [key] })).map_err(Into::into).and_then(|mut config| config.keys());
        keys.err().map(|error| error.text().to_owned()).unwrap_or_default()
    };
    assert_eq!(
        refused(json!({ "secret": "short", "algorithms": ["HS256"] })),
        "the key number 1: the secret has 5 bytes and needs 32 (RFC 7518 section 3.2)"
    );
    assert_eq!(refused(json!({ "kid": "a", "secret": SECRET })), "the key a: a secret needs its algorithm");
    assert!(
        refused(json!({ "secret": SECRET, "algorithms": ["RS256"] })).contains("does not go with a key of this kind")
    );
    assert!(refused(json!({ "public_key": vectors()["pem"]["rsa1024"] })).contains("the RSA key has 1024 bits"));
    assert!(refused(json!({ "public_key": vectors()["pem"]["rsa"], "algorithms": ["HS256"] })).contains("does not go"));
    assert!(refused(json!({ "public_key": "x" })).contains("not a public key in PEM"));
    assert!(refused(json!({ "kid": "a" })).contains("one of `secret`"));
    assert!(refused(json!({ "jwk": { "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" } })).contains("malformed"));
}

#[test]
fn a_key_set_is_taken_without_what_is_for_other_purposes() -> Result<()> {
    let mut jwks = vectors()["jwks"].clone();
    let keys = jwks["keys"].as_array_mut().expect("it is one");
    keys.push(json!({ "kty": "OKP", "crv": "X25519", "x": "AA" }));
    keys.push(json!({ "kty": "RSA", "use": "enc" }));
    keys.push(json!("no key"));
    let set = KeySet::from_jwks(&jwks.to_string())?;
    assert_eq!((set.len(), set.knows("rsa"), set.knows("x")), (7, true, false));
    assert_eq!(set.without_secrets().len(), 4);
    assert!(KeySet::from_jwks("{}").is_err());
    assert!(KeySet::from_jwks(r#"{"keys":[]}"#).is_err());
    Ok(())
}

#[test]
fn the_schema_admits_what_the_plugin_takes() -> Result<()> {
    let schema = jsonschema::validator_for(&SCHEMA.parse()?)?;
    let config = json!({
        "keys": [{ "kid": "a", "algorithms": ["HS256"], "secret": SECRET }, { "jwk": { "kty": "RSA" } }],
        "jwks": "{}", "in": ["cookie:t"], "algorithms": ["EdDSA"], "issuer": "a", "audience": ["b"], "leeway": 0,
        "required_claims": [], "type": "JWT", "scopes": ["s"], "principal": "sub", "attributes": { "a": "b" },
        "required": false, "forward": false, "realm": "r",
        "jwks_url": "https://issuer.example/jwks", "refresh": 1, "unknown_kid_interval": 1, "timeout_ms": 1,
    });
    assert!(schema.is_valid(&config));
    Config::deserialize(config)?;
    assert!(!schema.is_valid(&json!({ "algorithms": ["none"] })));
    assert!(!schema.is_valid(&json!({ "audiences": [] })));
    Ok(())
}
