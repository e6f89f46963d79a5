//! From a request to a verdict.

use std::rc::Rc;

use gatehouse_plugin::{Grant, Request, Result, Source, Verdict};

use crate::{algorithm::Algorithm, claims::Claims, config::Config, key::KeySet, refusal::Refusal, token::Token};

/// What a token must be to pass, and what is made of it.
pub struct Rules(Config);

impl Rules {
    /// # Errors
    /// When no token could ever pass.
    pub fn new(config: Config) -> Result<Self> {
        if config.sources.is_empty() {
            Err("`in` names no place to look for a token")?;
        }
        Ok(Self(config))
    }

    /// Decides. `keys` is asked for the keys once a token that might be valid is there, with the id of the key it names.
    ///
    /// # Errors
    /// Those of `keys`.
    pub fn authorize(
        &self,
        request: &Request,
        keys: impl FnOnce(Option<&str>) -> Result<Rc<KeySet>>,
    ) -> Result<Verdict> {
        let refusal = match self.find(request) {
            None if !self.0.required => return Ok(Verdict::Abstain),
            None => Refusal::Missing,
            Some((source, token)) => match self.check(&token, keys)? {
                Ok(claims) if claims.have_scopes(&self.0.scopes) => return self.grant(&claims, source).into(),
                Ok(_) => Refusal::Scope,
                Err(refusal) => refusal,
            },
        };
        refusal.denial(&self.0.realm, &self.0.scopes).into()
    }

    /// The first place with a token decides.
    fn find(&self, request: &Request) -> Option<(&Source, String)> {
        self.0.sources.iter().find_map(|source| Some((source, source.read(request)?)))
    }

    /// The claims, if they hold. The outer error is that of `keys`.
    fn check(
        &self,
        token: &str,
        keys: impl FnOnce(Option<&str>) -> Result<Rc<KeySet>>,
    ) -> Result<Result<Claims, Refusal>> {
        let token = match self.admissible(token) {
            Ok(token) => token,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let keys = keys(token.header.kid.as_deref())?;
        Ok(self.verified(&token, &keys).and_then(|claims| claims.check(&self.0)))
    }

    /// A token whose header says nothing against it.
    fn admissible<'a>(&self, token: &'a str) -> Result<Token<'a>, Refusal> {
        let token = Token::parse(token).ok_or("the token is malformed")?;
        if token.header.crit.is_some() {
            return Err("the token has a critical extension".into());
        }
        let algorithm = Algorithm::named(&token.header.alg).ok_or("the token's algorithm is not allowed")?;
        if self.0.algorithms.as_ref().is_some_and(|allowed| !allowed.contains(&algorithm)) {
            return Err("the token's algorithm is not allowed".into());
        }
        if let Some(wanted) = &self.0.token_type {
            let said = token.header.typ.as_deref().unwrap_or_default();
            // RFC 7515 section 4.1.9: `application/` may be left out.
            let said = said
                .get(..12)
                .filter(|it| it.eq_ignore_ascii_case("application/"))
                .map_or(said, |it| &said[it.len()..]);
            if !said.eq_ignore_ascii_case(wanted) {
                return Err("the token is of another type".into());
            }
        }
        Ok(token)
    }

    fn verified(&self, token: &Token<'_>, keys: &KeySet) -> Result<Claims, Refusal> {
        let algorithm = Algorithm::named(&token.header.alg).ok_or("the token's algorithm is not allowed")?;
        let mut candidates = keys.candidates(token.header.kid.as_deref()).peekable();
        if candidates.peek().is_none() {
            return Err("the token's key is unknown".into());
        }
        if !candidates.any(|key| key.verifies(algorithm, token.signed, &token.signature)) {
            return Err("the token's signature is wrong".into());
        }
        Ok(Claims(token.claims().ok_or("the token's claims are malformed")?))
    }

    fn grant(&self, claims: &Claims, source: &Source) -> Grant {
        let mut grant = Grant { principal: claims.text(&self.0.principal), ..Grant::anonymous() };
        grant.max_age = claims.seconds_left();
        for (attribute, claim) in &self.0.attributes {
            if let Some(value) = claims.text(claim) {
                grant = grant.attribute(attribute, value);
            }
        }
        match source.header() {
            Some(header) if !self.0.forward => grant.remove_header(header),
            _ => grant,
        }
    }
}
