//! Lets requests with a valid JSON Web Token pass. The keys are in the configuration; `jwt-remote` fetches them.

use std::rc::Rc;

use gatehouse_plugin::prelude::*;
use jwt_core::{Config, KeySet, Rules, SCHEMA};

struct Jwt {
    keys: Rc<KeySet>,
    rules: Rules,
}

impl Plugin for Jwt {
    type Config = Config;

    fn new(mut config: Config) -> Result<Self> {
        if config.jwks_url.is_some() {
            Err("`jwks_url` needs the plugin jwt-remote and its grant `http`")?;
        }
        let keys = config.keys()?;
        if keys.is_empty() {
            Err("there are no keys: give `keys` or `jwks`")?;
        }
        Ok(Self { keys: Rc::new(keys), rules: Rules::new(config)? })
    }

    fn config_schema() -> Option<&'static str> {
        Some(SCHEMA)
    }
}

impl Authorizer for Jwt {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        self.rules.authorize(request, |_| Ok(Rc::clone(&self.keys)))
    }
}

export!(Jwt: authorizer);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::{serde_json::Value, test};

    use super::*;

    fn refused(config: Value) -> String {
        test::start::<Jwt>(config).err().map(|error| error.text().to_owned()).unwrap_or_default()
    }

    #[test]
    fn a_configuration_without_keys_is_refused() {
        assert_eq!(refused(json!({})), "there are no keys: give `keys` or `jwks`");
        assert_eq!(refused(json!({ "jwks": "{" })).split(':').next(), Some("not a JSON Web Key Set"));
        assert!(refused(json!({ "jwks_url": "https://issuer.example/jwks" })).contains("jwt-remote"));
    }

    #[test]
    fn the_keys_of_the_configuration_decide() -> Result<()> {
        let vectors: Value = include_str!("../core/src/tests/vectors.json").parse()?;
        let config = json!({ "jwks": vectors["jwks"].to_string(), "audience": "api", "forward": false });
        let jwt: Jwt = test::start(config)?;
        let token = vectors["tokens"]["ES256"].as_str().unwrap_or_default();
        let exchange = test::Exchange::get("/").header("authorization", &format!("Bearer {token}"));
        let expected = Verdict::allow("alice").max_age(3600).remove_header("authorization");
        assert_eq!(exchange.authorize(&jwt)?, expected.into());
        assert_eq!(exchange.reads(), ["header:authorization"]);
        Ok(())
    }
}
