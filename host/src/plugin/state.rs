//! What the host keeps beside each instance, and the contract's reads on it.

use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use wasmtime::{ResourceLimiter, component::ResourceTable};

use super::{
    bindings::gatehouse::plugin::{attributes, log, outcome, output, request, response, types},
    budget::Budget,
    direct::Sides,
    shared::Shared,
    wasi::Wasi,
};
use crate::{
    exchange::{Exchange, Field, isomorphic_decode},
    query,
};

/// Fields that one verdict may depend on and still be kept.
const MOST_READS: usize = 256;

/// The longest name of such a field.
const LONGEST_READ: usize = 1024;

/// The data of a store: one instance's side of the host.
pub(crate) struct State {
    pub(super) shared: Arc<Shared>,
    /// The exchange of the hook that is running.
    pub(super) exchange: Option<Arc<Exchange>>,
    pub(super) reads: Reads,
    /// What the call that is running may still use.
    pub(super) budget: Budget,
    /// Bytes of linear memory that the instance has.
    pub(super) memory: usize,
    /// Elements of its tables.
    elements: usize,
    /// Whether it asked for more memory than it may have: makes a better message than the trap that follows.
    pub(super) memory_refused: bool,
    /// Present when the component imports anything of WASI.
    pub(super) wasi: Option<Box<Wasi>>,
    /// Key-value buckets that are open.
    pub(super) table: ResourceTable,
    /// Of an instance whose core module is called directly, while it may call its imports.
    pub(super) sides: Option<Box<Sides>>,
}

/// What an authorizer has read while deciding.
#[derive(Debug, Default)]
pub(crate) enum Reads {
    /// Nobody wants to know.
    #[default]
    Off,
    /// The fields read so far, each once, and whether something outside the request was used.
    On {
        /// In the order of first reading.
        fields: Vec<Field>,
        /// Clock, randomness, network or key-value state.
        outside: bool,
    },
}

impl State {
    /// A tick has found the guest running.
    pub(super) fn tick(&mut self) -> wasmtime::Result<()> {
        let time = self.budget.tick()?;
        self.took(time);
        Ok(())
    }

    /// The guest has taken so much CPU time, or has so far.
    pub(super) fn took(&self, time: Duration) {
        match self.exchange {
            Some(_) => self.shared.hook_took(time),
            // Once long, always: an `init` may use a hundred times what a hook may.
            None if self.shared.starts.is_long() => {}
            None => _ = self.shared.starts.took(time),
        }
    }

    pub(super) fn new(shared: Arc<Shared>, wasi: bool) -> Self {
        let wasi = wasi.then(|| Box::new(Wasi::new(&shared)));
        let mut table = ResourceTable::new();
        table.set_max_capacity(shared.limits.handles);
        Self {
            shared,
            exchange: None,
            reads: Reads::Off,
            budget: Budget::default(),
            memory: 0,
            elements: 0,
            memory_refused: false,
            wasi,
            table,
            sides: None,
        }
    }

    /// Takes what was read, noting what WASI saw of the outside.
    pub(super) fn take_reads(&mut self) -> Reads {
        let used = self.wasi.as_ref().is_some_and(|wasi| wasi.outside.swap(false, Ordering::Relaxed));
        match mem::take(&mut self.reads) {
            Reads::Off => Reads::Off,
            Reads::On { fields, outside } => Reads::On { fields, outside: outside || used },
        }
    }

    /// Notes that something outside the request was used.
    pub(super) fn note_outside(&mut self) {
        if let Reads::On { outside, .. } = &mut self.reads {
            *outside = true;
        }
    }

    fn note(&mut self, field: impl FnOnce() -> Field) {
        // Nothing after a volatile field matters: the verdict is not kept.
        if let Reads::On { fields, .. } = &mut self.reads
            && fields.last() != Some(&Field::Volatile)
        {
            let field = field();
            if !fields.contains(&field) {
                let too_much = fields.len() >= MOST_READS || field.name().len() > LONGEST_READ;
                fields.push(if too_much { Field::Volatile } else { field });
            }
        }
    }

    fn current(&self) -> wasmtime::Result<&Exchange> {
        self.exchange.as_deref().ok_or_else(|| {
            wasmtime::Error::msg("a read of the exchange outside a hook: `describe` and `init` have none")
        })
    }

    fn noted(&mut self, field: impl FnOnce() -> Field) -> wasmtime::Result<&Exchange> {
        self.named("", field)
    }

    /// `request.header`, without a copy where none is needed.
    pub(super) fn request_header(&mut self, name: &str) -> wasmtime::Result<Option<Text>> {
        let exchange = self.named(name, || Field::Header(name.to_ascii_lowercase()))?;
        Ok(joined(&exchange.request.headers, name))
    }

