//! Compressing answers: whether one is compressed, into what (RFC 9110 sections 8.4 and 12.5.3), and what its head says then.
//!
//! The last thing that happens to a body: filters and caches see it as it is.

mod body;

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
        ETAG, VARY,
    },
};
use http_body::Body as _;

use crate::{
    answer::AnswerBody,
    config::{Coding, Compression},
    exchange::Response,
};
use body::Compressed;

/// What a client is to get, where its route compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negotiated {
    /// Nothing that we can.
    Identity,
    /// This.
    Coding(Coding),
}

/// What a client wants most of what there is; of what it likes as much, the first.
pub(crate) fn negotiate(rules: &Compression, headers: &HeaderMap) -> Negotiated {
    let mut best: Option<(u16, Coding)> = None;
    for &coding in &rules.encodings {
        let quality = quality(headers, coding.name());
        if quality > best.map_or(0, |(quality, _)| quality) {
            best = Some((quality, coding));
        }
    }
    best.map_or(Negotiated::Identity, |(_, coding)| Negotiated::Coding(coding))
}

/// How much a client wants a coding, in thousandths; 0: not at all.
fn quality(headers: &HeaderMap, name: &str) -> u16 {
    let mut any = 0;
    for value in headers.get_all(ACCEPT_ENCODING) {
        for element in value.to_str().unwrap_or_default().split(',') {
            let (coding, weight) = element.split_once(';').unwrap_or((element, ""));
            let coding = coding.trim();
            if coding.eq_ignore_ascii_case(name) || (name == "gzip" && coding.eq_ignore_ascii_case("x-gzip")) {
                return thousandths(weight);
            }
            if coding == "*" {
                any = thousandths(weight);
            }
        }
    }
    any
}

/// `q=0.5`; nothing is 1, and what is no weight is 0.
fn thousandths(weight: &str) -> u16 {
    let weight = weight.trim();
    if weight.is_empty() {
        return 1000;
    }
    let value = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="));
    let value = value.and_then(|value| value.parse::<f32>().ok()).filter(|value| (0.0..=1.0).contains(value));
    value.map_or(0, |value| (value * 1000.0) as u16)
}

/// Compresses an answer, if it is one to be compressed, and says so in its head.
pub(crate) fn apply(
    rules: &Compression,
    wanted: Negotiated,
    asked_head: bool,
    head: &mut Response,
    body: &mut AnswerBody,
) {
    if !is_eligible(rules, asked_head, head, body) {
        return;
    }
    vary(&mut head.headers);
    let Negotiated::Coding(coding) = wanted else { return };
    if !asked_head {
        // As many as may be are at it: it passes as it is.
        let Some(compressed) = Compressed::of(body, coding, rules) else { return };
        *body = AnswerBody::Piped(Box::pin(compressed));
    }
    tell(coding, &mut head.headers);
}

fn is_eligible(rules: &Compression, asked_head: bool, head: &Response, body: &AnswerBody) -> bool {
    let headers = &head.headers;
    let bodiless = head.status.is_informational()
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status)
        || [205, 206].contains(&head.status.as_u16());
    if bodiless || headers.contains_key(CONTENT_ENCODING) || headers.contains_key(CONTENT_RANGE) {
        return false;
    }
    // That of a HEAD is told by the head alone.
    let told = || headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    let length = if asked_head { told() } else { body.size_hint().exact() };
    let nothing = !asked_head && body.is_end_stream();
    !nothing
        && length.is_none_or(|length: u64| length >= rules.min_bytes)
        && !forbids(headers)
        && headers.get(CONTENT_TYPE).is_some_and(|value| is_meant(rules, value))
}

/// `no-transform` (RFC 9111 section 5.2.2.6).
fn forbids(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|directive| directive.trim().eq_ignore_ascii_case("no-transform"))
}

