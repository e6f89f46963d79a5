//! What a request is found by. Everything that the gateway itself tells the upstream of a request is in the key: scheme, host,
//! path and query as they leave, and what a trusted proxy says of them. What the key lacks may not change the answer; that
//! is what `Vary`, the configured key, and the rule about credentials are for.

use std::{
    hash::Hasher,
    time::{Duration, Instant},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, COOKIE, FORWARDED, HOST, IF_MATCH, IF_RANGE,
        IF_UNMODIFIED_SINCE, RANGE, VARY, VIA,
    },
    uri::PathAndQuery,
};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::{RouteCache, Stored, control::Control};
use crate::{
    body::RequestBody,
    config::{HashKey, Identity, Part},
    exchange::{Exchange, feed, feed_all, feed_option},
    query, template,
};

/// Names of `Vary` that a variant is told by; an answer with more is not kept.
const VARIES: usize = 16;

/// A request that may be answered from what is kept.
pub(crate) struct Asked {
    pub(crate) key: u128,
    /// Host and path: what a purge names, and what an unsafe request outdates.
    pub(crate) target: u64,
    /// Whether it has credentials that are not in the key: then only an answer that is for everybody is for it.
    pub(crate) alone: bool,
    /// Whether it is one of `HEAD`, which keeps nothing.
    pub(crate) head: bool,
    /// Whether it asks for a part: what is kept serves it as a whole, and nothing of its answer is kept.
    pub(crate) partial: bool,
    /// What its client says, where that is heard.
    control: Control,
    pub(crate) started: Instant,
}

impl Asked {
    /// None where the request goes to the upstream whatever is kept, and nothing of its answer is kept.
    pub(super) fn of(cache: &RouteCache, exchange: &Exchange, body: &RequestBody) -> Option<Self> {
        let headers = &exchange.request.headers;
        let head = exchange.request.method == Method::HEAD;
        let has = |names: &[HeaderName]| names.iter().any(|name| headers.contains_key(name));
        let plain = (head || exchange.request.method == Method::GET)
            && body.is_empty()
            && exchange.websocket_key.is_none()
            && !has(&[IF_MATCH, IF_UNMODIFIED_SINCE]);
        if !plain {
            return None;
        }
        let control = match cache.rules.client_control {
            true => Control::of_request(headers),
            false => Control::default(),
        };
        if control.no_store {
            return None;
        }
        Some(Self {
            key: key(cache, exchange)?,
            target: cache.cache.target(&exchange.request.authority, exchange.request.target.path()),
            alone: has_foreign_credentials(cache, headers),
            head,
            partial: has(&[RANGE, IF_RANGE]),
            control,
            started: Instant::now(),
        })
    }

    /// Whether what is kept is for this request at all.
    pub(crate) fn may_have(&self, kept: &Stored) -> bool {
        kept.judged.for_all || !self.alone
    }

    /// Whether what is kept is fresh enough for this request.
    pub(crate) fn takes(&self, kept: &Stored, now: Duration) -> bool {
        let age = kept.age(now);
        let within = |most: Option<u64>| most.is_none_or(|most| age <= Duration::from_secs(most));
        let needed = Duration::from_secs(self.control.min_fresh.unwrap_or(0));
        !self.control.no_cache && within(self.control.max_age) && age.saturating_add(needed) < kept.judged.fresh
    }

    /// Whether the client wants what is kept or nothing.
    pub(crate) fn wants_kept_only(&self) -> bool {
        self.control.only_if_cached
    }

    /// Whether others may wait for what this one fetches, and it for what they do.
    pub(crate) fn is_one_of_many(&self) -> bool {
        !self.alone && !self.head && !self.partial && !self.control.no_cache
    }
}

