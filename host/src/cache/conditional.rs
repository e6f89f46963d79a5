//! Conditions of requests (RFC 9110 section 13): a client's are answered from what is kept, and ours ask the upstream
//! whether that still holds.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, LAST_MODIFIED,
    },
};

use super::{Stored, freshness::date};

/// A client's conditions, while ours stand in their place.
pub(crate) struct Theirs(Vec<(HeaderName, HeaderValue)>);

/// Takes a client's conditions out of its request. For what is kept and may still hold, ours take their place.
pub(crate) fn replace(headers: &mut HeaderMap, kept: Option<&Stored>) -> Theirs {
    let mut theirs = Vec::new();
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
        theirs.extend(headers.get_all(&name).iter().map(|value| (name.clone(), value.clone())));
        headers.remove(&name);
    }
    for (validator, condition) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
        if let Some(value) = kept.and_then(|kept| kept.headers.get(validator)) {
            headers.insert(condition, value.clone());
        }
    }
    Theirs(theirs)
}

impl Theirs {
    /// Puts them back, for whoever reads the request later.
    pub(crate) fn restore(self, headers: &mut HeaderMap) {
        headers.remove(IF_NONE_MATCH);
        headers.remove(IF_MODIFIED_SINCE);
        for (name, value) in self.0 {
            headers.append(name, value);
        }
    }
}

/// Whether the client has it already (section 13.2.2): its tags, and only without them its date.
pub(crate) fn has_it(request: &HeaderMap, status: StatusCode, kept: &HeaderMap) -> bool {
    if status != StatusCode::OK {
        return false;
    }
    if request.contains_key(IF_NONE_MATCH) {
        let Some(tag) = kept.get(ETAG).map(|tag| opaque(tag.as_bytes())) else { return false };
        return request.get_all(IF_NONE_MATCH).iter().any(|tags| names(tags.as_bytes(), tag));
    }
    match (date(request, IF_MODIFIED_SINCE), date(kept, LAST_MODIFIED)) {
        (Some(since), Some(modified)) => modified <= since,
        _ => false,
    }
}

/// Whether a list of tags has one, by weak comparison (section 8.8.3.2), or is `*`.
fn names(list: &[u8], tag: &[u8]) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    // A tag may have commas in its quotes: each piece from a quote to the next is one.
    let mut rest = list;
    while let Some(open) = rest.iter().position(|&byte| byte == b'"') {
        let Some(length) = rest[open + 1..].iter().position(|&byte| byte == b'"') else { return false };
        let end = open + length + 2;
        if &rest[open..end] == tag {
            return true;
        }
        rest = &rest[end..];
    }
    false
}

/// A tag without its weakness.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Whether an answer that says that nothing has changed is about what is kept (RFC 9111 section 4.3.4).
pub(crate) fn is_about(not_modified: &HeaderMap, kept: &HeaderMap) -> bool {
    match (not_modified.get(ETAG), kept.get(ETAG)) {
        (Some(new), Some(old)) => opaque(new.as_bytes()) == opaque(old.as_bytes()),
        _ => true,
    }
}

/// The header fields of what is kept after an answer that says that nothing has changed (RFC 9111 section 3.2).
pub(crate) fn updated(kept: &HeaderMap, not_modified: &HeaderMap) -> HeaderMap {
    let mut headers = kept.clone();
    let changes = |name: &&HeaderName| ![CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE, CONTENT_RANGE].contains(name);
    for name in not_modified.keys().filter(changes) {
        headers.remove(name);
        for value in not_modified.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Leaves what a 304 says (RFC 9110 section 15.4.5): nothing of a body that is not there.
pub(crate) fn without_content(headers: &mut HeaderMap) {
    for name in [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE, CONTENT_LANGUAGE, CONTENT_RANGE] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_client_has_what_its_tags_name_or_its_date_reaches() {
        let kept = headers(&[(ETAG, "W/\"a,b\""), (LAST_MODIFIED, "Sun, 06 Nov 1994 08:49:37 GMT")]);
        let has = |fields: &[(HeaderName, &'static str)]| has_it(&headers(fields), StatusCode::OK, &kept);
        assert!(has(&[(IF_NONE_MATCH, "\"a,b\"")]) && has(&[(IF_NONE_MATCH, "\"x\", W/\"a,b\"")]));
        assert!(has(&[(IF_NONE_MATCH, "*")]) && !has(&[(IF_NONE_MATCH, "\"a\", \"b\", \"")]));
        assert!(has(&[(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT")]));
        assert!(!has(&[(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT")]) && !has(&[(IF_MODIFIED_SINCE, "soon")]));
        let both = [(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT")];
        assert!(!has(&both) && !has(&[]));
    }

    #[test]
    fn an_update_replaces_what_it_names_and_nothing_about_the_body() {
        let kept = headers(&[(ETAG, "\"a\""), (CONTENT_LENGTH, "5"), (CONTENT_TYPE, "a/b")]);
        let new = headers(&[(ETAG, "W/\"a\""), (CONTENT_LENGTH, "0"), (LAST_MODIFIED, "x")]);
        assert!(is_about(&new, &kept) && !is_about(&headers(&[(ETAG, "\"b\"")]), &kept));
        let expected =
            headers(&[(ETAG, "W/\"a\""), (CONTENT_LENGTH, "5"), (CONTENT_TYPE, "a/b"), (LAST_MODIFIED, "x")]);
        assert_eq!(updated(&kept, &new), expected);
    }
}