fn is_meant(rules: &Compression, content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !rules.content_types.is_empty() {
        return rules.content_types.iter().any(|meant| match meant.strip_suffix('*') {
            Some(prefix) => kind.starts_with(prefix),
            None => *meant == kind,
        });
    }
    let (top, subtype) = kind.split_once('/').unwrap_or_default();
    match top {
        // A stream of events comes in pieces too small to be worth it.
        "text" => subtype != "event-stream",
        "application" => {
            const ALIKE: [&str; 8] =
                ["json", "javascript", "xml", "x-ndjson", "graphql", "wasm", "manifest+json", "x-javascript"];
            ALIKE.contains(&subtype) || subtype.ends_with("+json") || subtype.ends_with("+xml")
        }
        "image" => subtype == "svg+xml",
        _ => false,
    }
}

/// Says that others may get other bytes.
fn vary(headers: &mut HeaderMap) {
    let values = headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok());
    let mut names = values.flat_map(|value| value.split(',')).map(str::trim);
    if !names.any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding")) {
        headers.append(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    }
}

/// What is no longer true of an answer that is compressed.
fn tell(coding: Coding, headers: &mut HeaderMap) {
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    headers.remove(CONTENT_LENGTH);
    headers.remove(ACCEPT_RANGES);
    // Of the bytes that were there before (RFC 9530).
    ["content-digest", "content-md5", "digest"].iter().for_each(|name| drop(headers.remove(*name)));
    // The same content in other bytes (RFC 9110 section 8.8.1).
    if let Some(tag) = headers.get(ETAG)
        && tag.as_bytes().starts_with(b"\"")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_client_gets_what_it_wants_most_and_what_we_prefer_among_that() {
        let rules = Compression::default();
        let wanted = |values: &[&'static str]| match negotiate(&rules, &headers(ACCEPT_ENCODING, values)) {
            Negotiated::Identity => "identity",
            Negotiated::Coding(coding) => coding.name(),
        };
        for (values, coding) in [
            (&[][..], "identity"),
            (&["gzip, deflate, br, zstd"], "zstd"),
            (&["gzip, br"], "br"),
            (&["gzip", "br;q=0.5"], "gzip"),
            (&["GZIP;Q=0.5"], "gzip"),
            (&["x-gzip"], "gzip"),
            (&["*"], "zstd"),
            (&["*;q=0.1, zstd;q=0"], "br"),
            (&["*, zstd;q=0, br;q=0.000, gzip;q=0.0"], "identity"),
            (&["gzip;q=2, br;q=x", "br;level=3"], "identity"),
            (&["identity", "deflate", "gzipped", ""], "identity"),
            (&["br ; q=0.2 , gzip ; q=0.3"], "gzip"),
        ] {
            assert_eq!(wanted(values), coding, "{values:?}");
        }
    }

    #[test]
    fn text_and_what_is_like_it_is_meant_or_what_is_configured() {
        let mut rules = Compression::default();
        let meant = |rules: &Compression, kind| is_meant(rules, &HeaderValue::from_static(kind));
        for kind in ["text/html; charset=utf-8", "Application/JSON", "application/problem+json", "image/svg+xml"] {
            assert!(meant(&rules, kind), "{kind}");
        }
        for kind in ["image/png", "text/event-stream", "application/octet-stream", "application/grpc", "", "json"] {
            assert!(!meant(&rules, kind), "{kind}");
        }
        rules.content_types = vec!["text/*".to_owned(), "a/b".to_owned()];
        assert!(meant(&rules, "text/event-stream") && meant(&rules, "A/B;c") && !meant(&rules, "application/json"));
    }

    #[test]
    fn what_is_compressed_says_nothing_of_the_bytes_before() {
        let mut head = headers(ETAG, &["\"a\""]);
        head.insert(CONTENT_LENGTH, HeaderValue::from(5));
        head.insert("content-digest", HeaderValue::from_static("x"));
        vary(&mut head);
        tell(Coding::Gzip, &mut head);
        vary(&mut head);
        let expected = [(ETAG, "W/\"a\""), (CONTENT_ENCODING, "gzip"), (VARY, "accept-encoding")];
        assert_eq!(head, expected.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect());
        tell(Coding::Gzip, &mut head);
        assert_eq!(head.get(ETAG).map(HeaderValue::as_bytes), Some(&b"W/\"a\""[..]));
    }
}
