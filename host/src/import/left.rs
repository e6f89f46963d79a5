//! The list of what is left out, each once and with its place.

use std::collections::HashSet;

use crate::{logs::foreign, openapi::Place};

/// The longest line.
const LONGEST: usize = 1 << 10;

/// Extensions of the whole document that no configuration has, and what to do instead.
const ROOT: [(&str, &str); 12] = [
    ("x-amazon-apigateway-policy", "a resource policy: an authorizer decides who may"),
    ("x-amazon-apigateway-api-key-source", "API keys: `api_key` of a route says where they come from"),
    ("x-amazon-apigateway-binary-media-types", "bodies pass as they are, so there is nothing to say"),
    (
        "x-amazon-apigateway-minimum-compression-size",
        "it is `min_bytes` of `[compression]`, which is off until a route says so",
    ),
    ("x-amazon-apigateway-endpoint-configuration", "where it listens is in `[listeners.public]`"),
    ("x-amazon-apigateway-endpoint-access-mode", "where it listens is in `[listeners.public]`"),
    ("x-amazon-apigateway-security-policy", "TLS is in `[listeners.public.tls]`"),
    ("x-amazon-apigateway-documentation", "documentation is not part of a configuration"),
    ("x-amazon-apigateway-importexport-version", "nothing to say"),
    ("x-amazon-apigateway-tag-value", "nothing to say"),
    ("x-amazon-apigateway-integration", "an integration belongs to an operation"),
    ("webhooks", "those are requests that the API sends"),
];

/// Extensions that are looked at, or told of elsewhere.
const KNOWN: [&str; 6] = [
    "x-amazon-apigateway-request-validator",
    "x-amazon-apigateway-request-validators",
    "x-amazon-apigateway-cors",
    "x-amazon-apigateway-gateway-responses",
    "x-amazon-apigateway-authorizers",
    "x-amazon-apigateway-integrations",
];

/// What is left out, in the order of the document's parts as they were looked at.
#[derive(Default)]
pub(super) struct LeftOut {
    lines: Vec<String>,
    seen: HashSet<String>,
}

impl LeftOut {
    pub(super) fn add(&mut self, place: &Place, why: impl std::fmt::Display) {
        self.line(place.wrong(why));
    }

    /// A line that has its place already. It is a comment of the configuration too, so it is one line whatever is in it.
    pub(super) fn line(&mut self, line: String) {
        let line = foreign(&line, LONGEST).into_owned();
        if self.seen.insert(line.clone()) {
            self.lines.push(line);
        }
    }

    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// What is said of the whole document.
    pub(super) fn of_root(&mut self, root: &Place) {
        for (name, place) in root.children() {
            match ROOT.iter().find(|(known, _)| *known == name) {
                Some((_, why)) => self.add(&place, format!("left out: {why}")),
                None if name.starts_with("x-amazon-") && !KNOWN.contains(&&*name) => {
                    self.add(&place, "left out: this extension is not known");
                }
                None => {}
            }
        }
    }

    /// Extensions of an operation that nobody looks at.
    pub(super) fn of_operation(&mut self, place: &Place) {
        for (name, place) in place.children().into_iter().filter(|(name, _)| name.starts_with("x-amazon-")) {
            if name != "x-amazon-apigateway-integration" && !KNOWN.contains(&&*name) {
                self.add(&place, "left out: this extension is not mapped");
            }
        }
    }
}
