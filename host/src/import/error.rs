//! `x-amazon-apigateway-gateway-responses` as `[errors.CODE]`.

use super::{
    Import,
    integration::constant,
    table::{self, Table},
};
use crate::openapi::Place;

/// Which failures an answer of AWS is for: docs/configuration.md "Errors".
const CODES: [(&str, &[&str]); 16] = [
    ("DEFAULT_4XX", &["4xx"]),
    ("DEFAULT_5XX", &["5xx"]),
    ("BAD_REQUEST_BODY", &["invalid_request"]),
    ("BAD_REQUEST_PARAMETERS", &["invalid_request"]),
    ("UNAUTHORIZED", &["unauthorized", "identity_missing"]),
    ("RESOURCE_NOT_FOUND", &["route_not_found"]),
    ("MISSING_AUTHENTICATION_TOKEN", &["route_not_found", "method_not_allowed"]),
    ("REQUEST_TOO_LARGE", &["body_too_large"]),
    ("UNSUPPORTED_MEDIA_TYPE", &["unsupported_media_type"]),
    ("INVALID_API_KEY", &["api_key_missing", "api_key_invalid"]),
    ("THROTTLED", &["rate_limited", "concurrency_limited"]),
    ("QUOTA_EXCEEDED", &["quota_exceeded"]),
    ("AUTHORIZER_FAILURE", &["plugin_error", "plugin_trap"]),
    ("AUTHORIZER_CONFIGURATION_ERROR", &["plugin_invalid"]),
    ("INTEGRATION_FAILURE", &["upstream_unreachable", "upstream_broken"]),
    ("INTEGRATION_TIMEOUT", &["upstream_connect_timeout", "upstream_timeout"]),
];

/// Variables of AWS's templates and the references that they are; in this order, since some begin like others.
const VARIABLES: [(&str, &str); 7] = [
    ("$context.error.messageString", "\"${error.message}\""),
    ("$context.error.message", "${error.message}"),
    ("$context.error.validationErrorString", "${error.message}"),
    ("$context.error.responseType", "${error.code}"),
    ("$context.extendedRequestId", "${request.id}"),
    ("$context.requestId", "${request.id}"),
    ("$context.identity.sourceIp", "${request.client-ip}"),
];

impl Import<'_> {
    /// The answers to failures.
    pub(super) fn errors(&mut self) {
        for (name, place) in self.root.child("x-amazon-apigateway-gateway-responses").children() {
            let Some((_, codes)) = CODES.iter().find(|(known, _)| *known == name) else {
                self.left.add(&place, "left out: no failure here is like it");
                continue;
            };
            for code in *codes {
                if self.errors.iter().any(|table| table.name == *code) {
                    self.left.add(&place, format!("`[errors.{code}]` is there already: the first counts"));
                    continue;
                }
                if let Some(table) = self.error(code, &place) {
                    self.errors.push(table);
                }
            }
        }
    }

    fn error(&mut self, code: &str, place: &Place) -> Option<Table> {
        let mut table = Table::new("errors", code);
        let mut says = false;
        let status = place.child("statusCode");
        match status.value().and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok())) {
            Some(number @ 400..=599) => {
                says = true;
                table.value("status", toml::Value::Integer(number.cast_signed()));
            }
            None if status.value().is_none() => {}
            _ => self.left.add(&status, "left out: the status of a failure is 400 to 599"),
        }
        let mut headers = self.headers(place);
        if let Some((kind, body)) = self.body(place) {
            says = true;
            if kind != "application/json" {
                headers.push(("content-type".to_owned(), kind));
            }
            table.text("body", &body);
        }
        if !headers.is_empty() {
            says = true;
            table.pairs("headers", &headers);
        }
        match table::sound(&table, &[]) {
            Ok(()) => says.then_some(table),
            Err(why) => {
                self.left.add(place, format!("left out: {why}"));
                None
            }
        }
    }

    fn headers(&mut self, place: &Place) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        for (name, at) in place.child("responseParameters").children() {
            let value = at.value().and_then(serde_json::Value::as_str).and_then(constant).map(str::to_owned);
            let header = name.strip_prefix("gatewayresponse.header.").map(str::to_ascii_lowercase);
            match (header, value) {
                (Some(header), _) if header.starts_with("access-control-") => {
                    self.left.add(&at, "left out: what CORS says of every answer is in `[cors.NAME]`");
                }
                (Some(header), Some(value)) => headers.push((header, value)),
                _ => self.left.add(&at, "left out: only headers with a constant are set"),
            }
        }
        headers
    }

    /// The media type and the text of a body.
    fn body(&mut self, place: &Place) -> Option<(String, String)> {
        let templates = place.child("responseTemplates").children();
        let json = templates.iter().position(|(kind, _)| kind == "application/json").unwrap_or(0);
        for (index, (_, other)) in templates.iter().enumerate() {
            if index != json {
                self.left.add(other, "left out: a failure has one body");
            }
        }
        let (kind, at) = templates.into_iter().nth(json)?;
        let mut text = at.value()?.as_str()?.to_owned();
        for (variable, reference) in VARIABLES {
            text = text.replace(variable, reference);
        }
        // Within quotes already.
        text = text.replace("\"\"${error.message}\"\"", "\"${error.message}\"");
        let rest =
            VARIABLES.iter().fold(text.clone(), |rest, (_, reference)| rest.replace(reference.trim_matches('"'), ""));
        if rest.contains('$') || rest.contains("#set") || rest.contains("#if") || rest.contains("#foreach") {
            self.left.add(&at, "left out: a template in another language than texts with references");
            return None;
        }
        let mut trial = Table::new("errors", "4xx");
        trial.text("body", &text);
        trial.pairs("headers", &[("content-type".to_owned(), kind.clone())]);
        match table::sound(&trial, &[]) {
            Ok(()) => Some((kind, text)),
            Err(why) => {
                self.left.add(&at, format!("left out: {why}"));
                None
            }
        }
    }
}
