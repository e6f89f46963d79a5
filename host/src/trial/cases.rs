//! The file of cases: what a plugin is given, and what must come of it. Read as it is written; a mistake is shown with its
//! position, as in a configuration.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::config::{Problem, Problems, Source};

/// Cases, with what holds for all of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// The plugin's configuration.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// The plugin's limits, as in a gateway's configuration.
    #[serde(default)]
    pub limits: Map<String, Value>,
    /// In their order.
    #[serde(default, rename = "case")]
    pub cases: Vec<Case>,
}

/// One exchange or several, one after the other, with one instance of the plugin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it claims.
    pub name: String,
    /// In the place of that of all cases.
    pub config: Option<Map<String, Value>>,
    /// The route that the requests take.
    #[serde(default)]
    pub route: Route,
    /// Key-value state: by bucket, then by key.
    #[serde(default)]
    pub state: BTreeMap<String, BTreeMap<String, String>>,
    /// Exchanges after the first.
    #[serde(default)]
    pub then: Vec<Step>,
    /// The first.
    #[serde(default)]
    request: Request,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    response: Option<Message>,
    clock: Option<Clock>,
    #[serde(default)]
    http: Vec<Http>,
    expect: Expect,
}

/// The route of a case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Its path template; none: any path.
    pub path: Option<String>,
}

impl Default for Route {
    fn default() -> Self {
        Self { name: "test".to_owned(), path: None }
    }
}

/// One exchange.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the client sends.
    #[serde(default)]
    pub request: Request,
    /// What earlier plugins have set, by full name.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// What the upstream answers; nothing but 200 by default.
    pub response: Option<Message>,
    /// What time it is; that of the step before by default, and 2026-01-01T00:00:00Z at first.
    pub clock: Option<Clock>,
    /// What the plugin's own requests get.
    #[serde(default)]
    pub http: Vec<Http>,
    /// What must come of it.
    pub expect: Expect,
}

/// A request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// `GET` by default.
    pub method: String,
    /// With its query; `/` by default.
    pub path: String,
    /// `localhost` by default.
    pub host: String,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The client's address.
    pub client: std::net::IpAddr,
    /// By name.
    pub headers: BTreeMap<String, Values>,
    /// Its body.
    pub body: Body,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            host: "localhost".to_owned(),
            scheme: Scheme::Http,
            client: std::net::Ipv4Addr::LOCALHOST.into(),
            headers: BTreeMap::new(),
            body: Body::default(),
        }
    }
}

/// How a client reaches the gateway.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Scheme {
    Http,
    Https,
}

/// An answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Message {
    /// 200 by default.
    pub status: u16,
    /// By name.
    pub headers: BTreeMap<String, Values>,
    /// Its body.
    pub body: Body,
}

impl Default for Message {
    fn default() -> Self {
        Self { status: 200, headers: BTreeMap::new(), body: Body::default() }
    }
}

/// What a request of the plugin gets.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// `GET` by default.
    #[serde(default = "get")]
    pub method: String,
    /// All of it.
    pub url: String,
    /// 200 by default.
    #[serde(default = "ok")]
    pub status: u16,
    /// By name.
    #[serde(default)]
    pub headers: BTreeMap<String, Values>,
    /// Its body.
    #[serde(default)]
    pub body: Body,
    /// In the place of an answer.
    pub error: Option<HttpError>,
}

/// How a request of the plugin fails.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpError {
    /// The operator has not granted it.
    Denied,
    /// Nobody listens.
    Refused,
    /// No answer comes.
    Timeout,
}

fn get() -> String {
    "GET".to_owned()
}

fn ok() -> u16 {
    200
}

/// A time as in TOML and RFC 3339, since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Clock(pub Duration);

impl<'de> Deserialize<'de> for Clock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let time = toml::value::Datetime::deserialize(deserializer)?.to_string();
        let time = humantime::parse_rfc3339(&time).ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        time.map(Self).ok_or_else(|| de::Error::custom("a time is like 2026-01-01T00:00:00Z, in UTC"))
    }
}