/// `Authorization` and `Cookie` name a caller. Where the key has what an authorizer made of them, or the route says that
/// answers are for everybody, they are the operator's word.
fn has_foreign_credentials(cache: &RouteCache, headers: &HeaderMap) -> bool {
    let rules = &cache.rules;
    let settled = rules.shared || rules.is_by_caller();
    let is_by = |name: &HeaderName| rules.is_by(|field| matches!(field, Identity::Header(header) if header == name));
    let cookie = || is_by(&COOKIE) || rules.is_by(|field| matches!(field, Identity::Cookie(_)));
    !settled
        && (headers.contains_key(AUTHORIZATION) && !is_by(&AUTHORIZATION) || headers.contains_key(COOKIE) && !cookie())
}

/// None where an attribute of an authorizer is in the key, and the request has none.
fn key(cache: &RouteCache, exchange: &Exchange) -> Option<u128> {
    let request = &exchange.request;
    let mut hasher = SipHasher13::new_with_key(&cache.cache.secret);
    hasher.write_u64(cache.tag);
    feed(&mut hasher, request.scheme.as_bytes());
    feed(&mut hasher, request.authority.as_bytes());
    feed(&mut hasher, request.target.as_str().as_bytes());
    // Of several upstreams each answers for itself.
    let chosen = exchange.outcome.chosen.as_ref().map(|chosen| &*chosen.name);
    feed_option(&mut hasher, chosen);
    // References to the path's parameters mean this one.
    feed_option(&mut hasher, request.matched_path.as_deref());
    request.headers.iter().filter(|(name, _)| tells_the_target(name)).for_each(|(name, value)| {
        feed(&mut hasher, name.as_str().as_bytes());
        feed(&mut hasher, value.as_bytes());
    });
    hasher.write_u64(u64::MAX);
    for part in &cache.rules.key {
        match part {
            HashKey::Field(Identity::Header(name)) => feed_header(&mut hasher, &request.headers, name),
            HashKey::Field(Identity::Cookie(name)) => feed_cookie(&mut hasher, &request.headers, name),
            HashKey::Field(Identity::Query(_)) => {}
            HashKey::Template(template) => {
                let value = template::fill(template, exchange);
                let by_caller = |part: &Part| matches!(part, Part::Attribute(name) if name.starts_with("auth."));
                if value.is_none() && template.parts.iter().any(by_caller) {
                    return None;
                }
                feed_option(&mut hasher, value.as_deref());
            }
        }
    }
    Some(hasher.finish128().as_u128())
}

/// What only a trusted proxy may say, of which target it was asked for. Of anybody else it is not there any more.
fn tells_the_target(name: &HeaderName) -> bool {
    match name.as_str() {
        "x-forwarded-for" => false,
        "forwarded" | "x-original-host" | "x-url-scheme" | "front-end-https" => true,
        name => name.starts_with("x-forwarded-"),
    }
}

/// The key of a variant: what a request has of the fields that the answer varies by.
pub(super) fn variant(secret: &[u8; 16], key: u128, names: &[HeaderName], headers: &HeaderMap) -> u128 {
    let mut hasher = SipHasher13::new_with_key(secret);
    hasher.write_u128(key);
    names.iter().for_each(|name| {
        feed(&mut hasher, name.as_str().as_bytes());
        feed_header(&mut hasher, headers, name);
    });
    hasher.finish128().as_u128()
}

/// The fields that an answer varies by (RFC 9110 section 12.5.5), but for those that are in every key. None where no request
/// can be known to get the same: `*`, or what the gateway itself tells the upstream of each request.
pub(crate) fn varies_by(answer: &HeaderMap, reserved: &[HeaderName]) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for value in answer.get_all(VARY) {
        for name in value.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let name = HeaderName::try_from(name).ok().filter(|name| name.as_str() != "*")?;
            let ours = ["x-forwarded-for", "x-request-id"].contains(&name.as_str());
            if ours || [FORWARDED, VIA].contains(&name) || reserved.contains(&name) {
                return None;
            }
            if !(name == HOST || tells_the_target(&name) || names.contains(&name)) {
                names.push(name);
            }
        }
    }
    // Upstreams that compress forget to say so.
    if answer.contains_key(CONTENT_ENCODING) && !names.contains(&ACCEPT_ENCODING) {
        names.push(ACCEPT_ENCODING);
    }
    (names.len() <= VARIES).then_some(names)
}

