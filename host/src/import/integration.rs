//! `x-amazon-apigateway-integration`: where the requests of an operation go.

use serde_json::Value;

use super::{
    Import, server,
    table::{self, Table},
};
use crate::openapi::{Operation, Place};

/// What an integration becomes.
pub(super) enum Target {
    /// Requests go to an origin, with another path if need be, and with headers.
    Upstream { origin: String, rewrite: Option<Rewrite>, headers: Vec<(String, String)> },
    /// An answer is written.
    Respond { status: u64, headers: Vec<(String, String)>, body: String },
    /// It is not taken over, which is listed.
    Nothing,
}

/// Names and what they are.
type Pairs = Vec<(String, String)>;

/// How a path changes on its way: the configuration of the plugin transform.
#[derive(Clone)]
pub(super) struct Rewrite(pub(super) Vec<(&'static str, String)>);

/// Keys that say what is done.
const MAPPED: [&str; 12] = [
    "type",
    "uri",
    "httpMethod",
    "responses",
    "requestParameters",
    "requestTemplates",
    "payloadFormatVersion",
    "passthroughBehavior",
    "connectionType",
    "$ref",
    "integrationSubtype",
    "contentHandling",
];

/// `'text'`
pub(super) fn constant(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'')
}

impl Import<'_> {
    /// Where the requests of an operation go. `path` is that of its route.
    pub(super) fn target(&mut self, operation: &Operation, path: &str) -> Target {
        let place = operation.place.child("x-amazon-apigateway-integration");
        if place.value().is_none() {
            return self.by_server(operation);
        }
        let place = match place.text("$ref").map(|_| self.documents.resolve(&place)) {
            Some(Ok(place)) => place,
            Some(Err(why)) => {
                self.left.line(why);
                return Target::Nothing;
            }
            None => place,
        };
        for (name, at) in place.children() {
            if !MAPPED.contains(&&*name) {
                self.left.add(&at, "left out: nothing here is like it");
            }
        }
        match place.text("type").unwrap_or_default().to_ascii_lowercase().as_str() {
            "mock" => self.mock(&place),
            kind @ ("http" | "http_proxy") => {
                if kind == "http" {
                    self.not_mapped(&place, &["requestTemplates", "responses"]);
                }
                self.http(operation, &place, path)
            }
            "aws" | "aws_proxy" => {
                let lambda = place.text("uri").is_some_and(|uri| uri.contains(":lambda:"));
                let why = match lambda {
                    true => {
                        "a Lambda function: what has to run before the upstream can be a plugin, see docs/lambda.md"
                    }
                    false => "an AWS service cannot be called: put a server in front of it",
                };
                self.left.add(&place, why);
                Target::Nothing
            }
            _ => {
                self.left.add(&place, "this kind of integration is not known");
                Target::Nothing
            }
        }
    }

    fn by_server(&mut self, operation: &Operation) -> Target {
        let upstream = |origin| Target::Upstream { origin, rewrite: None, headers: Vec::new() };
        if let Some(origin) = &self.options.upstream {
            return upstream(origin.clone());
        }
        let server = server::of(operation, &self.root);
        match server.as_ref().map(server::read) {
            Some(Ok(server::Server { origin: Some(origin), .. })) => return upstream(origin),
            Some(Err(why)) => self.left.add(server.as_ref().unwrap_or(&self.root), why),
            _ => {}
        }
        self.left.add(&operation.place, "nothing says where its requests go: name it with `--upstream`");
        Target::Nothing
    }

    fn not_mapped(&mut self, place: &Place, keys: &[&str]) {
        for key in keys {
            let at = place.child(key);
            if !at.children().is_empty() {
                self.left.add(&at, "left out: bodies pass as they are, templates are not understood");
            }
        }
    }

    fn mock(&mut self, place: &Place) -> Target {
        let responses = place.child("responses").children();
        let default = responses.iter().position(|(name, _)| name == "default").unwrap_or(0);
        for (index, (_, other)) in responses.iter().enumerate() {
            if index != default {
                self.left.add(other, "left out: a route has one answer");
            }
        }
        let Some((_, response)) = responses.into_iter().nth(default) else {
            return Target::Respond { status: 200, headers: Vec::new(), body: String::new() };
        };
        let code = response.child("statusCode");
        let status = code.value().and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
        let mut headers = Vec::new();
        for (name, at) in response.child("responseParameters").children() {
            let value = at.value().and_then(Value::as_str).and_then(constant);
            match (name.strip_prefix("method.response.header."), value) {
                (Some(name), Some(value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
                _ => self.left.add(&at, "left out: only headers with a constant are set"),
            }
        }
        let mut body = String::new();
        if let Some((kind, at)) = response.child("responseTemplates").children().into_iter().next() {
            match at.value().and_then(Value::as_str) {
                Some(text) if !text.contains(['$', '#']) => {
                    body = text.to_owned();
                    if !body.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
                        headers.push(("content-type".to_owned(), kind));
                    }
                }
                _ => self.left.add(&at, "left out: templates are not understood"),
            }
        }
        Target::Respond { status: status.unwrap_or(200), headers, body }
    }

    fn http(&mut self, operation: &Operation, place: &Place, path: &str) -> Target {
        let at = place.child("uri");
        let uri = place.text("uri").unwrap_or_default().to_owned();
        let method = place.text("httpMethod").unwrap_or("ANY").to_ascii_uppercase();
        let asked = operation.method.as_ref().map_or("ANY", http::Method::as_str);
        if method != "ANY" && method != asked {
            self.left.add(&place.child("httpMethod"), format!("the method of a request stays as it is: {asked}"));
            return Target::Nothing;
        }
        let Some((scheme @ ("http" | "https"), rest)) = uri.split_once("://") else {
            self.left.add(&at, "this is no URL of `http` or `https`");
            return Target::Nothing;
        };
        let (host, to) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if host.contains(['{', '}', '$']) || to.contains(['$', '?', '#']) {
            self.left.add(&at, "a host with variables, or a query: write the upstream by hand");
            return Target::Nothing;
        }
        let (renamed, headers) = self.parameters(place);
        match rewrite(path, if to.is_empty() { "/" } else { to }, &renamed) {
            Ok(rewrite) => Target::Upstream { origin: format!("{scheme}://{host}"), rewrite, headers },
            Err(why) => {
                self.left.add(&at, why);
                Target::Nothing
            }
        }
    }

    /// `requestParameters`: which parameters of the path have which names in the URI, and which headers are set.
    fn parameters(&mut self, place: &Place) -> (Pairs, Pairs) {
        let (mut renamed, mut headers) = (Vec::new(), Vec::new());
        for (name, at) in place.child("requestParameters").children() {
            let from = at.value().and_then(Value::as_str).unwrap_or_default();
            let target = name.strip_prefix("integration.request.").and_then(|name| name.split_once('.'));
            let source = from.strip_prefix("method.request.").and_then(|from| from.split_once('.'));
            match (target, source) {
                (Some(("path", to)), Some(("path", from))) => renamed.push((to.to_owned(), from.to_owned())),
                // It passes by itself.
                (Some((kind, to)), Some((from_kind, from))) if kind == from_kind && to == from => {}
                (Some(("header", to)), _) => match reference(from) {
                    Some(text) if self.can_set(to, &text) => headers.push((to.to_ascii_lowercase(), text)),
                    _ => self.left.add(&at, "left out: this header is not set"),
                },
                _ => self.left.add(&at, "left out: parameters pass as they are"),
            }
        }
        (renamed, headers)
    }

    fn can_set(&self, name: &str, text: &str) -> bool {
        let mut table = Table::new("routes", "x");
        table.pairs("upstream_headers", &[(name.to_ascii_lowercase(), text.to_owned())]);
        table.text("upstream", "u");
        // Parameters of the path are held against it later.
        text.contains("${path.") || table::sound(&table, &[]).is_ok()
    }
}

/// A value of AWS's mapping as a text with references.
fn reference(from: &str) -> Option<String> {
    if let Some(text) = constant(from) {
        return (!text.contains('$')).then(|| text.to_owned());
    }
    if let Some(name) = from.strip_prefix("method.request.path.") {
        return Some(format!("${{path.{name}}}"));
    }
    match from {
        "context.requestId" | "context.extendedRequestId" => Some("${request.id}".to_owned()),
        "context.identity.sourceIp" => Some("${request.client-ip}".to_owned()),
        "context.domainName" => Some("${request.host}".to_owned()),
        "context.authorizer.principalId" | "context.authorizer.claims.sub" => Some("${auth.principal}".to_owned()),
        _ => None,
    }
}

/// How a route's path becomes that of an integration; None: it is the same.
fn rewrite(from: &str, to: &str, renamed: &[(String, String)]) -> Result<Option<Rewrite>, &'static str> {
    let mut to = to.to_owned();
    for (new, old) in renamed {
        to = to.replace(&format!("{{{new}}}"), &format!("{{{old}}}"));
    }
    let plain = from.replace("+}", "}");
    if plain == to || from == to {
        return Ok(None);
    }
    let names = |path: &str| -> Vec<String> {
        path.split('/').filter_map(|part| Some(part.strip_prefix('{')?.strip_suffix('}')?.to_owned())).collect()
    };
    if to.matches('{').count() != names(&to).len() {
        return Err("a parameter of this path is not a whole segment");
    }
    if names(&to).iter().any(|name| !names(&plain).contains(name)) {
        return Err("this path has parameters that the route has not");
    }
    if !from.ends_with("+}") {
        let path = to.replace('{', "${path.");
        return if to.contains('$') {
            Err("this path cannot be written")
        } else {
            Ok(Some(Rewrite(vec![("path", path)])))
        };
    }
    // The rest of a path is put behind another beginning.
    let (Some((old, rest)), Some((new, end))) = (plain.rsplit_once('/'), to.rsplit_once('/')) else {
        return Err("this path cannot be written");
    };
    if rest != end || old.contains('{') || new.contains('{') {
        return Err("of a path with `{proxy+}` only the beginning can change");
    }
    let rules = [("strip_prefix", old), ("add_prefix", new)];
    Ok(Some(Rewrite(
        rules.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key, text.to_owned())).collect(),
    )))
}

