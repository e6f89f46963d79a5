//! Rules for the path and the query.

use std::borrow::Cow;

use crate::{
    config::{RequestRules, Rules},
    template::{Place, Scope, Template, percent_encode},
};

/// The new path. None when it stays.
pub(crate) fn path(rules: &RequestRules, scope: Scope<'_>) -> Option<String> {
    if let Some(template) = &rules.path {
        return template.render(scope, Place::Path);
    }
    if rules.strip_prefix.is_none() && rules.add_prefix.is_none() {
        return None;
    }
    let path = scope.request.path();
    let rest = rules.strip_prefix.as_ref().and_then(|prefix| path.strip_prefix(prefix));
    // A prefix ends where a segment ends: `/api` is none of `/apis`.
    let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(&path);
    let new = format!("{}{rest}", rules.add_prefix.as_deref().unwrap_or_default());
    Some(if new.is_empty() { "/".to_owned() } else { new })
}

/// Whether the gateway takes a path that has values from a client in it: it takes none that could be read in two ways.
pub(crate) fn is_clear(path: &str) -> bool {
    path.starts_with('/') && path.split('/').all(|segment| String::from_utf8(decode(segment)).is_ok_and(is_one_segment))
}

/// Servlet containers cut off what follows a `;`, and then see the dots.
fn is_one_segment(decoded: String) -> bool {
    let separates = |c: char| matches!(c, '/' | '\\') || c.is_ascii_control();
    !decoded.contains(separates) && !matches!(decoded.split(';').next(), Some("." | ".."))
}

/// The new query. None when it stays. Pairs that no rule names keep their bytes.
pub(crate) fn query(rules: &Rules, scope: Scope<'_>) -> Option<String> {
    let old = scope.request.query().unwrap_or_default();
    let mut pairs: Vec<Cow<'_, str>> = old.split('&').filter(|pair| !pair.is_empty()).map(Cow::Borrowed).collect();
    pairs.retain(|pair| !rules.remove.iter().any(|name| is_named(pair, name)));
    for (from, to) in &rules.rename {
        for pair in pairs.iter_mut().filter(|pair| is_named(pair, from)) {
            let value = pair.find('=').map_or("", |at| &pair[at..]);
            *pair = Cow::Owned(percent_encode(to.as_bytes()) + value);
        }
    }
    for (name, template) in &rules.set {
        let Some(new) = pair(name, template, scope) else { continue };
        let at = pairs.iter().position(|pair| is_named(pair, name)).unwrap_or(pairs.len());
        pairs.retain(|pair| !is_named(pair, name));
        pairs.insert(at, Cow::Owned(new));
    }
    pairs.extend(rules.append.iter().filter_map(|(name, template)| pair(name, template, scope)).map(Cow::Owned));
    let new = pairs.join("&");
    (new != old).then_some(new)
}

fn pair(name: &str, template: &Template, scope: Scope<'_>) -> Option<String> {
    let value = template.render(scope, Place::Text)?;
    Some(format!("{}={}", percent_encode(name.as_bytes()), percent_encode(value.as_bytes())))
}

/// Whether a pair of a query has that name, however it is written.
fn is_named(pair: &str, name: &str) -> bool {
    let key = pair.split('=').next().unwrap_or_default();
    decode(key) == name.as_bytes()
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match escaped.filter(|two| !two.starts_with('+')).and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => bytes.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    bytes
}