/// The target without the parameters of the query that are not in the key; None where all are.
pub(super) fn narrowed(target: &PathAndQuery, names: &[String]) -> Option<PathAndQuery> {
    let query = target.query()?;
    let only = query::only(query, names);
    let path = target.path();
    let narrowed = match &*only {
        "" => path.to_owned(),
        only if only == query => return None,
        only => format!("{path}?{only}"),
    };
    PathAndQuery::try_from(narrowed).ok()
}

fn feed_header(hasher: &mut impl Hasher, headers: &HeaderMap, name: &HeaderName) {
    feed_all(hasher, headers.get_all(name).iter().map(HeaderValue::as_bytes));
}

/// All cookies of a name: which of several counts is the upstream's choice.
fn feed_cookie(hasher: &mut impl Hasher, headers: &HeaderMap, name: &str) {
    let pairs =
        headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).flat_map(|field| field.split(|&byte| byte == b';'));
    let named = pairs.map(<[u8]>::trim_ascii).filter(|pair| {
        let rest = pair.strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.trim_ascii_start().first().is_none_or(|&byte| byte == b'='))
    });
    feed_all(hasher, named);
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn varying(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (VARY, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_an_answer_varies_by_is_named_once_or_cannot_be_known() {
        let by = |values: &[&'static str]| varies_by(&varying(values), &[HeaderName::from_static("x-user")]);
        let names = |names: &[&'static str]| Some(names.iter().map(|name| HeaderName::from_static(name)).collect());
        assert_eq!(by(&[]), names(&[]));
        assert_eq!(by(&["Accept, accept-encoding", "ACCEPT,,host"]), names(&["accept", "accept-encoding"]));
        for value in ["*", "accept, *", "x-user", "X-Forwarded-For", "forwarded", "a b"] {
            assert_eq!(by(&[value]), None, "{value}");
        }
        assert_eq!(by(&["a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"]), None);
    }

    #[test]
    fn variants_are_told_apart_by_all_values_of_their_fields() {
        let of = |values: &[&'static str]| {
            let name = HeaderName::from_static("accept");
            let headers: HeaderMap =
                values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect();
            variant(&[7; 16], 1, &[name], &headers)
        };
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        let all = [of(&[]), of(&[""]), of(&["a"]), of(&["a", "b"]), of(&["b", "a"]), of(&["ab"])];
        (0..all.len()).for_each(|i| assert!(!all[..i].contains(&all[i]), "{i}"));
    }

    #[test]
    fn cookies_of_a_name_are_all_in_the_key() {
        let of = |value: &'static str| {
            let headers: HeaderMap = [(COOKIE, HeaderValue::from_static(value))].into_iter().collect();
            let mut hasher = SipHasher13::new();
            feed_cookie(&mut hasher, &headers, "sid");
            hasher.finish128().as_u128()
        };
        assert_eq!(of("sid=1; a=2"), of("a=3;sid=1"));
        let all = [of("a=1"), of("sid=1"), of("sid=2"), of("sid=1; sid=2"), of("sid=2; sid=1"), of("sid")];
        (0..all.len()).for_each(|i| assert!(!all[..i].contains(&all[i]), "{i}"));
        assert_eq!(of("side=1"), of("a=1"));
    }

    #[test]
    fn a_target_is_narrowed_to_the_named_parameters() {
        let narrowed = |target: &'static str| {
            narrowed(&PathAndQuery::from_static(target), &["page".to_owned()]).map(|target| target.to_string())
        };
        assert_eq!(narrowed("/a?x=1&page=2&y"), Some("/a?page=2".to_owned()));
        assert_eq!(narrowed("/a?x=1"), Some("/a".to_owned()));
        assert_eq!((narrowed("/a?page=2"), narrowed("/a")), (None, None));
    }
}