#[cfg(test)]
mod tests {
    use super::rewrite;

    #[test]
    fn paths_are_rewritten_where_they_differ() {
        let of = |from, to| {
            let rules = rewrite(from, to, &[("id".to_owned(), "petId".to_owned())]);
            rules.map(|rewrite| {
                rewrite.map(|rewrite| {
                    rewrite.0.iter().map(|(key, text)| format!("{key}={text}")).collect::<Vec<_>>().join(" ")
                })
            })
        };
        assert_eq!(of("/pets/{petId}", "/pets/{id}"), Ok(None));
        assert_eq!(of("/pets/{petId}", "/v2/animals/{id}"), Ok(Some("path=/v2/animals/${path.petId}".to_owned())));
        assert_eq!(of("/{proxy+}", "/{proxy}"), Ok(None));
        assert_eq!(of("/a/{proxy+}", "/b/c/{proxy}"), Ok(Some("strip_prefix=/a add_prefix=/b/c".to_owned())));
        assert_eq!(of("/a/{proxy+}", "/{proxy}"), Ok(Some("strip_prefix=/a".to_owned())));
        for (from, to) in [("/a", "/{b}"), ("/{a}/{proxy+}", "/x/{proxy}"), ("/{a}", "/x-{a}"), ("/a/{proxy+}", "/b")] {
            assert!(of(from, to).is_err(), "{from} {to}");
        }
    }
}
