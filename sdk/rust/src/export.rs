//! From the traits to the component's exports.

use std::{cell::OnceCell, marker::PhantomData, panic, thread::LocalKey};

use serde::Deserialize as _;

use crate::{
    Authorizer, ChunkAction, Logger, Outcome, Plugin, Request, RequestAction, RequestBodyAction, RequestBodyFilter,
    RequestChunkFilter, RequestFilter, Response, ResponseAction, ResponseBodyAction, ResponseBodyFilter,
    ResponseChunkFilter, ResponseFilter, Result, Verdict, bindings, log,
};

/// Exports a plugin's hooks: `export!(Tenants: authorizer, logger);`.
///
/// The hooks are `authorizer`, `request_filter`, `request_body_filter`, `request_chunk_filter`, `response_filter`,
/// `response_body_filter`, `response_chunk_filter` and `logger`, each with its trait. The name, version and description
/// that the gateway shows are those of the plugin's `Cargo.toml`.
#[macro_export]
macro_rules! export {
    ($plugin:ty: $($hook:ident),+ $(,)?) => {
        const _: () = {
            impl $crate::export::Exported for $plugin {
                const PACKAGE: $crate::export::Package = $crate::export::Package {
                    name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    description: env!("CARGO_PKG_DESCRIPTION"),
                };

                fn slot() -> &'static ::std::thread::LocalKey<::std::cell::OnceCell<Self>> {
                    ::std::thread_local! {
                        static PLUGIN: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
                    }
                    &PLUGIN
                }
            }

            #[allow(dead_code)]
            type Guest = $crate::export::Guest<$plugin>;

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::lifecycle::export_lifecycle!(Guest with_types_in $crate::bindings::lifecycle);
            $($crate::export_hook!($hook $plugin);)+
        };
    };
}

/// One hook. Natively it only checks that the plugin has the trait.
#[doc(hidden)]
#[macro_export]
macro_rules! export_hook {
    (authorizer $plugin:ty) => { $crate::export_hook!(@ authorizer, export_authorizer, Authorizer, $plugin); };
    (request_filter $plugin:ty) => { $crate::export_hook!(@ request_filter, export_request_filter, RequestFilter, $plugin); };
    (request_body_filter $plugin:ty) => { $crate::export_hook!(@ request_body_filter, export_request_body_filter, RequestBodyFilter, $plugin); };
    (request_chunk_filter $plugin:ty) => { $crate::export_hook!(@ request_chunk_filter, export_request_chunk_filter, RequestChunkFilter, $plugin); };
    (response_filter $plugin:ty) => { $crate::export_hook!(@ response_filter, export_response_filter, ResponseFilter, $plugin); };
    (response_body_filter $plugin:ty) => { $crate::export_hook!(@ response_body_filter, export_response_body_filter, ResponseBodyFilter, $plugin); };
    (response_chunk_filter $plugin:ty) => { $crate::export_hook!(@ response_chunk_filter, export_response_chunk_filter, ResponseChunkFilter, $plugin); };
    (logger $plugin:ty) => { $crate::export_hook!(@ logger, export_logger, Logger, $plugin); };
    ($unknown:ident $plugin:ty) => { ::std::compile_error!(::std::concat!("there is no hook `", ::std::stringify!($unknown), "`")); };
    (@ $module:ident, $export:ident, $hook:ident, $plugin:ty) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::$module::$export!(Guest with_types_in $crate::bindings::$module);
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            const fn has_hook<T: $crate::Plugin + $crate::$hook>() {}
            has_hook::<$plugin>()
        };
    };
}

/// What the macro adds to a plugin.
pub trait Exported: Plugin {
    /// Of its `Cargo.toml`.
    const PACKAGE: Package;

    /// Where the one plugin of an instance is kept.
    fn slot() -> &'static LocalKey<OnceCell<Self>>;
}

/// What `Cargo.toml` says of a plugin.
#[derive(Debug)]
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub description: &'static str,
}

/// Makes a plugin of its configuration, JSON text.
pub fn start<P: Plugin>(config: &str) -> Result<P> {
    // Read in two steps: the text was made by the gateway, so a line and column in it would mislead.
    let value: serde_json::Value = serde_json::from_str(config)?;
    P::new(P::Config::deserialize(value)?)
}

