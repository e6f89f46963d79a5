//! Claims (RFC 7519 section 4), of a token whose signature is right.

use gatehouse_plugin::{
    clock,
    serde_json::{Map, Value},
};

use crate::{config::Config, refusal::Refusal};

pub(crate) struct Claims(pub(crate) Map<String, Value>);

impl Claims {
    /// Whether they hold, now and for us.
    pub(crate) fn check(self, config: &Config) -> Result<Self, Refusal> {
        if config.required_claims.iter().any(|name| !self.0.contains_key(name)) {
            return Err("a claim is missing".into());
        }
        self.check_issuer(config.issuer.list())?;
        self.check_audience(config.audience.list())?;
        self.check_times(f64::from(config.leeway))?;
        Ok(self)
    }

    fn check_issuer(&self, allowed: &[String]) -> Result<(), Refusal> {
        let issuer = self.0.get("iss").and_then(Value::as_str);
        if allowed.is_empty() || allowed.iter().any(|it| Some(it.as_str()) == issuer) {
            Ok(())
        } else {
            Err("the token is of another issuer".into())
        }
    }

    /// A token for others must be refused, also when we have no name of our own (RFC 7519 section 4.1.3).
    fn check_audience(&self, ours: &[String]) -> Result<(), Refusal> {
        if ours.iter().any(|it| it == "*") {
            return Ok(());
        }
        let named = match self.0.get("aud") {
            None if ours.is_empty() => return Ok(()),
            None => Vec::new(),
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            Some(_) => return Err("the claim aud is malformed".into()),
        };
        if named.iter().any(|it| ours.iter().any(|our| our == it)) {
            Ok(())
        } else {
            Err("the token is for others".into())
        }
    }

    /// The clock is read only if a claim needs it: without, the verdict may be kept as long as the operator likes.
    fn check_times(&self, leeway: f64) -> Result<(), Refusal> {
        let expires = self.time("exp", "the claim exp is malformed")?;
        let begins = self.time("nbf", "the claim nbf is malformed")?;
        let issued = self.time("iat", "the claim iat is malformed")?;
        if [expires, begins, issued].iter().all(Option::is_none) {
            return Ok(());
        }
        let now = now();
        if expires.is_some_and(|it| now >= it + leeway) {
            return Err(Refusal::Invalid("the token has expired", Some(u32::MAX)));
        }
        if let Some(begins) = begins.filter(|it| now < it - leeway) {
            return Err(Refusal::Invalid("the token is not valid yet", Some(seconds(begins - leeway - now))));
        }
        if let Some(issued) = issued.filter(|it| now < it - leeway) {
            return Err(Refusal::Invalid("the token was issued in the future", Some(seconds(issued - leeway - now))));
        }
        Ok(())
    }

    /// Seconds since 1970, possibly with a fraction.
    fn time(&self, name: &str, malformed: &'static str) -> Result<Option<f64>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => Ok(Some(value.as_f64().filter(|it| it.is_finite()).ok_or(malformed)?)),
        }
    }

    /// For how long they hold: a verdict must not outlive the token.
    pub(crate) fn seconds_left(&self) -> Option<u32> {
        self.0.get("exp").and_then(Value::as_f64).map(|expires| seconds(expires - now()))
    }

    /// Whether all these scopes are in `scope` (RFC 8693 section 4.2) or `scp`.
    pub(crate) fn have_scopes(&self, needed: &[String]) -> bool {
        let granted = ["scope", "scp"].iter().filter_map(|name| self.0.get(*name));
        let granted: Vec<&str> = granted
            .flat_map(|value| match value {
                Value::String(text) => text.split(' ').collect(),
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            })
            .collect();
        needed.iter().all(|scope| granted.contains(&scope.as_str()))
    }

    /// A claim by its name, or by a JSON Pointer that begins with `/`. What is not text comes as JSON.
    pub(crate) fn text(&self, claim: &str) -> Option<String> {
        let value = match claim.strip_prefix('/') {
            Some(path) => {
                let mut names = path.split('/').map(|it| it.replace("~1", "/").replace("~0", "~"));
                let first = self.0.get(&names.next()?)?;
                names.try_fold(first, |value, name| match value {
                    Value::Array(list) => list.get(name.parse::<usize>().ok()?),
                    _ => value.get(name),
                })?
            }
            None => self.0.get(claim)?,
        };
        match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

fn now() -> f64 {
    clock::now().as_secs() as f64
}

/// Rounded down; what is negative is 0 and what is too large the largest.
fn seconds(time: f64) -> u32 {
    time as u32
}
