//! What came of an exchange on a stage, in the words in which a case expects it.

use std::{collections::BTreeMap, time::Duration};

use http::HeaderMap;
use serde::Serialize;
use serde_json::Value;

use crate::{
    exchange::{Exchange, Field, isomorphic_decode},
    plugin::{Heard, PluginReply, Reads},
};

/// What came of an exchange. What is not there is left out when it is written.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// `allow`, `deny` or `abstain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    /// Whom an authorizer has let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// What a denial says for the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how many seconds the plugin said that its verdict holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
    /// What an authorizer has read: a kept verdict holds for requests that agree in all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<Vec<String>>,
    /// The code of the failure that has ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<&'static str>,
    /// What the log would say of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The functions that it was in when it trapped, the innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<String>,
    /// Lines of the log, with their levels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// Lines of output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// The plugin's own requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// What the plugin has set, by full name, without the principal.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// What goes to the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Sent>,
    /// What the plugin has answered in the upstream's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Answered>,
    /// What goes to the client, when the upstream has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Answered>,
    /// Key-value state at the end.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub state: BTreeMap<String, BTreeMap<String, String>>,
    /// Requests of the plugin that nobody has written an answer for.
    #[serde(skip)]
    pub unanswered: Vec<String>,
    /// What it took.
    #[serde(skip)]
    pub cost: Cost,
}

/// A request that goes to the upstream.
#[derive(Debug, Serialize)]
pub struct Sent {
    method: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    headers: BTreeMap<String, Value>,
    body: Value,
}

/// An answer.
#[derive(Debug, Serialize)]
pub struct Answered {
    status: u16,
    headers: BTreeMap<String, Value>,
    body: Value,
}

/// What an exchange took.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cost {
    /// Wall time of the hooks.
    pub time: Duration,
    /// Bytes of the instance's memory.
    pub memory: usize,
}

impl Outcome {
    pub(super) fn sent(&mut self, exchange: &Exchange, body: &[u8]) {
        let request = &exchange.request;
        self.request = Some(Sent {
            method: request.method.to_string(),
            path: request.target.path().to_owned(),
            query: request.target.query().map(ToOwned::to_owned),
            headers: headers(&request.headers),
            body: text(body),
        });
    }

    pub(super) fn replied(&mut self, reply: &PluginReply) {
        let PluginReply { status, headers: fields, body } = reply;
        self.reply = Some(Answered { status: status.as_u16(), headers: headers(fields), body: text(body) });
    }

    pub(super) fn answered(&mut self, exchange: &Exchange, body: &[u8]) {
        self.response = exchange.response.as_ref().map(|head| Answered {
            status: head.status.as_u16(),
            headers: headers(&head.headers),
            body: text(body),
        });
    }

    pub(super) fn heard(&mut self, heard: Heard) {
        let Heard { log, output, http, unanswered } = heard;
        (self.log, self.output, self.http, self.unanswered) = (log, output, http, unanswered);
    }

    /// What was set beside what was there.
    pub(super) fn attributes(&mut self, exchange: &Exchange, before: &BTreeMap<String, String>) {
        for (name, value) in &exchange.attributes {
            match &**name {
                "auth.principal" if before.get(&**name).is_none_or(|old| **old != **value) => {
                    self.principal = Some(value.to_string());
                }
                name if before.get(name).is_none_or(|old| **old != **value) => {
                    self.attributes.insert(name.to_owned(), value.to_string());
                }
                _ => {}
            }
        }
    }

    pub(super) fn read(&mut self, reads: &Reads) {
        let Reads::On { fields, outside } = reads else { return };
        let mut names: Vec<_> = fields.iter().map(name).collect();
        names.sort();
        if *outside {
            names.push("outside".to_owned());
        }
        self.reads = Some(names);
    }
}

/// `header:x-key`
fn name(field: &Field) -> String {
    let kind = match field {
        Field::Method => "method",
        Field::Path => "path",
        Field::Query => "query",
        Field::QueryParam(_) => "query-param",
        Field::PathParam(_) => "path-param",
        Field::Scheme => "scheme",
        Field::Authority => "authority",
        Field::Protocol => "protocol",
        Field::Header(_) => "header",
        Field::Headers => "headers",
        Field::Cookie(_) => "cookie",
        Field::ClientIp => "client-ip",
        Field::Attribute(_) => "attribute",
        Field::Attributes => "attributes",
        Field::Volatile => "volatile",
    };
    match field.name() {
        "" => kind.to_owned(),
        name => format!("{kind}:{name}"),
    }
}

fn headers(fields: &HeaderMap) -> BTreeMap<String, Value> {
    let values = |name| {
        let mut values: Vec<Value> =
            fields.get_all(name).iter().map(|value| isomorphic_decode(value.as_bytes()).into()).collect();
        if values.len() == 1 { values.remove(0) } else { values.into() }
    };
    fields.keys().map(|name| (name.to_string(), values(name))).collect()
}

/// As text where it is one.
pub(super) fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => serde_json::json!({ "hex": data_encoding::HEXLOWER.encode(bytes) }),
    }
}
