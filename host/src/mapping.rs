//! What is changed of requests and answers on their way without a plugin, and the boundary for it: values of the client
//! or of plugins stay within their segment, their parameter or their header, or the request ends here.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    chain,
    config::{Edits, Part, RequestMapping, Template},
    exchange::Exchange,
    failure::Failure,
    path, query, template,
};

/// All but the unreserved characters (RFC 3986 section 2.3).
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Changes the request as its route says.
pub(crate) fn request(exchange: &mut Arc<Exchange>, route: usize) -> Result<(), Failure> {
    if exchange.snapshot.config.routes[route].request.is_none() {
        return Ok(());
    }
    let snapshot = exchange.snapshot.clone();
    snapshot.config.routes[route].request.as_ref().map_or(Ok(()), |mapping| map(mapping, chain::edit(exchange)))
}

/// Changes the answer as its route says.
pub(crate) fn response(exchange: &mut Arc<Exchange>, route: usize) {
    if exchange.snapshot.config.routes[route].response.is_none() {
        return;
    }
    let snapshot = exchange.snapshot.clone();
    let Some(mapping) = &snapshot.config.routes[route].response else { return };
    let values = Values::of(&mapping.headers, exchange);
    if let Some(response) = &mut chain::edit(exchange).response {
        values.put(&mapping.headers, &mut response.headers);
        let status = mapping.status.iter().find(|(from, _)| from.contain(response.status));
        response.status = status.map_or(response.status, |(_, status)| *status);
    }
}

/// All of it sees the request as it was before.
fn map(mapping: &RequestMapping, exchange: &mut Exchange) -> Result<(), Failure> {
    let path = mapping.path.as_ref().map(|template| new_path(template, exchange)).transpose()?;
    let query = (!mapping.query.is_empty()).then(|| new_query(&mapping.query, exchange));
    let values = Values::of(&mapping.headers, exchange);
    if path.is_some() || query.is_some() {
        chain::retarget(exchange, path.as_deref(), query.as_deref()).map_err(|_| Failure::Unmappable)?;
    }
    values.put(&mapping.headers, &mut exchange.request.headers);
    if let Some(method) = &mapping.method {
        exchange.request.method = method.clone();
    }
    Ok(())
}

/// What a path caught is in canonical form already, all else is one segment at the most. A path that is not in canonical form
/// then would be read in two ways: a value has made a dot segment, or an empty one, or is a slash.
fn new_path(template: &Template, exchange: &Exchange) -> Result<String, Failure> {
    let mut path = String::new();
    for part in &template.parts {
        let value = template::value(part, exchange).ok_or(Failure::Unmappable)?;
        match part {
            Part::Text(_) | Part::Path | Part::PathParam(_) => path.push_str(&value),
            _ => path.extend(utf8_percent_encode(&value, &RESERVED)),
        }
    }
    match path::canonical(&path) {
        Ok(Cow::Borrowed(_)) => Ok(path),
        _ => Err(Failure::Unmappable),
    }
}

/// What is not changed stays byte for byte.
fn new_query(edits: &Edits<String>, exchange: &Exchange) -> String {
    let pair = |(name, template): &(String, Template)| {
        let value = template::fill(template, exchange)?;
        Some(format!("{}={}", utf8_percent_encode(name, &RESERVED), utf8_percent_encode(&value, &RESERVED)).into())
    };
    let pairs: Vec<&str> = exchange.request.target.query().unwrap_or_default().split('&').collect();
    let is_there = |name: &String| pairs.iter().any(|pair| query::name(pair) == *name);
    let is_set = |name: &str| edits.set.iter().any(|(set, _)| *set == name);
    let makes_room = |name: &str| edits.rename.iter().any(|(old, new)| *new == name && is_there(old));
    let kept = pairs.iter().filter_map(|&pair| {
        let name = query::name(pair);
        if edits.remove.iter().any(|removed| *removed == name) {
            return None;
        }
        match edits.rename.iter().find(|(old, _)| *old == name) {
            Some((_, new)) if is_set(new) => None,
            Some((_, new)) => {
                let value = pair.find('=').map_or("", |at| &pair[at..]);
                Some(Cow::from(format!("{}{value}", utf8_percent_encode(new, &RESERVED))))
            }
            None => (!pair.is_empty() && !is_set(&name) && !makes_room(&name)).then_some(Cow::from(pair)),
        }
    });
    let new = edits.set.iter().chain(&edits.append).filter_map(pair);
    kept.chain(new).collect::<Vec<Cow<'_, str>>>().join("&")
}

/// The values for what is set and appended, in its order. One that no header can hold is none.
struct Values {
    set: Vec<Option<HeaderValue>>,
    append: Vec<Option<HeaderValue>>,
}

impl Values {
    fn of(edits: &Edits<HeaderName>, exchange: &Exchange) -> Self {
        let value =
            |(_, template): &(HeaderName, Template)| HeaderValue::try_from(template::fill(template, exchange)?).ok();
        Self { set: edits.set.iter().map(value).collect(), append: edits.append.iter().map(value).collect() }
    }

    fn put(self, edits: &Edits<HeaderName>, headers: &mut HeaderMap) {
        for name in &edits.remove {
            headers.remove(name);
        }
        for (old, new) in &edits.rename {
            rename(headers, old, new);
        }
        for ((name, _), value) in edits.set.iter().zip(self.set) {
            match value {
                Some(value) => drop(headers.insert(name, value)),
                None => drop(headers.remove(name)),
            }
        }
        for ((name, _), value) in edits.append.iter().zip(self.append) {
            if let Some(value) = value {
                headers.append(name, value);
            }
        }
    }
}

fn rename(headers: &mut HeaderMap, old: &HeaderName, new: &HeaderName) {
    let values: Vec<HeaderValue> = headers.get_all(old).iter().cloned().collect();
    if values.is_empty() || old == new {
        return;
    }
    headers.remove(old);
    headers.remove(new);
    for value in values {
        headers.append(new, value);
    }
}
