//! Which hooks a component exports, and how to reach them in an instance.

use wasmtime::{
    Store,
    component::{Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc},
};

use super::{bindings::lifecycle, instance::Functions, state::State};

/// Prefix and version of our interfaces.
const PACKAGE: &str = "gatehouse:plugin/";
const VERSION: &str = "@0.1.0";

/// Both, as people write them.
pub(super) const CONTRACT: &str = "gatehouse:plugin@0.1.0";

/// How versions begin that are compatible with it, before 1.0.
const COMPATIBLE: &str = "0.1.";

/// The type of `lifecycle.init`.
type Init = TypedFunc<(String,), (Result<(), String>,)>;

/// A function of a component that is called in the course of an exchange.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    /// To make an instance; none of the contract's.
    Start,
    Authorize,
    OnRequest,
    RequestBodyLimit,
    OnRequestBody,
    OnRequestChunk,
    OnResponse,
    ResponseBodyLimit,
    OnResponseBody,
    OnResponseChunk,
    Log,
}

impl Entry {
    /// One bit for each.
    pub(super) fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Which hooks a component exports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hooks {
    describe: Option<ComponentExportIndex>,
    init: Option<ComponentExportIndex>,
    authorize: Option<ComponentExportIndex>,
    on_request: Option<ComponentExportIndex>,
    request_body_limit: Option<ComponentExportIndex>,
    on_request_body: Option<ComponentExportIndex>,
    on_request_chunk: Option<ComponentExportIndex>,
    on_response: Option<ComponentExportIndex>,
    response_body_limit: Option<ComponentExportIndex>,
    on_response_body: Option<ComponentExportIndex>,
    on_response_chunk: Option<ComponentExportIndex>,
    log: Option<ComponentExportIndex>,
    /// Whether the component imports anything of WASI.
    pub(super) wasi: bool,
}

/// The interfaces that a component may export; `types` are no hook and do no harm.
const EXPORTS: [&str; 10] = [
    "lifecycle",
    "authorizer",
    "request-filter",
    "request-body-filter",
    "request-chunk-filter",
    "response-filter",
    "response-body-filter",
    "response-chunk-filter",
    "logger",
    "types",
];

/// Whether a name says that it is of our contract, but of another version, or of no interface that anybody would call: a
/// component with such an authorizer would be taken for one without.
pub(super) fn is_foreign(name: &str, exported: bool) -> bool {
    let Some(rest) = name.strip_prefix(PACKAGE) else { return false };
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    !version.starts_with(COMPATIBLE) || exported && !EXPORTS.contains(&interface)
}

impl Hooks {
    /// Looks which of our interfaces a component exports.
    pub(super) fn of(component: &Component, wasi: bool) -> Self {
        let find = |interface: &str, function: &str| {
            let interface = component.get_export_index(None, format!("{PACKAGE}{interface}{VERSION}"))?;
            component.get_export_index(Some(&interface), function)
        };
        Self {
            describe: find("lifecycle", "describe"),
            init: find("lifecycle", "init"),
            authorize: find("authorizer", "authorize"),
            on_request: find("request-filter", "on-request"),
            request_body_limit: find("request-body-filter", "request-body-limit"),
            on_request_body: find("request-body-filter", "on-request-body"),
            on_request_chunk: find("request-chunk-filter", "on-request-chunk"),
            on_response: find("response-filter", "on-response"),
            response_body_limit: find("response-body-filter", "response-body-limit"),
            on_response_body: find("response-body-filter", "on-response-body"),
            on_response_chunk: find("response-chunk-filter", "on-response-chunk"),
            log: find("logger", "log"),
            wasi,
        }
    }

    /// Whether it decides about requests.
    pub(crate) fn is_authorizer(&self) -> bool {
        self.authorize.is_some()
    }

    /// Whether it has anything to do before the upstream, beside authorizing.
    pub(crate) fn filters_requests(&self) -> bool {
        self.on_request.is_some() || self.on_request_body.is_some() || self.on_request_chunk.is_some()
    }

    /// Whether it has anything to do after the upstream.
    pub(crate) fn filters_responses(&self) -> bool {
        self.on_response.is_some() || self.on_response_body.is_some() || self.on_response_chunk.is_some()
    }