    /// `response.header`, likewise.
    pub(super) fn response_header(&mut self, name: &str) -> wasmtime::Result<Option<Text>> {
        let exchange = self.named(name, || Field::Volatile)?;
        Ok(exchange.response.as_ref().and_then(|response| joined(&response.headers, name)))
    }

    /// As `noted`, for a read by name.
    fn named(&mut self, name: &str, field: impl FnOnce() -> Field) -> wasmtime::Result<&Exchange> {
        self.budget.host_call(name.len())?;
        self.note(field);
        self.current()
    }
}

impl request::Host for State {
    fn method(&mut self) -> wasmtime::Result<String> {
        Ok(self.noted(|| Field::Method)?.request.method.as_str().to_owned())
    }

    fn path(&mut self) -> wasmtime::Result<String> {
        Ok(self.noted(|| Field::Path)?.request.target.path().to_owned())
    }

    fn query(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.noted(|| Field::Query)?.request.target.query().map(str::to_owned))
    }

    fn query_param(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let exchange = self.named(&name, || Field::QueryParam(name.clone()))?;
        Ok(exchange.request.target.query().and_then(|query| query::first(query, &name)))
    }

    fn query_params(&mut self, name: String) -> wasmtime::Result<Vec<String>> {
        let exchange = self.named(&name, || Field::QueryParam(name.clone()))?;
        Ok(query::all(exchange.request.target.query().unwrap_or(""), &name))
    }

    fn path_param(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let exchange = self.named(&name, || Field::PathParam(name.clone()))?;
        Ok(exchange.path_param(&name).map(str::to_owned))
    }

    fn scheme(&mut self) -> wasmtime::Result<String> {
        Ok(self.noted(|| Field::Scheme)?.request.scheme.to_owned())
    }

    fn authority(&mut self) -> wasmtime::Result<String> {
        Ok(self.noted(|| Field::Authority)?.request.authority.to_string())
    }

    fn protocol(&mut self) -> wasmtime::Result<String> {
        Ok(format!("{:?}", self.noted(|| Field::Protocol)?.request.version))
    }

    fn header(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.request_header(&name)?.map(Text::into_string))
    }

    fn header_values(&mut self, name: String) -> wasmtime::Result<Vec<String>> {
        let exchange = self.named(&name, || Field::Header(name.to_ascii_lowercase()))?;
        Ok(values(&exchange.request.headers, &name))
    }

    fn headers(&mut self) -> wasmtime::Result<Vec<types::Header>> {
        Ok(all(&self.noted(|| Field::Headers)?.request.headers))
    }

    fn cookie(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.named(&name, || Field::Cookie(name.clone()))?.cookie(&name))
    }

    fn client_ip(&mut self) -> wasmtime::Result<String> {
        Ok(self.noted(|| Field::ClientIp)?.request.client.to_string())
    }

    fn route(&mut self) -> wasmtime::Result<String> {
        self.budget.host_call(0)?;
        // The route is part of every cache key.
        Ok(self.current()?.route_name().to_owned())
    }

    fn id(&mut self) -> wasmtime::Result<String> {
        Ok(self.noted(|| Field::Volatile)?.id.to_string())
    }
}

impl response::Host for State {
    fn status(&mut self) -> wasmtime::Result<u16> {
        let exchange = self.noted(|| Field::Volatile)?;
        Ok(exchange.response.as_ref().map_or(0, |response| response.status.as_u16()))
    }

    fn header(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.response_header(&name)?.map(Text::into_string))
    }

    fn header_values(&mut self, name: String) -> wasmtime::Result<Vec<String>> {
        let exchange = self.named(&name, || Field::Volatile)?;
        Ok(exchange.response.as_ref().map(|response| values(&response.headers, &name)).unwrap_or_default())
    }

    fn headers(&mut self) -> wasmtime::Result<Vec<types::Header>> {
        let exchange = self.noted(|| Field::Volatile)?;
        Ok(exchange.response.as_ref().map(|response| all(&response.headers)).unwrap_or_default())
    }
}

impl attributes::Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.named(&name, || Field::Attribute(name.clone()))?.attribute(&name).map(str::to_owned))
    }

    fn all(&mut self) -> wasmtime::Result<Vec<types::Attribute>> {
        let exchange = self.noted(|| Field::Attributes)?;
        let attributes = exchange.attributes.iter();
        Ok(attributes
            .map(|(name, value)| types::Attribute { name: (**name).to_owned(), value: (**value).to_owned() })
            .collect())
    }
}

