//! The rule for users and passwords, without a gateway.

use gatehouse_plugin::{
    serde_json::Value,
    test::{Exchange, start},
};

use super::*;

/// Of `s3cret:é`, with the least memory, so that tests are fast.
const ARGON2: &str = "$argon2id$v=19$m=64,t=1,p=1$UCVJg2JpiaIIzmA23t0I6A$N/qIeM28dFCF3BGLLQawqE8ClhXop5GjuA2d4hfoWn0";
/// Of `s3cret`, with the least cost.
const BCRYPT: &str = "$2b$04$Y9vks2DS.EV/nuK.23Zo0u6qHX/MfUnLiJAzqGBwB.bOCDP.2.fLq";

fn config() -> Value {
    json!({ "realm": "a \"b\"", "users": {
        "alice": { "hash": ARGON2, "attributes": { "role": "admin" } },
        "bob": { "hash": BCRYPT },
    } })
}

fn ask(credentials: &str) -> Result<Verdict> {
    let value = format!("bAsIc {}", BASE64.encode(credentials));
    Exchange::get("/").header("authorization", &value).authorize(&start::<BasicAuth>(config())?)
}

fn reason(verdict: Verdict) -> String {
    let Verdict::Deny(denial) = verdict else { panic!("not denied: {verdict:?}") };
    assert_eq!(denial.status, 401);
    assert_eq!(denial.headers, [Header::new("www-authenticate", r#"Basic realm="a \"b\"", charset="UTF-8""#)]);
    denial.reason.unwrap_or_default()
}

#[test]
fn the_right_password_passes_whichever_hash_is_kept() -> Result<()> {
    assert_eq!(ask("alice:s3cret:é")?, Verdict::allow("alice").attribute("role", "admin").into());
    assert_eq!(ask("bob:s3cret")?, Verdict::allow("bob").into());
    Ok(())
}

#[test]
fn wrong_passwords_and_unknown_users_get_the_same_answer() -> Result<()> {
    assert_eq!(reason(ask("alice:s3cret")?), "wrong password for \"alice\"");
    assert_eq!(reason(ask("bob:")?), "wrong password for \"bob\"");
    assert_eq!(reason(ask("eve:s3cret")?), "unknown user \"eve\"");
    Ok(())
}

#[test]
fn malformed_credentials_are_denied() -> Result<()> {
    let plugin: BasicAuth = start(config())?;
    for value in ["Basic !", "Basic ", "Basic YQ==", "Basic /w==", "basic YQ"] {
        assert_eq!(
            reason(Exchange::get("/").header("authorization", value).authorize(&plugin)?),
            "malformed credentials"
        );
    }
    Ok(())
}

#[test]
fn without_credentials_it_denies_or_abstains() -> Result<()> {
    let mut config = config();
    let bearer = Exchange::get("/").header("authorization", "Bearer x");
    assert_eq!(reason(bearer.authorize(&start::<BasicAuth>(config.clone())?)?), "no credentials");
    config["required"] = json!(false);
    let plugin: BasicAuth = start(config)?;
    assert_eq!(bearer.authorize(&plugin)?, Verdict::Abstain);
    assert_eq!(Exchange::get("/").authorize(&plugin)?, Verdict::Abstain);
    Ok(())
}

#[test]
fn a_bad_configuration_is_refused_with_a_reason() {
    let refused = |config| start::<BasicAuth>(config).err().map(|it| it.text().to_owned()).unwrap_or_default();
    let user = |hash| json!({ "users": { "a": { "hash": hash } } });
    assert_eq!(refused(json!({ "users": {} })), "there are no users");
    assert!(refused(user("s3cret")).starts_with("a hash begins with `$argon2id$`"));
    assert!(refused(user("$argon2id$v=19$m=64")).starts_with("not an argon2 hash"));
    assert!(refused(user("$2b$04$abc")).starts_with("not a bcrypt hash"));
    assert!(refused(json!({ "users": { "a:b": { "hash": BCRYPT } } })).starts_with("the name of a user"));
}

#[test]
fn the_schema_admits_what_the_plugin_takes() -> Result<()> {
    let schema = jsonschema::validator_for(&config::SCHEMA.parse()?)?;
    assert!(schema.is_valid(&config()));
    assert!(!schema.is_valid(&json!({ "users": {} })));
    assert!(!schema.is_valid(&json!({ "users": { "a": { "hash": "s3cret" } } })));
    Ok(())
}
