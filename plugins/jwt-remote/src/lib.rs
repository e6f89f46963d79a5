//! Lets requests with a valid JSON Web Token pass. The keys come from a URL.

mod remote;

use gatehouse_plugin::prelude::*;
use jwt_core::{Config, Rules, SCHEMA};

use remote::Remote;

struct JwtRemote {
    keys: Remote,
    rules: Rules,
}

impl Plugin for JwtRemote {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        if config.has_keys() {
            Err("`keys` and `jwks` belong to the plugin jwt")?;
        }
        let url = config.jwks_url.clone().ok_or("`jwks_url` is missing")?;
        let keys = Remote::new(url, config.refresh, config.unknown_kid_interval, config.timeout_ms);
        Ok(Self { keys, rules: Rules::new(config)? })
    }

    fn config_schema() -> Option<&'static str> {
        Some(SCHEMA)
    }
}

impl Authorizer for JwtRemote {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        let verdict = self.rules.authorize(request, |kid| self.keys.get(kid))?;
        Ok(match verdict {
            // A key that was withdrawn must not live on in kept verdicts for longer than it would here.
            Verdict::Allow(grant) => {
                let max_age = grant.max_age.unwrap_or(u32::MAX).min(self.keys.refresh());
                grant.max_age(max_age).into()
            }
            other => other,
        })
    }
}

export!(JwtRemote: authorizer);

#[cfg(test)]
mod tests;
