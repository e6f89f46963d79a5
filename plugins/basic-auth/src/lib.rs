//! Lets users with a name and password pass (RFC 7617).

mod config;
mod hash;

use std::collections::BTreeMap;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use gatehouse_plugin::{prelude::*, quoted};

use config::{Config, User};

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

struct BasicAuth {
    users: BTreeMap<String, User>,
    required: bool,
    forward: bool,
    challenge: String,
}

impl Plugin for BasicAuth {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        if config.users.is_empty() {
            Err("there are no users")?;
        }
        if let Some(name) = config.users.keys().find(|name| name.contains(':')) {
            Err(format!("the name of a user cannot contain a colon: {name}"))?;
        }
        let challenge = format!("Basic realm={}, charset=\"UTF-8\"", quoted(&config.realm));
        Ok(Self { users: config.users, required: config.required, forward: config.forward, challenge })
    }

    fn config_schema() -> Option<&'static str> {
        Some(config::SCHEMA)
    }
}

impl Authorizer for BasicAuth {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        let header = request.header("authorization").unwrap_or_default();
        let basic = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let Some((_, encoded)) = basic else {
            return if self.required { self.deny("no credentials").into() } else { Ok(Verdict::Abstain) };
        };
        let Some((name, password)) = decode(encoded) else {
            return self.deny("malformed credentials").into();
        };
        let Some(user) = self.users.get(&name) else {
            // Takes as long as for a user that is there, so that the time does not tell who is.
            self.users.values().take(1).for_each(|other| _ = other.hash.matches(&password));
            return self.deny(format!("unknown user {name:?}")).into();
        };
        if !user.hash.matches(&password) {
            return self.deny(format!("wrong password for {name:?}")).into();
        }
        self.allow(name, user).into()
    }
}

impl BasicAuth {
    fn allow(&self, name: String, user: &User) -> Grant {
        let attributes = user.attributes.iter();
        let grant = attributes.fold(Verdict::allow(name), |grant, (name, value)| grant.attribute(name, value));
        if self.forward { grant } else { grant.remove_header("authorization") }
    }

    fn deny(&self, reason: impl Into<String>) -> Denial {
        Verdict::deny(401).header("www-authenticate", &self.challenge).reason(reason)
    }
}

/// Name and password, parted by the first colon.
fn decode(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

export!(BasicAuth: authorizer);

#[cfg(test)]
mod tests;
