//! Lets requests pass that carry the key.

use gatehouse_plugin::prelude::*;

#[derive(Deserialize)]
struct Config {
    key: String,
}

struct Gate {
    key: String,
}

impl Plugin for Gate {
    type Config = Config;

    fn new(Config { key }: Config) -> Result<Self> {
        if key.is_empty() {
            return Err("`key` is a string that is not empty".into());
        }
        Ok(Self { key })
    }
}

impl Authorizer for Gate {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        if same_secret(&request.header("x-key").unwrap_or_default(), &self.key) {
            Verdict::allow("alice").into()
        } else {
            Verdict::deny(403).json(json!({ "error": "the key is wrong" })).into()
        }
    }
}

export!(Gate: authorizer);

#[cfg(test)]
mod tests {
    use gatehouse_plugin::test::{Exchange, start};

    use super::*;

    #[test]
    fn the_key_opens() {
        let gate: Gate = start(json!({ "key": "k1" })).unwrap();
        let exchange = Exchange::get("/pets").header("x-key", "k1");
        assert_eq!(exchange.authorize(&gate), Verdict::allow("alice").into());
        assert_eq!(exchange.reads(), ["header:x-key"]);
    }

    #[test]
    fn another_key_and_none_do_not() {
        let gate: Gate = start(json!({ "key": "k1" })).unwrap();
        for exchange in [Exchange::get("/pets"), Exchange::get("/pets").header("x-key", "k2")] {
            assert!(matches!(exchange.authorize(&gate), Ok(Verdict::Deny(denial)) if denial.status == 403));
        }
    }

    #[test]
    fn a_configuration_without_a_key_is_refused() {
        assert!(start::<Gate>(json!({})).is_err());
        assert!(start::<Gate>(json!({ "key": "" })).is_err());
    }
}
