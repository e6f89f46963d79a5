//! CORS: that of the whole API (`x-amazon-apigateway-cors`), and mock answers to `OPTIONS` that are preflights.

use serde_json::Value;

use super::{
    Import,
    authorizer::strings,
    integration::constant,
    table::{self, Table},
};
use crate::openapi::{Operation, Place};

/// What a policy says.
#[derive(Default)]
struct Policy {
    origins: Vec<String>,
    methods: Vec<String>,
    headers: Vec<String>,
    exposed: Vec<String>,
    credentials: bool,
    max_age: Option<u64>,
}

impl Import<'_> {
    /// The policies of the document.
    pub(super) fn read_cors(&mut self) {
        let place = self.root.child("x-amazon-apigateway-cors");
        if place.value().is_some() {
            let policy = Policy {
                origins: strings(&place.child("allowOrigins")),
                methods: strings(&place.child("allowMethods")),
                headers: strings(&place.child("allowHeaders")),
                exposed: strings(&place.child("exposeHeaders")),
                credentials: place.flag("allowCredentials"),
                max_age: place.value().and_then(|value| value.get("maxAge")?.as_u64()),
            };
            self.cors_of_all = self.policy(&place, "api", policy);
        }
        let operations = self.operations;
        if self.cors_of_all.is_some() {
            return;
        }
        for operation in operations.iter().filter(|operation| is_options(operation)) {
            if let Some((place, policy)) = preflight(operation)
                && let Some(name) = self.policy(&place, &operation.path, policy)
            {
                self.cors_of.push((operation.path.clone(), name));
            }
        }
    }

    /// The policy of an operation's answers.
    pub(super) fn cors_of(&self, operation: &Operation) -> Option<String> {
        let own = self.cors_of.iter().find(|(path, _)| *path == operation.path).map(|(_, name)| name.clone());
        own.or_else(|| self.cors_of_all.clone())
    }

    /// Whether an operation only answers preflights, which its policy does from now on.
    pub(super) fn is_preflight(&self, operation: &Operation) -> bool {
        is_options(operation) && self.cors_of(operation).is_some() && preflight(operation).is_some()
    }

    fn policy(&mut self, place: &Place, like: &str, policy: Policy) -> Option<String> {
        let mut table = Table::new("cors", "");
        table.texts("allow_origins", policy.origins.iter().map(String::as_str));
        // Without any, those of the route are allowed.
        if !policy.methods.is_empty() && !policy.methods.iter().any(|method| method == "*") {
            table.texts("allow_methods", policy.methods.iter().map(String::as_str));
        }
        for (key, names) in [("allow_headers", &policy.headers), ("expose_headers", &policy.exposed)] {
            match names.iter().any(|name| name == "*") {
                true => table.texts(key, ["*"]),
                false if names.is_empty() => {}
                false => table.texts(key, names.iter().map(String::as_str)),
            }
        }
        if policy.credentials {
            table.value("allow_credentials", toml::Value::Boolean(true));
        }
        if let Some(seconds) = policy.max_age {
            table.text("max_age", &format!("{}s", seconds.min(86_400)));
        }
        if let Some(known) = self.cors.iter().find(|known| known.is_as(&table)) {
            return Some(known.name.clone());
        }
        let name = self.names.unique("cors", like);
        table.name = name;
        match table::sound(&table, &[]) {
            Ok(()) => {
                self.cors.push(table.clone());
                Some(table.name)
            }
            Err(why) => {
                self.left.add(place, format!("left out, so that no other origin may: {why}"));
                None
            }
        }
    }
}

fn is_options(operation: &Operation) -> bool {
    operation.method == Some(http::Method::OPTIONS)
}

/// What a mock answer to `OPTIONS` says of CORS.
fn preflight(operation: &Operation) -> Option<(Place, Policy)> {
    let integration = operation.place.child("x-amazon-apigateway-integration");
    if !integration.text("type").is_some_and(|kind| kind.eq_ignore_ascii_case("mock")) {
        return None;
    }
    let parameters = integration.child("responses").children().into_iter().next()?.1.child("responseParameters");
    let header = |name: &str| {
        let members = parameters.value().and_then(Value::as_object)?;
        let known = format!("method.response.header.{name}");
        let (_, value) = members.iter().find(|(key, _)| key.eq_ignore_ascii_case(&known))?;
        constant(value.as_str()?).map(str::to_owned)
    };
    let list = |name: &str| {
        let text = header(name).unwrap_or_default();
        text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let origin = header("access-control-allow-origin")?;
    let policy = Policy {
        origins: vec![origin],
        methods: list("access-control-allow-methods"),
        headers: list("access-control-allow-headers"),
        exposed: Vec::new(),
        credentials: header("access-control-allow-credentials").as_deref() == Some("true"),
        max_age: header("access-control-max-age").and_then(|text| text.parse().ok()),
    };
    Some((integration, policy))
}
