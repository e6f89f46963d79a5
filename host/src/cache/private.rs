//! What a route may not keep without a word of the operator: answers that may be for one caller only.

use std::hash::Hasher as _;

use http::{
    HeaderName,
    header::{AUTHORIZATION, COOKIE},
};
use siphasher::sip::SipHasher13;

use crate::config::{CacheRules, Config, Identity, Part, Route, Target};

/// Headers that say who somebody is.
const CREDENTIALS: [HeaderName; 2] = [AUTHORIZATION, COOKIE];

/// Why answers of a route may be private, although nothing in the key tells callers apart; None where they are not.
pub(crate) fn why_private(route: &Route, rules: &CacheRules, authorizes: bool) -> Option<String> {
    if rules.shared {
        return None;
    }
    if authorizes && !rules.is_by_caller() {
        return Some("an authorizer decides who gets these answers, and all callers would share them".to_owned());
    }
    // A header that tells the upstream who asks may change what it answers.
    let mapped = route.request.as_ref().map(|mapping| &mapping.headers);
    let set = mapped.iter().flat_map(|headers| headers.set.iter().chain(&headers.append));
    let told = route.upstream_headers.iter().chain(set).find_map(|(name, template)| {
        let part = template.parts.iter().find_map(|part| who_asks(part, rules))?;
        Some((name, part))
    });
    let renamed = mapped.iter().flat_map(|headers| &headers.rename).find(|(old, _)| CREDENTIALS.contains(old));
    let told = told.or(renamed.map(|(old, new)| (new, format!("header.{old}"))));
    told.map(|(name, part)| format!("`{name}` tells the upstream `{part}`, which is not in the key"))
}

/// What a part of a header tells of who asks, if that is not in the key. The credentials are looked at under their own
/// names only.
fn who_asks(part: &Part, rules: &CacheRules) -> Option<String> {
    let told = match part {
        Part::Attribute(name) => name.clone(),
        Part::ClientIp => "request.client-ip".to_owned(),
        Part::Field(Identity::Header(name)) if CREDENTIALS.contains(name) => format!("header.{name}"),
        Part::Field(Identity::Cookie(name)) => format!("cookie.{name}"),
        _ => return None,
    };
    let in_key = match part {
        Part::Field(field) => rules.is_by(|identity| identity == field) || rules.names(part),
        _ => rules.names(part),
    };
    (!in_key).then_some(told)
}

/// What a route is, as far as its answers depend on it: those of a route that has changed are not found any more.
pub(crate) fn tag(config: &Config, route: &Route, rules: &CacheRules) -> u64 {
    let plugins: Vec<_> = route.plugins.iter().map(|&plugin| &config.plugins[plugin].name).collect();
    let split = route.split.iter().flat_map(|split| &split.upstreams).map(|(index, _)| *index);
    let only = if let Target::Upstream(index) = route.target { Some(index) } else { None };
    let endpoints: Vec<_> = only.into_iter().chain(split).map(|index| &config.upstreams[index].endpoints).collect();
    let Route { name, matches, authorize, upstream_headers, request, .. } = route;
    let text = format!(
        "{name} {matches:?} {authorize:?} {upstream_headers:?} {request:?} {plugins:?} {endpoints:?} {rules:?}"
    );
    let mut hasher = SipHasher13::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}
