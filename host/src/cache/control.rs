//! `Cache-Control` (RFC 9111 section 5.2), of an answer or of a request. What cannot be read is taken for the stricter.

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, PRAGMA},
};

/// The directives that matter here. Times are in seconds.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) private: bool,
    pub(crate) public: bool,
    /// `must-revalidate` or `proxy-revalidate`: both mean a shared cache.
    pub(crate) must_revalidate: bool,
    /// `must-revalidate` alone: it also lets answers to `Authorization` be kept (section 3.5).
    pub(crate) must_revalidate_itself: bool,
    pub(crate) no_transform: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<u64>,
    pub(crate) s_maxage: Option<u64>,
    pub(crate) min_fresh: Option<u64>,
    /// RFC 5861 section 4.
    pub(crate) stale_if_error: Option<u64>,
}

impl Control {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        for value in headers.get_all(CACHE_CONTROL) {
            match value.to_str() {
                Ok(text) => directives(text).for_each(|(name, value)| control.take(name, value)),
                Err(_) => control.no_store = true,
            }
        }
        control
    }

    /// That of a request: `Pragma: no-cache` counts where there is nothing else (section 5.4).
    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        let mut control = Self::of(headers);
        if !headers.contains_key(CACHE_CONTROL) {
            let pragma = headers.get(PRAGMA).map(HeaderValue::as_bytes);
            control.no_cache = pragma.is_some_and(|value| value.eq_ignore_ascii_case(b"no-cache"));
        }
        control
    }

    fn take(&mut self, name: &str, value: Option<&str>) {
        let is = |directive: &str| name.eq_ignore_ascii_case(directive);
        // What a field of it is for (`private="set-cookie"`) is not looked at: it is for all of the answer.
        match () {
            () if is("no-store") => self.no_store = true,
            () if is("no-cache") => self.no_cache = true,
            () if is("private") => self.private = true,
            () if is("public") => self.public = true,
            () if is("must-revalidate") => (self.must_revalidate, self.must_revalidate_itself) = (true, true),
            () if is("proxy-revalidate") => self.must_revalidate = true,
            () if is("no-transform") => self.no_transform = true,
            () if is("only-if-cached") => self.only_if_cached = true,
            () if is("max-age") => least(&mut self.max_age, value),
            () if is("s-maxage") => least(&mut self.s_maxage, value),
            () if is("min-fresh") => self.min_fresh = seconds(value),
            () if is("stale-if-error") => least(&mut self.stale_if_error, value),
            () => {}
        }
    }
}

/// Of several the shortest; what is no number is none at all (section 4.2.1: stale).
fn least(time: &mut Option<u64>, value: Option<&str>) {
    let read = seconds(value).unwrap_or(0);
    *time = Some(time.map_or(read, |before| before.min(read)));
}

fn seconds(value: Option<&str>) -> Option<u64> {
    let digits = value?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // Section 1.2.2: what does not fit is as long as can be.
    is_number.then(|| digits.parse::<u64>().unwrap_or(u64::MAX).min(1 << 31))
}

/// The directives of a field: names, each with its value without quotes. A comma within quotes separates nothing.
fn directives(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut quoted = false;
    let parts = text.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
        None => (part, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[&'static str]) -> Control {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(field));
        }
        Control::of(&headers)
    }

    #[test]
    fn directives_are_read_in_any_case_and_from_any_field() {
        let read = of(&["Public, MAX-AGE=60", "s-maxage=\"10\" ,, must-revalidate"]);
        let expected = Control {
            public: true,
            max_age: Some(60),
            s_maxage: Some(10),
            must_revalidate: true,
            must_revalidate_itself: true,
            ..Control::default()
        };
        assert_eq!(read, expected);
        let read = of(&["private=\"a, no-store\", no-cache=b"]);
        assert_eq!(read, Control { private: true, no_cache: true, ..Control::default() });
    }

    #[test]
    fn what_is_no_number_is_stale_and_of_two_the_shorter_counts() {
        for text in ["max-age", "max-age=", "max-age=-1", "max-age=1.5", "max-age=x", "max-age=9, max-age=0"] {
            assert_eq!(of(&[text]).max_age, Some(0), "{text}");
        }
        assert_eq!(of(&["max-age=99999999999999999999"]).max_age, Some(1 << 31));
    }

    #[test]
    fn what_is_no_text_may_not_be_stored() {
        let mut headers = HeaderMap::new();
        headers.append(CACHE_CONTROL, HeaderValue::from_bytes(b"max-age=60, \xff").expect("a value"));
        assert!(Control::of(&headers).no_store);
    }

    #[test]
    fn pragma_counts_in_a_request_without_cache_control() {
        let mut headers = HeaderMap::new();
        headers.insert(PRAGMA, HeaderValue::from_static("No-Cache"));
        assert!(Control::of_request(&headers).no_cache && !Control::of(&headers).no_cache);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=5"));
        assert!(!Control::of_request(&headers).no_cache);
    }
}
