//! Security: what a configuration has a plugin for becomes one, and an operation whose security has none is not served.

use toml::Value;

use super::{Import, table::Table};
use crate::openapi::{Operation, Place};

/// The authorizers of a route.
#[derive(Default)]
pub(super) struct Chain {
    pub(super) plugins: Vec<String>,
    /// One of them has to allow, rather than all.
    pub(super) any: bool,
}

impl Import<'_> {
    /// The authorizers of an operation; None: what it asks for is not mapped, which is listed.
    pub(super) fn chain(&mut self, operation: &Operation) -> Option<Chain> {
        let own = operation.place.child("security");
        let security = if own.value().is_some() { own } else { self.root.child("security") };
        let requirements = security.children();
        if requirements.is_empty() {
            return Some(Chain::default());
        }
        let mut alternatives: Vec<Vec<String>> = Vec::new();
        for (_, requirement) in requirements {
            let schemes = requirement.children();
            if schemes.is_empty() {
                self.left.add(&requirement, "security is optional here: the route has no authorizer");
                return Some(Chain::default());
            }
            let plugins: Vec<_> = schemes.iter().map(|(name, scopes)| self.authorizer(name, scopes)).collect();
            alternatives.extend(plugins.into_iter().collect::<Option<Vec<_>>>());
        }
        if alternatives.len() > 1 && alternatives.iter().any(|all| all.len() > 1) {
            self.left.add(
                &security,
                "only the first of these alternatives is taken: others of several schemes are left out",
            );
            alternatives.truncate(1);
        }
        let any = alternatives.len() > 1;
        let plugins: Vec<String> = alternatives.into_iter().flatten().collect();
        (!plugins.is_empty()).then_some(Chain { plugins, any })
    }

    /// The plugin of a scheme with the scopes that are asked for.
    fn authorizer(&mut self, name: &str, scopes: &Place) -> Option<String> {
        let place = self.root.child("components").child("securitySchemes").child(name);
        let place = match self.documents.resolve(&place) {
            Ok(place) if place.value().is_some() => place,
            Ok(_) => {
                self.left.add(scopes, format!("there is no security scheme `{name}`"));
                return None;
            }
            Err(why) => {
                self.left.line(why);
                return None;
            }
        };
        let scopes = strings(scopes);
        let key = format!("{name} {scopes:?}");
        if let Some((_, table)) = self.plugins.iter().find(|(known, _)| *known == key) {
            return Some(table.name.clone());
        }
        let own = place.child("x-amazon-apigateway-authorizer");
        let shared = self.root.child("x-amazon-apigateway-authorizers").child(name);
        let authorizer = if own.value().is_some() { own } else { shared };
        let issuer = match self.issuer(&place, &authorizer) {
            Ok(issuer) => issuer,
            Err((place, why)) => {
                self.left.add(&place, why);
                return None;
            }
        };
        let mut table = Table::new("plugins", &self.names.unique("plugins", &format!("{name}-jwt")));
        table.comment(
            "Where the issuer has its keys is a guess: `jwks_uri` of its `/.well-known/openid-configuration`.",
        );
        table.text("component", &self.options.plugins.join("jwt-remote.wasm").display().to_string());
        let url = issuer.url.trim_end_matches('/');
        let end = url.find("://").map_or(0, |at| at + 3);
        let origin = &url[..url[end..].find('/').map_or(url.len(), |slash| end + slash)];
        table.texts("grants.http", [origin]);
        table.text("config.jwks_url", &format!("{url}/.well-known/jwks.json"));
        table.text("config.issuer", &issuer.url);
        if !issuer.audience.is_empty() {
            table.texts("config.audience", issuer.audience.iter().map(String::as_str));
        }
        if !scopes.is_empty() {
            table.texts("config.scopes", scopes.iter().map(String::as_str));
        }
        if !issuer.looks_in.is_empty() {
            table.texts("config.in", issuer.looks_in.iter().map(String::as_str));
        }
        if let Err(why) = super::table::sound(&table, &[]) {
            self.left.add(&authorizer, format!("this cannot be a plugin: {why}"));
            return None;
        }
        if scopes.len() > 1 {
            self.left.add(&place, "of several scopes AWS asks for one: here all are asked for");
        }
        if authorizer.child("authorizerResultTtlInSeconds").value().is_some() {
            self.left.add(
                &authorizer.child("authorizerResultTtlInSeconds"),
                "left out: a verdict holds as long as its token",
            );
        }
        let name = table.name.clone();
        self.plugins.push((key, table));
        Some(name)
    }

    fn issuer(&self, scheme: &Place, authorizer: &Place) -> Result<Issuer, (Place, &'static str)> {
        let kind = authorizer.text("type").unwrap_or_default().to_ascii_lowercase();
        let issuer = match &*kind {
            "jwt" => {
                let jwt = authorizer.child("jwtConfiguration");
                let issuer = jwt.text("issuer").ok_or_else(|| (jwt.clone(), "an issuer is missing"))?;
                Issuer {
                    url: issuer.to_owned(),
                    audience: strings(&jwt.child("audience")),
                    looks_in: identity(authorizer).map_err(|why| (authorizer.child("identitySource"), why))?,
                }
            }
            "cognito_user_pools" => {
                let arns = strings(&authorizer.child("providerARNs"));
                let place = authorizer.child("providerARNs");
                let [arn] = &arns[..] else { return Err((place, "a plugin knows one user pool")) };
                let header = scheme.text("name").unwrap_or("authorization").to_ascii_lowercase();
                Issuer {
                    url: user_pool(arn).ok_or((place, "this names no user pool"))?,
                    audience: vec!["*".to_owned()],
                    looks_in: vec!["authorization:Bearer".to_owned(), format!("header:{header}")],
                }
            }
            "token" | "request" => {
                return Err((authorizer.clone(), "a Lambda authorizer: run its code as a plugin, see docs/lambda.md"));
            }
            "" => {
                return Err((
                    scheme.clone(),
                    match scheme.text("type").unwrap_or_default() {
                        "apiKey" => {
                            "keys are not in the document: give the routes `api_key = \"required\"` and a usage plan, or the plugin api-key"
                        }
                        "http" if scheme.text("scheme").is_some_and(|name| name.eq_ignore_ascii_case("basic")) => {
                            "users are not in the document: add the plugin basic-auth to the routes"
                        }
                        "http" | "oauth2" | "openIdConnect" => {
                            "the issuer and its keys are not in the document: add the plugin jwt or jwt-remote to the routes"
                        }
                        "mutualTLS" => "certificates of clients are of a listener: see docs/configuration.md",
                        _ => "this scheme is not known",
                    },
                ));
            }
            _ => return Err((authorizer.clone(), "this kind of authorizer is not known")),
        };
        match issuer.url.starts_with("https://") || issuer.url.starts_with("http://") {
            true => Ok(issuer),
            false => Err((authorizer.clone(), "the issuer is not a URL")),
        }
    }
}

