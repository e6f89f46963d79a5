//! A plugin for tests: all hooks of header sections, each doing what its configuration says. It needs no grant.
//!
//! ```toml
//! [plugins.probe.config]
//! init = "panic"                      # an act while it starts
//! authorize = { verdict = "deny", status = 402 }
//! on_request = { act_header = "x-act", set_headers = { x-a = "1" } }
//! on_response = { status = 201 }
//! log = { read = ["path"] }
//! ```
//!
//! In every hook: `read` lists what is read first (`"path"`, `"header:x-key"`, `"query-param:q"`, `"attribute:auth.principal"`);
//! then `act` is done, or the act that the header named by `act_header` tells. Acts: see [`act`].
//!
//! Nothing is checked here: a status of 7 or a header named `a b` goes to the gateway as it is.

use std::{cell::Cell, collections::BTreeMap};

use gatehouse_plugin::{Attribute, clock, prelude::*, random};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Config {
    init: String,
    authorize: Authorize,
    on_request: OnRequest,
    on_response: OnResponse,
    log: Log,
}

/// What it answers.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Authorize {
    read: Vec<String>,
    act: String,
    act_header: String,
    /// `allow` (default), `deny`, `abstain` or `error`.
    verdict: String,
    /// A header whose value, if it is there, takes the place of `verdict`.
    verdict_header: String,
    principal: Option<String>,
    /// Beside these, `count` tells how often this instance was asked.
    attributes: BTreeMap<String, String>,
    set_headers: BTreeMap<String, String>,
    max_age: Option<u32>,
    /// Of a denial; default 403.
    status: Option<u16>,
    /// Of a denial. Beside these, `x-count` tells how often this instance was asked.
    headers: BTreeMap<String, String>,
    body: String,
    reason: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct OnRequest {
    read: Vec<String>,
    act: String,
    act_header: String,
    method: Option<String>,
    path: Option<String>,
    query: Option<String>,
    set_headers: BTreeMap<String, String>,
    append_headers: BTreeMap<String, String>,
    remove_headers: Vec<String>,
    attributes: BTreeMap<String, String>,
    respond: Option<Answer>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct OnResponse {
    read: Vec<String>,
    act: String,
    act_header: String,
    status: Option<u16>,
    set_headers: BTreeMap<String, String>,
    append_headers: BTreeMap<String, String>,
    remove_headers: Vec<String>,
    attributes: BTreeMap<String, String>,
    replace: Option<Answer>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Log {
    read: Vec<String>,
    act: String,
    act_header: String,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

struct Probe {
    config: Config,
    calls: Cell<u32>,
}

impl Plugin for Probe {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        act(&config.init)?;
        Ok(Self { config, calls: Cell::new(0) })
    }
}

impl Authorizer for Probe {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        let it = &self.config.authorize;
        self.calls.set(self.calls.get() + 1);
        let count = self.calls.get().to_string();
        let done = prepare(request, &it.read, &it.act, &it.act_header)?;
        let verdict = chosen(request, &it.verdict_header, &it.verdict);
        match verdict.as_str() {
            "" | "allow" => {
                let mut attributes = pairs(&it.attributes, Attribute::new);
                attributes.push(Attribute::new("count", count));
                attributes.extend(done.map(|done| Attribute::new("act", done)));
                let request_headers = pairs(&it.set_headers, set);
                Grant { principal: it.principal.clone(), attributes, request_headers, max_age: it.max_age }.into()
            }
            "deny" => {
                let mut headers = pairs(&it.headers, Header::new);
                headers.push(Header::new("x-count", count));
                let (status, body) = (it.status.unwrap_or(403), it.body.clone().into_bytes());
                Denial { status, headers, body, reason: it.reason.clone(), max_age: it.max_age }.into()
            }
            "abstain" => Ok(Verdict::Abstain),
            other => Err(other)?,
        }
    }
}

impl RequestFilter for Probe {
    fn on_request(&self, request: &Request) -> Result<RequestAction> {
        let it = &self.config.on_request;
        let done = prepare(request, &it.read, &it.act, &it.act_header)?;
        if let Some(answer) = &it.respond {
            return answer.reply().into();
        }
        let mut edit = RequestEdit {
            method: it.method.clone(),
            path: it.path.clone(),
            query: it.query.clone(),
            headers: edits(&it.set_headers, &it.append_headers, &it.remove_headers),
            attributes: pairs(&it.attributes, Attribute::new),
        };
        edit.attributes.extend(done.map(|done| Attribute::new("act", done)));
        if edit == RequestEdit::new() { Ok(RequestAction::Unchanged) } else { edit.into() }
    }
}

impl ResponseFilter for Probe {
    fn on_response(&self, request: &Request, _response: &Response) -> Result<ResponseAction> {
        let it = &self.config.on_response;
        let done = prepare(request, &it.read, &it.act, &it.act_header)?;
        if let Some(answer) = &it.replace {
            return answer.reply().into();
        }
        let mut edit = ResponseEdit {
            status: it.status,
            headers: edits(&it.set_headers, &it.append_headers, &it.remove_headers),
            attributes: pairs(&it.attributes, Attribute::new),
        };
        edit.attributes.extend(done.map(|done| Attribute::new("act", done)));
        if edit == ResponseEdit::new() { Ok(ResponseAction::Unchanged) } else { edit.into() }
    }
}

impl Logger for Probe {
    /// Logs, at level `info`, a JSON object of all that is known.
    fn log(&self, request: &Request, response: &Response, outcome: &Outcome) -> Result<()> {
        let it = &self.config.log;
        prepare(request, &it.read, &it.act, &it.act_header)?;
        let attributes: BTreeMap<_, _> = request.attributes().into_iter().map(|it| (it.name, it.value)).collect();
        info!(
            "{}",
            json!({
                "id": request.id(), "route": request.route(), "method": request.method(), "path": request.path(),
                "status": response.status(), "attributes": attributes,
                "started": outcome.started().as_millis() as u64, "duration": outcome.duration().as_micros() as u64,
                "upstream_duration": outcome.upstream_duration().map(|it| it.as_micros() as u64),
                "request_bytes": outcome.request_bytes(), "response_bytes": outcome.response_bytes(),
                "verdict": outcome.verdict(), "verdict_cached": outcome.verdict_cached(), "failure": outcome.failure(),
            })
        );
        Ok(())
    }
}

export!(Probe: authorizer, request_filter, response_filter, logger);

/// A place in the component's bytes that a test may write another number to: then it is another version.
static VERSION: &[u8] = b"version of the probe: 00";

/// Reads what is listed, then acts. The answer is what the act gave.
fn prepare(request: &Request, reads: &[String], default: &str, header: &str) -> Result<Option<String>> {
    for name in reads {
        read(request, name)?;
    }
    act(&chosen(request, header, default))
}

/// The value of a header when it is named and there, else the default.
fn chosen(request: &Request, header: &str, default: &str) -> String {
    let told = if header.is_empty() { None } else { request.header(header) };
    told.unwrap_or_else(|| default.to_owned())
}

fn read(request: &Request, what: &str) -> Result<()> {
    let (what, name) = what.split_once(':').unwrap_or((what, ""));
    match what {
        "method" => drop(request.method()),
        "path" => drop(request.path()),
        "query" => drop(request.query()),
        "query-param" => drop(request.query_param(name)),
        "query-params" => drop(request.query_params(name)),
        "path-param" => drop(request.path_param(name)),
        "scheme" => drop(request.scheme()),
        "authority" => drop(request.authority()),
        "protocol" => drop(request.protocol()),
        "header" => drop(request.header(name)),
        "header-values" => drop(request.header_values(name)),
        "headers" => drop(request.headers()),
        "cookie" => drop(request.cookie(name)),
        "client-ip" => drop(request.client_ip()),
        "route" => drop(request.route()),
        "id" => drop(request.id()),
        "attribute" => drop(request.attribute(name)),
        "attributes" => drop(request.attributes()),
        other => Err(format!("there is nothing called {other} to read"))?,
    }
    Ok(())
}

/// Does what it is told; what it gives becomes the attribute `act`.
///
/// `random`, `clock` (seconds), `version`; `memory:BYTES` keeps that much more for good; `spin:NUMBER` counts up to it;
/// `log:NUMBER` logs that many lines; `error:TEXT` fails; `panic`, `trap`, `loop`, `memory`, `stack` do not come back.
fn act(what: &str) -> Result<Option<String>> {
    let (what, argument) = what.split_once(':').unwrap_or((what, ""));
    match what {
        "" => return Ok(None),
        "random" => return Ok(Some(random::number().to_string())),
        "clock" => return Ok(Some(clock::now().as_secs().to_string())),
        "version" => return Ok(Some(String::from_utf8_lossy(std::hint::black_box(VERSION)).into_owned())),
        "memory" if argument.is_empty() => loop {
            keep(1024 * 1024);
        },
        "memory" => keep(argument.parse()?),
        "spin" => (0..argument.parse::<u64>()?).for_each(|n| _ = std::hint::black_box(n)),
        "log" => (0..argument.parse::<u32>()?).for_each(|n| info!("line {n}")),
        "error" => Err(argument)?,
        "panic" => panic!("the probe panics"),
        #[cfg(target_arch = "wasm32")]
        "trap" => core::arch::wasm32::unreachable(),
        "loop" => loop {
            std::hint::black_box(0);
        },
        "stack" => drop(deeper(0)),
        other => Err(format!("there is no act called {other}"))?,
    }
    Ok(None)
}

/// Writes to all pages of some memory that is never given back.
fn keep(bytes: usize) {
    std::hint::black_box(vec![1_u8; bytes].leak());
}

#[allow(unconditional_recursion)]
fn deeper(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    room[0] + deeper(depth + 1)
}

fn pairs<T>(map: &BTreeMap<String, String>, make: impl Fn(String, String) -> T) -> Vec<T> {
    map.iter().map(|(name, value)| make(name.clone(), value.clone())).collect()
}

fn set(name: String, value: String) -> HeaderEdit {
    HeaderEdit::Set(Header { name, value })
}

fn edits(sets: &BTreeMap<String, String>, appends: &BTreeMap<String, String>, removes: &[String]) -> Vec<HeaderEdit> {
    let mut edits = pairs(sets, set);
    edits.extend(pairs(appends, |name, value| HeaderEdit::Append(Header { name, value })));
    edits.extend(removes.iter().cloned().map(HeaderEdit::Remove));
    edits
}

impl Answer {
    fn reply(&self) -> Reply {
        Reply { status: self.status, headers: pairs(&self.headers, Header::new), body: self.body.clone().into_bytes() }
    }
}
