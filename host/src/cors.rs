//! Cross-origin resource sharing, as the Fetch standard has it (section 3.2): preflights are answered here, and every other
//! answer of a route says which origin may read it. What an upstream or a plugin says of it is replaced.

use http::{
    HeaderMap, HeaderValue, Method,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use crate::config::{AllowedOrigin, Cors, Names};

const ANY: HeaderValue = HeaderValue::from_static("*");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// The method that a preflight asks for; None for what is none.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Method> {
    let asked = (*method == Method::OPTIONS && headers.contains_key(ORIGIN))
        .then(|| headers.get(ACCESS_CONTROL_REQUEST_METHOD));
    Method::from_bytes(asked??.as_bytes()).ok()
}

/// The value of `Access-Control-Allow-Origin` for a request; None where its origin is not allowed, or it has none.
pub(crate) fn allowed_origin(cors: &Cors, headers: &HeaderMap) -> Option<HeaderValue> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let (origin, None) = (origins.next()?, origins.next()) else { return None };
    if cors.allow_origins.contains(&AllowedOrigin::Any) {
        return Some(ANY);
    }
    let text = origin.to_str().ok()?;
    cors.allow_origins.iter().any(|allowed| is(allowed, text)).then(|| origin.clone())
}

/// Whether an origin, as a browser serializes it (lower case, without a default port), is meant.
fn is(allowed: &AllowedOrigin, origin: &str) -> bool {
    match allowed {
        AllowedOrigin::Any => true,
        AllowedOrigin::Exact(exact) => **exact == *origin,
        AllowedOrigin::Below { scheme, suffix } => {
            let label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let below = origin.strip_prefix(&**scheme).and_then(|rest| rest.strip_suffix(&**suffix));
            below.is_some_and(|below| below.split('.').all(|part| !part.is_empty() && part.chars().all(label)))
        }
    }
}

/// The headers that answer a preflight for a method; `methods` are those of the route, if it says.
pub(crate) fn answer(cors: &Cors, asked: &HeaderMap, method: &Method, methods: &[Method]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let allowed = match (&cors.allow_methods, methods.is_empty()) {
        (Some(methods), _) => list(methods.iter().map(Method::as_str)),
        (None, false) => list(methods.iter().map(Method::as_str)),
        (None, true) => HeaderValue::from_str(method.as_str()).ok(),
    };
    headers.extend(allowed.map(|allowed| (ACCESS_CONTROL_ALLOW_METHODS, allowed)));
    let allowed = match &cors.allow_headers {
        // `*` would mean none but itself where there are credentials, and never `authorization`.
        Names::Any => asked.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
        Names::These(names) if names.is_empty() => None,
        Names::These(names) => list(names.iter().map(|name| name.as_str())),
    };
    headers.extend(allowed.map(|allowed| (ACCESS_CONTROL_ALLOW_HEADERS, allowed)));
    headers.extend(cors.max_age.map(|age| (ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age.as_secs()))));
    for name in [ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS] {
        headers.append(VARY, HeaderValue::from_name(name));
    }
    headers
}

/// Says on an answer who may read it: `origin` is what [`allowed_origin`] said of its request.
pub(crate) fn tell(cors: &Cors, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
    for name in [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS] {
        headers.remove(name);
    }
    if !cors.allow_origins.contains(&AllowedOrigin::Any) && !varies_by_origin(headers) {
        headers.append(VARY, HeaderValue::from_name(ORIGIN));
    }
    let Some(origin) = origin else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if cors.allow_credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    }
    let exposed = match &cors.expose_headers {
        Names::Any => Some(ANY),
        Names::These(names) if names.is_empty() => None,
        Names::These(names) => list(names.iter().map(|name| name.as_str())),
    };
    headers.extend(exposed.map(|exposed| (ACCESS_CONTROL_EXPOSE_HEADERS, exposed)));
}

fn varies_by_origin(headers: &HeaderMap) -> bool {
    let values = headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|name| ["*", "origin"].contains(&&*name.trim().to_ascii_lowercase()))
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> Option<HeaderValue> {
    HeaderValue::from_str(&names.collect::<Vec<_>>().join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_the_same_or_below() {
        let exact = AllowedOrigin::Exact("https://a.example".into());
        let below = AllowedOrigin::Below { scheme: "https://".into(), suffix: ".a.example".into() };
        for (origin, is_exact, is_below) in [
            ("https://a.example", true, false),
            ("https://b.a.example", false, true),
            ("https://c.b.a.example", false, true),
            ("http://a.example", false, false),
            ("http://b.a.example", false, false),
            ("https://a.example:8443", false, false),
            ("https://b.a.example:8443", false, false),
            ("https://.a.example", false, false),
            ("https://a.example.evil", false, false),
            ("https://evil/.a.example", false, false),
            ("https://evil@b.a.example", false, false),
            ("https://xa.example", false, false),
            ("null", false, false),
            ("", false, false),
        ] {
            assert_eq!((is(&exact, origin), is(&below, origin)), (is_exact, is_below), "{origin}");
        }
    }
}