/// Who issues tokens, and where they are in a request.
struct Issuer {
    url: String,
    audience: Vec<String>,
    looks_in: Vec<String>,
}

/// `$request.header.Authorization`, one or a list.
fn identity(authorizer: &Place) -> Result<Vec<String>, &'static str> {
    let place = authorizer.child("identitySource");
    let sources = match place.value().and_then(serde_json::Value::as_str) {
        Some(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        None => strings(&place),
    };
    let read = |source: &String| {
        let part = source.strip_prefix("$request.").or_else(|| source.strip_prefix("method.request."))?;
        match part.split_once('.')? {
            ("header", name) if name.eq_ignore_ascii_case("authorization") => Some("authorization:Bearer".to_owned()),
            ("header", name) => Some(format!("header:{}", name.to_ascii_lowercase())),
            ("querystring", name) => Some(format!("query:{name}")),
            _ => None,
        }
    };
    sources.iter().map(read).collect::<Option<_>>().ok_or("a token is looked for in headers and in the query only")
}

/// `arn:aws:cognito-idp:us-east-1:1234:userpool/us-east-1_Ab1` as the issuer of its tokens.
fn user_pool(arn: &str) -> Option<String> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", _, "cognito-idp", region, _, pool] = parts[..] else { return None };
    let pool = pool.strip_prefix("userpool/")?;
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    (plain(region) && plain(pool)).then(|| format!("https://cognito-idp.{region}.amazonaws.com/{pool}"))
}

pub(super) fn strings(place: &Place) -> Vec<String> {
    let list = place.value().and_then(serde_json::Value::as_array).into_iter().flatten();
    list.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

/// A list of texts as a value.
pub(super) fn list(texts: &[String]) -> Value {
    Value::Array(texts.iter().cloned().map(Value::String).collect())
}
