//! The contract as Rust types, generated from `wit/`.
//!
//! Only the import traits and the hooks' records are used; hooks are called through typed functions, since one
//! plugin is called with `call` and another with `call_async` (see `call.rs`).

#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "host",
    with: {
        "wasi:keyvalue/store.bucket": super::keyvalue::Bucket,
    },
    imports: { default: trappable },
});

pub(super) use exports::gatehouse::plugin::{
    authorizer, lifecycle, request_body_filter, request_chunk_filter, request_filter, response_body_filter,
    response_filter,
};
