//! OpenAPI documents (3.0 and 3.1): read, found one's way in, and their schemas taken out. Nothing here validates a request
//! (`validation/`) or writes a configuration (`import.rs`), and nothing is ever fetched from the network.

mod operation;
mod schema;
mod text;
mod yaml;

pub(crate) use operation::{Operation, Parameter, Where, find, operations, segments};
pub(crate) use schema::standalone;
pub(crate) use text::{Documents, Place};

use serde_json::Value;

/// Which language the schemas of a document are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// That of OpenAPI 3.0: a part of an early JSON Schema, with words of its own.
    V30,
    /// JSON Schema 2020-12.
    V31,
}

/// OpenAPI 3.1 section 4.8.24.7: its own, which is that with some words more, and JSON Schema 2020-12.
const DIALECTS: [&str; 2] =
    ["https://spec.openapis.org/oas/3.1/dialect/", "https://json-schema.org/draft/2020-12/schema"];

/// What a document is in; else why it cannot be read.
pub(crate) fn dialect(root: &Place) -> Result<Dialect, String> {
    let version = root.child("openapi");
    let text = version.value().and_then(Value::as_str);
    let named = root.child("jsonSchemaDialect");
    if let Some(name) = named.value()
        && !name.as_str().is_some_and(|name| DIALECTS.iter().any(|known| name.starts_with(known)))
    {
        return Err(named.wrong("only schemas of JSON Schema 2020-12 are read"));
    }
    match text {
        Some(text) if text.starts_with("3.0") => Ok(Dialect::V30),
        Some(text) if text.starts_with("3.1") => Ok(Dialect::V31),
        Some(_) => Err(version.wrong("only OpenAPI 3.0 and 3.1 are read")),
        None if root.child("swagger").value().is_some() => {
            Err(root.child("swagger").wrong("this is OpenAPI 2.0: convert it to 3.0, or export it as `oas30`"))
        }
        None => Err(root.wrong("this is no OpenAPI document: it has no `openapi`")),
    }
}
