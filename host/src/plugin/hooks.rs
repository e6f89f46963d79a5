//! Which hooks a component exports, and how to reach them in an instance.

use wasmtime::{
    Store,
    component::{
        Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc, types::ComponentItem,
    },
};

use super::{
    bindings::lifecycle,
    direct::Arguments,
    instance::{self, Callable, Functions},
    state::State,
};

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
    /// To make an instance; of the contract's, `init`.
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
    pub(super) const ALL: [Self; 11] = [
        Self::Start,
        Self::Authorize,
        Self::OnRequest,
        Self::RequestBodyLimit,
        Self::OnRequestBody,
        Self::OnRequestChunk,
        Self::OnResponse,
        Self::ResponseBodyLimit,
        Self::OnResponseBody,
        Self::OnResponseChunk,
        Self::Log,
    ];

    /// One bit for each.
    pub(super) fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The interface, with its version, and the function.
    pub(super) fn names(self) -> (String, &'static str) {
        let (interface, function) = match self {
            Self::Start => ("lifecycle", "init"),
            Self::Authorize => ("authorizer", "authorize"),
            Self::OnRequest => ("request-filter", "on-request"),
            Self::RequestBodyLimit => ("request-body-filter", "request-body-limit"),
            Self::OnRequestBody => ("request-body-filter", "on-request-body"),
            Self::OnRequestChunk => ("request-chunk-filter", "on-request-chunk"),
            Self::OnResponse => ("response-filter", "on-response"),
            Self::ResponseBodyLimit => ("response-body-filter", "response-body-limit"),
            Self::OnResponseBody => ("response-body-filter", "on-response-body"),
            Self::OnResponseChunk => ("response-chunk-filter", "on-response-chunk"),
            Self::Log => ("logger", "log"),
        };
        (format!("{PACKAGE}{interface}{VERSION}"), function)
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
    /// Whether it imports any function that reads headers of an answer.
    pub(crate) reads_response_headers: bool,
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
        let find = |(interface, function): (String, &str)| {
            let interface = component.get_export_index(None, interface)?;
            component.get_export_index(Some(&interface), function)
        };
        let of = |entry: Entry| find(entry.names());
        Self {
            describe: find((format!("{PACKAGE}lifecycle{VERSION}"), "describe")),
            init: of(Entry::Start),
            authorize: of(Entry::Authorize),
            on_request: of(Entry::OnRequest),
            request_body_limit: of(Entry::RequestBodyLimit),
            on_request_body: of(Entry::OnRequestBody),
            on_request_chunk: of(Entry::OnRequestChunk),
            on_response: of(Entry::OnResponse),
            response_body_limit: of(Entry::ResponseBodyLimit),
            on_response_body: of(Entry::OnResponseBody),
            on_response_chunk: of(Entry::OnResponseChunk),
            log: of(Entry::Log),
            reads_response_headers: reads_response_headers(component),
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
            authorize: hook(store, instance, self.authorize, "authorizer.authorize")?,
            on_request: hook(store, instance, self.on_request, "request-filter.on-request")?,
            request_body_limit: hook(
                store,
                instance,
                self.request_body_limit,
                "request-body-filter.request-body-limit",
            )?,
            on_request_body: hook(store, instance, self.on_request_body, "request-body-filter.on-request-body")?,
            on_request_chunk: hook(store, instance, self.on_request_chunk, "request-chunk-filter.on-request-chunk")?,
            on_response: hook(store, instance, self.on_response, "response-filter.on-response")?,
            response_body_limit: hook(
                store,
                instance,
                self.response_body_limit,
                "response-body-filter.response-body-limit",
            )?,
            on_response_body: hook(store, instance, self.on_response_body, "response-body-filter.on-response-body")?,
            on_response_chunk: hook(
                store,
                instance,
                self.on_response_chunk,
                "response-chunk-filter.on-response-chunk",
            )?,
            log: hook(store, instance, self.log, "logger.log")?,
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

/// An import that is there at all is taken for read: the tools leave out what a plugin does not call.
fn reads_response_headers(component: &Component) -> bool {
    let engine = component.engine();
    let is_response = |name: &str| name.strip_prefix(PACKAGE).is_some_and(|rest| rest.starts_with("response@"));
    component.component_type().imports(engine).any(|(name, import)| match import.ty {
        ComponentItem::ComponentInstance(instance) if is_response(name) => {
            instance.exports(engine).any(|(function, _)| matches!(function, "header" | "header-values" | "headers"))
        }
        _ => false,
    })
}

fn hook<P, R>(
    store: &mut Store<State>,
    instance: &Instance,
    index: Option<ComponentExportIndex>,
    name: &str,
) -> wasmtime::Result<instance::Function<P, R>>
where
    P: ComponentNamedList + Lower + Arguments,
    (R,): ComponentNamedList + Lift,
{
    Ok(typed(store, instance, index, name)?.map(Callable::Component))
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
