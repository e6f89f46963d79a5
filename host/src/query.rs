//! Single values out of a query and out of cookies, read only when somebody asks.
//!
//! Nothing is parsed ahead and nothing is changed: the query goes upstream as the client sent it.

pub(crate) mod fuzz;

use std::borrow::Cow;

use http::HeaderValue;

/// The first value of a query parameter, read as a form (URL standard, section 5.1): percent-decoded, `+` as space,
/// what is not UTF-8 as U+FFFD. A parameter without `=` has the empty value.
pub(crate) fn first(query: &str, name: &str) -> Option<String> {
    values(query, name).next()
}

/// All values of a query parameter in their order, read as by [`first`].
pub(crate) fn all(query: &str, name: &str) -> Vec<String> {
    values(query, name).collect()
}

/// The parameters with these names, as they were sent and in that order.
pub(crate) fn only(query: &str, names: &[String]) -> String {
    let named = |pair: &&str| !pair.is_empty() && names.iter().any(|wanted| *wanted == name(pair));
    query.split('&').filter(named).collect::<Vec<_>>().join("&")
}

/// What a pair of a query is called, decoded.
pub(crate) fn name(pair: &str) -> Cow<'_, str> {
    form_decode(pair.split_once('=').map_or(pair, |(name, _)| name))
}

/// All parameters in their order: names and values.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_decode(key), form_decode(value))
    })
}

fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    query.split('&').filter(|pair| !pair.is_empty()).filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_decode(key) == name).then(|| form_decode(value).into_owned())
    })
}

fn form_decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// The value of a cookie in the `Cookie` fields of a request (RFC 6265 section 5.4): the first of that name, as sent,
/// with its quotes if it has any, in isomorphic encoding. Names have case. HTTP/2 may spread the cookies over several
/// fields (RFC 9113 section 8.2.3).
pub(crate) fn cookie<'a>(fields: impl IntoIterator<Item = &'a HeaderValue>, name: &str) -> Option<String> {
    cookies(fields, name).next()
}

/// All cookies of a name, in their order, read as by [`cookie`].
pub(crate) fn cookies<'a>(
    fields: impl IntoIterator<Item = &'a HeaderValue>,
    name: &str,
) -> impl Iterator<Item = String> {
    let pairs = fields.into_iter().flat_map(|field| field.as_bytes().split(|&byte| byte == b';'));
    pairs.filter_map(move |pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let value = (pair[..equals].trim_ascii() == name.as_bytes()).then(|| pair[equals + 1..].trim_ascii())?;
        Some(value.iter().copied().map(char::from).collect())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_decoded_as_a_form() {
        assert_eq!(first("a=1&b=x+y%2B%c3%a9", "b").as_deref(), Some("x y+é"));
        assert_eq!(first("%61+b=1", "a b").as_deref(), Some("1"));
        assert_eq!(first("a=b=c", "a").as_deref(), Some("b=c"));
        assert_eq!(first("a=%zz%", "a").as_deref(), Some("%zz%"));
        assert_eq!(first("a=%ff", "a").as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn a_parameter_without_a_value_is_there_and_empty() {
        assert_eq!(first("x&flag", "flag").as_deref(), Some(""));
        assert_eq!(first("flag=&flag=2", "flag").as_deref(), Some(""));
        assert_eq!(first("flags=1&FLAG=1", "flag"), None);
        assert_eq!(first("", ""), None);
        assert_eq!(first("&&=v", "").as_deref(), Some("v"));
    }

    #[test]
    fn all_values_come_in_their_order() {
        assert_eq!(all("a=2&b=0&a=1&a", "a"), ["2", "1", ""]);
        assert!(all("a=2", "c").is_empty());
    }

    #[test]
    fn only_the_named_parameters_stay_as_they_were_sent() {
        let only =
            |query, names: &[&str]| super::only(query, &names.iter().map(|&name| name.into()).collect::<Vec<_>>());
        assert_eq!(only("b=2&x=1&%61=%31&a=+&&c", &["a", "c"]), "%61=%31&a=+&c");
        assert_eq!((only("a=1", &[]), only("", &["a"])), (String::new(), String::new()));
        assert_eq!(only("a=1;x=2&ab=1&A=1", &["a"]), "a=1;x=2");
    }

    #[test]
    fn a_cookie_is_found_in_any_field_and_the_first_counts() {
        let fields = [HeaderValue::from_static("a=1; sid=x=y ;b"), HeaderValue::from_static("sid=2;c=\"q\"; d=")];
        let read = |name| cookie(&fields, name);
        assert_eq!(read("sid").as_deref(), Some("x=y"));
        assert_eq!(read("c").as_deref(), Some("\"q\""));
        assert_eq!(read("d").as_deref(), Some(""));
        assert_eq!((read("b"), read("SID"), read("x"), read("")), (None, None, None, None));
    }

    #[test]
    fn a_cookie_byte_is_the_character_of_its_number() {
        let field = HeaderValue::from_bytes(b"a=\xe9").unwrap();
        assert_eq!(cookie([&field], "a").as_deref(), Some("é"));
    }
}
