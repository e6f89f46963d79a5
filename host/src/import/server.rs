//! `servers`: where requests go, and what their paths begin with.

use crate::openapi::{Operation, Place};

/// Where an API is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// Scheme, host and port; None: it says none, or it is AWS's own gateway.
    pub(super) origin: Option<String>,
    /// What paths begin with: empty, or `/v1`.
    pub(super) base: String,
}

/// The first server of an operation, its path, or the document; None: there is none.
pub(super) fn of(operation: &Operation, root: &Place) -> Option<Place> {
    [&operation.place, operation.item(), root]
        .into_iter()
        .map(|place| place.child("servers").child("0"))
        .find(|server| server.text("url").is_some())
}

/// Reads a server; else why it is none that can be used.
pub(super) fn read(place: &Place) -> Result<Server, &'static str> {
    let mut url = place.text("url").unwrap_or_default().to_owned();
    for (name, variable) in place.child("variables").children() {
        url = url.replace(&format!("{{{name}}}"), variable.text("default").unwrap_or_default());
    }
    if url.contains(['{', '}', '?', '#']) {
        return Err("its URL has variables without a default, or a query");
    }
    let (origin, path) = match url.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(format!("{scheme}://{host}")), path)
        }
        Some(_) => return Err("its URL is not one of `http` or `https`"),
        None if url.starts_with('/') => (None, &*url),
        None => return Err("its URL is relative to the document's"),
    };
    if origin.as_ref().is_some_and(|origin| origin.contains(".execute-api.")) {
        // The stage of AWS's gateway, which this one takes the place of.
        return Ok(Server::default());
    }
    Ok(Server { origin, base: path.trim_end_matches('/').to_owned() })
}
