//! Whether an answer may be kept, and for how long it is fresh: RFC 9111 sections 3 and 4.2, as a shared cache.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AGE, DATE, ETAG, EXPIRES, LAST_MODIFIED, SET_COOKIE},
};

use super::control::Control;
use crate::config::CacheRules;

/// What holds for an answer that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    /// How long it is fresh, from when it was made. Zero: it is asked about each time.
    pub(crate) fresh: Duration,
    /// How old it was when it came.
    pub(crate) age: Duration,
    /// For how long after that it may serve in place of an error.
    pub(crate) stale_if_error: Duration,
    /// Whether it says itself that it is for everybody, whatever credentials a request had (section 3.5).
    pub(crate) for_all: bool,
}

/// What is to be kept of an answer; None: nothing. `alone` says that its request had credentials that are not in the key,
/// `took` how long the answer took.
pub(crate) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    rules: &CacheRules,
    alone: bool,
    took: Duration,
) -> Option<Judged> {
    let control = Control::of(headers);
    if control.no_store || control.private || headers.contains_key(SET_COOKIE) {
        return None;
    }
    let for_all = control.public || control.s_maxage.is_some() || control.must_revalidate_itself;
    if alone && !for_all {
        return None;
    }
    // What is asked about each time needs no time of its own.
    let said = if control.no_cache { Some(Duration::ZERO) } else { said(&control, headers) };
    let fresh = match status.as_u16() {
        200 | 203 | 204 | 300 | 301 | 308 if rules.ttl_overrides => rules.ttl.or(said)?,
        200 | 203 | 204 | 300 | 301 | 308 => said.or(rules.ttl)?,
        404 | 410 => rules.negative_ttl.map(|most| said.map_or(most, |said| said.min(most)))?,
        _ => return None,
    };
    let fresh = if control.no_cache { Duration::ZERO } else { fresh.min(rules.max_ttl) };
    // What says `s-maxage` is not served stale either (section 5.2.2.10).
    let strict = control.no_cache || control.must_revalidate || control.s_maxage.is_some();
    let stale_if_error = control.stale_if_error.map_or(rules.stale_if_error, Duration::from_secs);
    let stale_if_error = if strict { Duration::ZERO } else { stale_if_error };
    let age = age(headers, SystemTime::now(), took);
    let has_validator = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    let useful = age < fresh || has_validator || !stale_if_error.is_zero();
    useful.then_some(Judged { fresh, age, stale_if_error, for_all })
}

/// How long it says itself that it is fresh (section 4.2.1).
fn said(control: &Control, headers: &HeaderMap) -> Option<Duration> {
    let directive = control.s_maxage.or(control.max_age).map(Duration::from_secs);
    directive.or_else(|| {
        let expires = headers.get(EXPIRES)?;
        // `0` and other dates that are none: it has expired (section 5.3).
        let until = read(expires).and_then(|expires| {
            let made = date(headers, DATE).unwrap_or_else(SystemTime::now);
            expires.duration_since(made).ok()
        });
        Some(until.unwrap_or_default())
    })
}

/// How old it was when it came (section 4.2.3).
fn age(headers: &HeaderMap, now: SystemTime, took: Duration) -> Duration {
    let told = headers.get(AGE).and_then(|value| value.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    let apparent = date(headers, DATE).and_then(|made| now.duration_since(made).ok()).unwrap_or_default();
    // A date has whole seconds: what is less is no age.
    apparent.saturating_sub(Duration::from_secs(1)).max(Duration::from_secs(told).saturating_add(took))
}

/// A date among header fields.
pub(crate) fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    read(headers.get(name)?)
}

