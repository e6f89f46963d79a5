//! Why a token is refused, and the answer that RFC 6750 section 3 asks for.

use gatehouse_plugin::{Denial, Verdict, quoted, serde_json::json};

pub(crate) enum Refusal {
    /// There is no token.
    Missing,
    /// It is not valid, and why; and for how many seconds that stays so, when it is known.
    Invalid(&'static str, Option<u32>),
    /// It is valid, but lacks a scope.
    Scope,
}

impl From<&'static str> for Refusal {
    fn from(why: &'static str) -> Self {
        Self::Invalid(why, None)
    }
}

impl Refusal {
    /// `scopes` are those that a request needs.
    pub(crate) fn denial(&self, realm: &str, scopes: &[String]) -> Denial {
        let realm = quoted(realm);
        match self {
            Self::Missing => denial(401, "missing_token", format!("Bearer realm={realm}")).reason("no token"),
            Self::Invalid(why, max_age) => {
                let challenge =
                    format!("Bearer realm={realm}, error=\"invalid_token\", error_description={}", quoted(why));
                let denial = denial(401, "invalid_token", challenge).reason(*why);
                match max_age {
                    Some(seconds) => denial.max_age(*seconds),
                    None => denial,
                }
            }
            Self::Scope => {
                let scopes = quoted(&scopes.join(" "));
                let challenge = format!("Bearer realm={realm}, error=\"insufficient_scope\", scope={scopes}");
                denial(403, "insufficient_scope", challenge).reason("a scope is missing")
            }
        }
    }
}

fn denial(status: u16, error: &str, challenge: String) -> Denial {
    Verdict::deny(status).header("www-authenticate", challenge).json(json!({ "error": error }))
}