/// The component's side of the hooks.
#[derive(Debug)]
pub struct Guest<P>(PhantomData<P>);

impl<P: Exported> bindings::lifecycle::exports::gatehouse::plugin::lifecycle::Guest for Guest<P> {
    fn describe() -> bindings::lifecycle::exports::gatehouse::plugin::lifecycle::Manifest {
        bindings::lifecycle::exports::gatehouse::plugin::lifecycle::Manifest {
            name: P::PACKAGE.name.to_owned(),
            version: P::PACKAGE.version.to_owned(),
            description: P::PACKAGE.description.to_owned(),
            config_schema: P::config_schema().map(str::to_owned),
        }
    }

    fn init(config: String) -> Result<(), String> {
        // A panic ends as a trap without a word; this puts its message and place into the log.
        panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
        let plugin = start::<P>(&config)?;
        P::slot().with(|slot| slot.set(plugin).map_err(|_| "initialized twice".to_owned()))
    }
}

impl<P: Exported> Guest<P> {
    /// Calls a hook of the plugin.
    fn plugin<T>(hook: impl FnOnce(&P) -> Result<T>) -> Result<T, String> {
        Ok(P::slot().with(|slot| hook(slot.get().ok_or("not initialized")?))?)
    }
}

impl<P: Exported + Authorizer> bindings::authorizer::exports::gatehouse::plugin::authorizer::Guest for Guest<P> {
    fn authorize() -> Result<Verdict, String> {
        Self::plugin(|it| it.authorize(&Request(())))
    }
}

impl<P: Exported + RequestFilter> bindings::request_filter::exports::gatehouse::plugin::request_filter::Guest
    for Guest<P>
{
    fn on_request() -> Result<RequestAction, String> {
        Self::plugin(|it| it.on_request(&Request(())))
    }
}

impl<P: Exported + RequestBodyFilter>
    bindings::request_body_filter::exports::gatehouse::plugin::request_body_filter::Guest for Guest<P>
{
    fn request_body_limit() -> Option<u64> {
        Self::plugin(|it| Ok(it.request_body_limit(&Request(())))).ok().flatten()
    }

    fn on_request_body(body: Vec<u8>) -> Result<RequestBodyAction, String> {
        Self::plugin(|it| it.on_request_body(&Request(()), body))
    }
}

impl<P: Exported + RequestChunkFilter>
    bindings::request_chunk_filter::exports::gatehouse::plugin::request_chunk_filter::Guest for Guest<P>
{
    fn on_request_chunk(chunk: Vec<u8>, last: bool) -> Result<ChunkAction, String> {
        Self::plugin(|it| it.on_request_chunk(&Request(()), chunk, last))
    }
}

impl<P: Exported + ResponseFilter> bindings::response_filter::exports::gatehouse::plugin::response_filter::Guest
    for Guest<P>
{
    fn on_response() -> Result<ResponseAction, String> {
        Self::plugin(|it| it.on_response(&Request(()), &Response(())))
    }
}

impl<P: Exported + ResponseBodyFilter>
    bindings::response_body_filter::exports::gatehouse::plugin::response_body_filter::Guest for Guest<P>
{
    fn response_body_limit() -> Option<u64> {
        Self::plugin(|it| Ok(it.response_body_limit(&Request(()), &Response(())))).ok().flatten()
    }

    fn on_response_body(body: Vec<u8>) -> Result<ResponseBodyAction, String> {
        Self::plugin(|it| it.on_response_body(&Request(()), &Response(()), body))
    }
}

impl<P: Exported + ResponseChunkFilter>
    bindings::response_chunk_filter::exports::gatehouse::plugin::response_chunk_filter::Guest for Guest<P>
{
    fn on_response_chunk(chunk: Vec<u8>, last: bool) -> Result<ChunkAction, String> {
        Self::plugin(|it| it.on_response_chunk(&Request(()), &Response(()), chunk, last))
    }
}

impl<P: Exported + Logger> bindings::logger::exports::gatehouse::plugin::logger::Guest for Guest<P> {
    fn log() -> Result<(), String> {
        Self::plugin(|it| it.log(&Request(()), &Response(()), &Outcome(())))
    }
}
