//! What `wit-bindgen` makes of the contract: the imports once, and a module per hook whose `export!` adds that hook to a
//! component. A plugin with two hooks invokes two of them; `wit-component` merges the worlds.
#![allow(unsafe_code, missing_docs, unreachable_pub, rust_2018_idioms, clippy::all, clippy::unwrap_used)]

wit_bindgen::generate!({
    path: ["contract", "wit"],
    world: "gatehouse:sdk/guest",
    generate_all,
    additional_derives: [PartialEq],
    additional_derives_ignore: ["stream-error"],
});

pub mod lifecycle {
    wit_bindgen::generate!({
        path: "contract",
        world: "gatehouse:plugin/lifecycle-plugin",
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
    });
}

/// One module per hook. The types of all hooks are those of the imports.
macro_rules! hook {
    ($module:ident, $world:literal, $export:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "contract",
                world: $world,
                pub_export_macro: true,
                export_macro_name: $export,
                additional_derives: [PartialEq],
                with: {
                    "gatehouse:plugin/types@0.1.0": crate::bindings::gatehouse::plugin::types,
                    "gatehouse:plugin/request@0.1.0": crate::bindings::gatehouse::plugin::request,
                    "gatehouse:plugin/response@0.1.0": crate::bindings::gatehouse::plugin::response,
                    "gatehouse:plugin/attributes@0.1.0": crate::bindings::gatehouse::plugin::attributes,
                    "gatehouse:plugin/outcome@0.1.0": crate::bindings::gatehouse::plugin::outcome,
                    "gatehouse:plugin/log@0.1.0": crate::bindings::gatehouse::plugin::log,
                    "gatehouse:plugin/output@0.1.0": crate::bindings::gatehouse::plugin::output,
                },
            });
        }
    };
}

hook!(authorizer, "gatehouse:plugin/authorizer-plugin", "export_authorizer");
hook!(request_filter, "gatehouse:plugin/request-filter-plugin", "export_request_filter");
hook!(request_body_filter, "gatehouse:plugin/request-body-filter-plugin", "export_request_body_filter");
hook!(request_chunk_filter, "gatehouse:plugin/request-chunk-filter-plugin", "export_request_chunk_filter");
hook!(response_filter, "gatehouse:plugin/response-filter-plugin", "export_response_filter");
hook!(response_body_filter, "gatehouse:plugin/response-body-filter-plugin", "export_response_body_filter");
hook!(response_chunk_filter, "gatehouse:plugin/response-chunk-filter-plugin", "export_response_chunk_filter");
hook!(logger, "gatehouse:plugin/logger-plugin", "export_logger");
