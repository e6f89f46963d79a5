//! What a route may not keep without a word of the operator: answers that may be for one caller only.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use crate::config::{CacheRules, Config, Part, Route, Target};

/// Why answers of a route may be private, although nothing in the key tells callers apart; None where they are not.
pub(crate) fn why_private(route: &Route, rules: &CacheRules, authorizes: bool) -> Option<String> {
    if rules.shared {
        return None;
    }
    if authorizes && !rules.is_by_caller() {
        return Some("an authorizer decides who gets these answers, and all callers would share them".to_owned());
    }
    // A header that tells the upstream who asks may change what it answers.
    let told = route.upstream_headers.iter().find_map(|(name, template)| {
        let tells = |part: &&Part| matches!(part, Part::Attribute(_) | Part::ClientIp) && !rules.names(part);
        template.parts.iter().find(tells).map(|part| (name, part))
    });
    told.map(|(name, part)| {
        let part = match part {
            Part::Attribute(name) => name,
            _ => "request.client-ip",
        };
        format!("`{name}` tells the upstream `{part}`, which is not in the key")
    })
}

/// What a route is, as far as its answers depend on it: those of a route that has changed are not found any more.
pub(crate) fn tag(config: &Config, route: &Route, rules: &CacheRules) -> u64 {
    let plugins: Vec<_> = route.plugins.iter().map(|&plugin| &config.plugins[plugin].name).collect();
    let endpoints = match &route.target {
        Target::Upstream(index) => Some(&config.upstreams[*index].endpoints),
        _ => None,
    };
    let Route { name, matches, authorize, upstream_headers, .. } = route;
    let text = format!("{name} {matches:?} {authorize:?} {upstream_headers:?} {plugins:?} {endpoints:?} {rules:?}");
    let mut hasher = SipHasher13::new();
    hasher.write(text.as_bytes());
    hasher.finish()
}