fn read(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: fn(u64) -> Duration = Duration::from_secs;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        headers
    }

    fn fresh_with(fields: &[(&'static str, &str)], rules: &CacheRules) -> Option<u64> {
        let judged = judge(StatusCode::OK, &headers(fields), rules, false, Duration::ZERO);
        judged.map(|judged| judged.fresh.as_secs())
    }

    fn fresh(fields: &[(&'static str, &str)]) -> Option<u64> {
        fresh_with(fields, &CacheRules::default())
    }

    fn http_date(after: i64) -> String {
        let now = SystemTime::now();
        let date = if after < 0 { now - SECONDS(after.unsigned_abs()) } else { now + SECONDS(after.unsigned_abs()) };
        httpdate::fmt_http_date(date)
    }

    #[test]
    fn what_an_answer_says_is_taken_in_the_order_of_the_standard() {
        assert_eq!(fresh(&[]), None);
        assert_eq!(fresh(&[("cache-control", "max-age=60")]), Some(60));
        assert_eq!(fresh(&[("cache-control", "max-age=60, s-maxage=10")]), Some(10));
        assert_eq!(fresh(&[("expires", &http_date(90)), ("date", &http_date(0))]), Some(90));
        assert_eq!(fresh(&[("expires", &http_date(90)), ("cache-control", "max-age=5")]), Some(5));
        assert_eq!(fresh(&[("cache-control", "public")]), None);
        assert_eq!(fresh(&[("cache-control", "max-age=999999")]), Some(3600));
    }

    #[test]
    fn what_has_expired_is_kept_only_where_it_can_be_asked_about() {
        for expired in [
            ("cache-control", "max-age=0"),
            ("expires", "0"),
            ("cache-control", "max-age=60, no-cache"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(fresh(&[expired]), None, "{expired:?}");
            assert_eq!(fresh(&[expired, ("etag", "\"a\"")]), Some(0), "{expired:?}");
        }
        assert_eq!(fresh(&[("cache-control", "max-age=60"), ("age", "61")]), None);
        assert_eq!(fresh(&[("cache-control", "max-age=60"), ("date", &http_date(-65))]), None);
        assert_eq!(fresh(&[("cache-control", "max-age=60"), ("age", "59")]), Some(60));
    }

    #[test]
    fn what_is_private_is_never_kept_whatever_the_rules_say() {
        let rules = CacheRules { ttl: Some(SECONDS(60)), ttl_overrides: true, shared: true, ..CacheRules::default() };
        for field in [
            ("cache-control", "no-store"),
            ("cache-control", "private, max-age=60"),
            ("cache-control", "max-age=60, private=\"x\""),
            ("set-cookie", "a=b"),
        ] {
            assert_eq!(fresh_with(&[field, ("etag", "\"a\"")], &rules), None, "{field:?}");
        }
    }

    #[test]
    fn a_ttl_is_for_answers_that_say_nothing_or_for_all() {
        let mut rules = CacheRules { ttl: Some(SECONDS(30)), ..CacheRules::default() };
        assert_eq!(fresh_with(&[], &rules), Some(30));
        assert_eq!(fresh_with(&[("cache-control", "max-age=5")], &rules), Some(5));
        rules.ttl_overrides = true;
        assert_eq!(fresh_with(&[("cache-control", "max-age=5")], &rules), Some(30));
        assert_eq!(fresh_with(&[("cache-control", "no-cache"), ("etag", "\"a\"")], &rules), Some(0));
        rules.max_ttl = SECONDS(10);
        assert_eq!(fresh_with(&[], &rules), Some(10));
    }

    #[test]
    fn credentials_are_answered_for_everybody_only_where_the_answer_says_so() {
        for (value, kept) in [
            ("max-age=60", false),
            ("max-age=60, proxy-revalidate", false),
            ("max-age=60, public", true),
            ("s-maxage=60", true),
            ("max-age=60, must-revalidate", true),
        ] {
            let headers = headers(&[("cache-control", value)]);
            let judged = judge(StatusCode::OK, &headers, &CacheRules::default(), true, Duration::ZERO);
            assert_eq!(judged.is_some(), kept, "{value}");
        }
    }

    #[test]
    fn errors_are_kept_only_as_configured_and_never_those_of_servers() {
        let mut rules = CacheRules { ttl: Some(SECONDS(60)), ..CacheRules::default() };
        let of = |status, rules: &CacheRules| {
            let status = StatusCode::from_u16(status).expect("a status");
            let headers = headers(&[("cache-control", "max-age=20")]);
            judge(status, &headers, rules, false, Duration::ZERO).map(|judged| judged.fresh.as_secs())
        };
        for status in [201, 206, 302, 304, 307, 400, 401, 403, 404, 410, 429, 500, 502, 503] {
            assert_eq!(of(status, &rules), None, "{status}");
        }
        rules.negative_ttl = Some(SECONDS(5));
        assert_eq!((of(404, &rules), of(410, &rules), of(500, &rules)), (Some(5), Some(5), None));
    }

    #[test]
    fn what_must_be_asked_about_is_not_served_stale() {
        let rules = CacheRules { stale_if_error: SECONDS(100), ..CacheRules::default() };
        for (value, stale) in [
            ("max-age=60", 100),
            ("max-age=60, stale-if-error=7", 7),
            ("max-age=60, must-revalidate", 0),
            ("max-age=60, proxy-revalidate, stale-if-error=7", 0),
            ("s-maxage=60", 0),
        ] {
            let judged = judge(StatusCode::OK, &headers(&[("cache-control", value)]), &rules, false, Duration::ZERO);
            assert_eq!(judged.map(|judged| judged.stale_if_error), Some(SECONDS(stale)), "{value}");
        }
    }
}