    /// Whether it has a whole-body hook for requests.
    pub(crate) fn sees_request_bodies(&self) -> bool {
        self.on_request_body.is_some()
    }

    /// Whether it has a chunk hook for requests.
    pub(crate) fn sees_request_chunks(&self) -> bool {
        self.on_request_chunk.is_some()
    }

    /// Whether it has a whole-body hook for responses.
    pub(crate) fn sees_response_bodies(&self) -> bool {
        self.on_response_body.is_some()
    }

    /// Whether it has a chunk hook for responses.
    pub(crate) fn sees_response_chunks(&self) -> bool {
        self.on_response_chunk.is_some()
    }

    /// Whether it is told of ended exchanges.
    pub(crate) fn is_logger(&self) -> bool {
        self.log.is_some()
    }

    /// Whether it exports any hook.
    pub(super) fn any(&self) -> bool {
        self.is_authorizer() || self.filters_requests() || self.filters_responses() || self.is_logger()
    }

    /// Whether it has `init`, and so a configuration.
    pub(super) fn has_lifecycle(&self) -> bool {
        self.init.is_some()
    }

    /// Whether one direction has both a whole-body and a chunk hook, which the contract forbids.
    pub(super) fn has_both_body_modes(&self) -> bool {
        (self.on_request_body.is_some() && self.on_request_chunk.is_some())
            || (self.on_response_body.is_some() && self.on_response_chunk.is_some())
    }

    /// The names of the hooks, as interfaces of the contract.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        [
            ("authorizer", self.authorize.is_some()),
            ("request-filter", self.on_request.is_some()),
            ("request-body-filter", self.on_request_body.is_some()),
            ("request-chunk-filter", self.on_request_chunk.is_some()),
            ("response-filter", self.on_response.is_some()),
            ("response-body-filter", self.on_response_body.is_some()),
            ("response-chunk-filter", self.on_response_chunk.is_some()),
            ("logger", self.log.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, there)| there.then_some(name))
        .collect()
    }

    /// The functions of an instance; an error when one has another type than the contract says.
    pub(super) fn functions(&self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<Functions> {
        Ok(Functions {
            authorize: typed(store, instance, self.authorize, "authorizer.authorize")?,
            on_request: typed(store, instance, self.on_request, "request-filter.on-request")?,
            request_body_limit: typed(
                store,
                instance,
                self.request_body_limit,
                "request-body-filter.request-body-limit",
            )?,
            on_request_body: typed(store, instance, self.on_request_body, "request-body-filter.on-request-body")?,
            on_request_chunk: typed(store, instance, self.on_request_chunk, "request-chunk-filter.on-request-chunk")?,
            on_response: typed(store, instance, self.on_response, "response-filter.on-response")?,
            response_body_limit: typed(
                store,
                instance,
                self.response_body_limit,
                "response-body-filter.response-body-limit",
            )?,
            on_response_body: typed(store, instance, self.on_response_body, "response-body-filter.on-response-body")?,
            on_response_chunk: typed(
                store,
                instance,
                self.on_response_chunk,
                "response-chunk-filter.on-response-chunk",
            )?,
            log: typed(store, instance, self.log, "logger.log")?,
        })
    }

    /// `lifecycle.init`.
    pub(super) fn init(&self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<Option<Init>> {
        typed(store, instance, self.init, "lifecycle.init")
    }

    /// `lifecycle.describe`.
    pub(super) fn describe(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
    ) -> wasmtime::Result<Option<TypedFunc<(), (lifecycle::Manifest,)>>> {
        typed(store, instance, self.describe, "lifecycle.describe")
    }
}

fn typed<P, R>(
    store: &mut Store<State>,
    instance: &Instance,
    index: Option<ComponentExportIndex>,
    name: &str,
) -> wasmtime::Result<Option<TypedFunc<P, R>>>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    let other = |error: wasmtime::Error| error.context(format!("`{name}` is of another type than in the contract"));
    index.map(|index| instance.get_typed_func(store, index).map_err(other)).transpose()
}