/// The values of a header: a text, or several for as many fields.
#[derive(Debug, Clone)]
pub struct Values(pub Vec<String>);

/// The pieces of a body: a text, several for as many pieces, or `{ hex = ".." }`.
#[derive(Debug, Clone, Default)]
pub struct Body(pub Vec<Vec<u8>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
    Hex { hex: String },
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match OneOrMore::deserialize(deserializer) {
            Ok(OneOrMore::One(value)) => Ok(Self(vec![value])),
            Ok(OneOrMore::More(values)) => Ok(Self(values)),
            _ => Err(de::Error::custom("a header is a text, or a list of texts")),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || de::Error::custom("a body is a text, a list of texts (its pieces), or `{ hex = \"..\" }`");
        Ok(Self(match OneOrMore::deserialize(deserializer) {
            Ok(OneOrMore::One(text)) => vec![text.into_bytes()],
            Ok(OneOrMore::More(texts)) => texts.into_iter().map(String::into_bytes).collect(),
            Ok(OneOrMore::Hex { hex }) => vec![from_hex(&hex).ok_or_else(wrong)?],
            Err(_) => return Err(wrong()),
        }))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?, 16).ok()).collect()
}

/// What must come of an exchange. What is not said may be anything, but for a failure. `false`: it must not be there.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    verdict: Option<Value>,
    principal: Option<Value>,
    attributes: Option<Value>,
    reason: Option<Value>,
    max_age: Option<Value>,
    reads: Option<Value>,
    request: Option<Value>,
    reply: Option<Value>,
    response: Option<Value>,
    failure: Option<Value>,
    error: Option<Value>,
    stack: Option<Value>,
    log: Option<Value>,
    output: Option<Value>,
    http: Option<Value>,
    state: Option<Value>,
    /// A part of the reason for which the plugin does not start with its configuration.
    #[serde(skip_serializing)]
    pub refused: Option<String>,
    /// The most that it may take.
    #[serde(skip_serializing)]
    pub within: Within,
}

/// The most that an exchange may take.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Within {
    /// Of all its hooks, in milliseconds.
    pub time_ms: Option<f64>,
    /// The instance's memory, in bytes.
    pub memory: Option<u64>,
}

impl Expect {
    /// As JSON.
    pub fn json(&self) -> Value {
        let mut all = serde_json::to_value(self).expect("values of JSON make an object");
        let object = all.as_object_mut().expect("a struct is an object");
        object.retain(|_, value| !value.is_null());
        object.entry("failure").or_insert(Value::Bool(false));
        all
    }
}

impl Cases {
    /// Reads a file.
    pub fn read(file: &Path) -> Result<Self, Problems> {
        let source = Source::open(file)?;
        let cases: Self = match toml::from_str(&source.text) {
            Ok(cases) => cases,
            Err(error) => {
                let problem = Problem::at(error.span().unwrap_or(0..0), error.message().trim_end().to_owned());
                return Err(Problems::new(source, vec![problem]));
            }
        };
        if cases.cases.is_empty() {
            let problem = Problem::at(0..0, "there is no case: each begins with `[[case]]`".to_owned());
            return Err(Problems::new(source, vec![problem]));
        }
        Ok(cases)
    }
}

impl Case {
    /// Its exchanges.
    pub fn steps(&self) -> Vec<Step> {
        let first = Step {
            request: self.request.clone(),
            attributes: self.attributes.clone(),
            response: self.response.clone(),
            clock: self.clock,
            http: self.http.clone(),
            expect: self.expect.clone(),
        };
        std::iter::once(first).chain(self.then.iter().cloned()).collect()
    }
}

impl Scheme {
    /// As in a URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl HttpError {
    /// As in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
        }
    }
}