impl outcome::Host for State {
    fn started(&mut self) -> wasmtime::Result<u64> {
        let started = self.noted(|| Field::Volatile)?.started_at();
        if let Some(stage) = &self.shared.stage {
            return Ok(stage.now().as_millis() as u64);
        }
        Ok(started.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
    }

    fn duration(&mut self) -> wasmtime::Result<u64> {
        let exchange = self.noted(|| Field::Volatile)?;
        let ended = exchange.outcome.duration;
        Ok(if ended.is_zero() { exchange.started.elapsed() } else { ended }.as_micros() as u64)
    }

    fn upstream_duration(&mut self) -> wasmtime::Result<Option<u64>> {
        Ok(self.noted(|| Field::Volatile)?.outcome.upstream.map(|time| time.as_micros() as u64))
    }

    fn request_bytes(&mut self) -> wasmtime::Result<u64> {
        Ok(self.noted(|| Field::Volatile)?.outcome.progress.request())
    }

    fn response_bytes(&mut self) -> wasmtime::Result<u64> {
        Ok(self.noted(|| Field::Volatile)?.outcome.progress.response())
    }

    fn verdict(&mut self) -> wasmtime::Result<Option<String>> {
        let verdict = self.noted(|| Field::Volatile)?.outcome.verdict;
        Ok(verdict.map(|verdict| if verdict.allow { "allow" } else { "deny" }.to_owned()))
    }

    fn verdict_cached(&mut self) -> wasmtime::Result<bool> {
        Ok(self.noted(|| Field::Volatile)?.outcome.verdict.is_some_and(|verdict| verdict.cached))
    }

    fn failure(&mut self) -> wasmtime::Result<Option<String>> {
        let exchange = self.noted(|| Field::Volatile)?;
        Ok(exchange.outcome.failure.as_ref().map(|failure| failure.code().to_owned()))
    }
}

impl log::Host for State {
    fn enabled(&mut self, level: log::Level) -> wasmtime::Result<bool> {
        self.budget.host_call(0)?;
        Ok(self.shared.log_enabled(level))
    }

    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.budget.host_call(message.len())?;
        self.shared.log(level, &message, self.exchange.as_deref());
        Ok(())
    }
}

impl output::Host for State {
    fn write_line(&mut self, line: String) -> wasmtime::Result<bool> {
        self.budget.host_call(line.len())?;
        Ok(self.shared.write_line(line))
    }
}

impl types::Host for State {}

/// All memories of the instance count together; so do its tables. Without these, wasmtime's own limits are 10,000
/// instances, tables and memories, and none on their sizes.
impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let grown = self.memory - current.min(self.memory) + desired;
        let fits = grown <= self.shared.limits.memory;
        match fits {
            true => self.memory = grown,
            false => self.memory_refused = true,
        }
        Ok(fits)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let grown = self.elements - current.min(self.elements) + desired;
        let fits = grown <= self.shared.limits.table_elements;
        if fits {
            self.elements = grown;
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        32
    }

    fn tables(&self) -> usize {
        32
    }

    fn memories(&self) -> usize {
        4
    }
}

fn values(headers: &http::HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| isomorphic_decode(value.as_bytes())).collect()
}

/// The value of a header, in isomorphic encoding.
pub(super) enum Text {
    /// As it came: it is ASCII.
    Value(http::HeaderValue),
    String(String),
}

impl Text {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Value(value) => value.as_bytes(),
            Self::String(text) => text.as_bytes(),
        }
    }

    fn into_string(self) -> String {
        match self {
            Self::Value(value) => isomorphic_decode(value.as_bytes()),
            Self::String(text) => text,
        }
    }
}

/// RFC 9110 section 5.3: fields of one name may be joined; cookies join by `; ` (RFC 9113 section 8.2.3).
fn joined(headers: &http::HeaderMap, name: &str) -> Option<Text> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    let Some(second) = all.next() else {
        return Some(match first.as_bytes().is_ascii() {
            true => Text::Value(first.clone()),
            false => Text::String(isomorphic_decode(first.as_bytes())),
        });
    };
    let separator = if name.eq_ignore_ascii_case("cookie") { "; " } else { ", " };
    let rest = std::iter::once(second).chain(all);
    let first = isomorphic_decode(first.as_bytes());
    let all = rest.fold(first, |joined, value| joined + separator + &isomorphic_decode(value.as_bytes()));
    Some(Text::String(all))
}

fn all(headers: &http::HeaderMap) -> Vec<types::Header> {
    let pairs = headers.iter();
    pairs
        .map(|(name, value)| types::Header {
            name: name.as_str().to_owned(),
            value: isomorphic_decode(value.as_bytes()),
        })
        .collect()
}
