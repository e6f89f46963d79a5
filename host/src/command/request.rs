//! A request as it is written on a command line, in curl's way.

use std::{collections::BTreeMap, net::IpAddr};

use anyhow::Context as _;
use gatehouse::trial::{Body, Request, Values};

/// `GET /pets`, with headers `name: value`.
pub(super) fn parse(line: &str, headers: &[String], body: Option<&str>, client: IpAddr) -> anyhow::Result<Request> {
    let (method, path) = line.split_once(' ').with_context(|| format!("`{line}` is not like `GET /pets`"))?;
    let mut by_name: BTreeMap<String, Values> = BTreeMap::new();
    let mut host = Request::default().host;
    for header in headers {
        let (name, value) = header.split_once(':').with_context(|| format!("`{header}` is not like `name: value`"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        match name.as_str() {
            "host" => host = value,
            _ => by_name.entry(name).or_insert_with(|| Values(Vec::new())).0.push(value),
        }
    }
    Ok(Request {
        method: method.to_owned(),
        path: path.trim().to_owned(),
        host,
        client,
        headers: by_name,
        body: Body(body.map(|text| text.as_bytes().to_vec()).into_iter().collect()),
        ..Request::default()
    })
}

/// `auth.principal=alice`
pub(super) fn attributes(list: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let pair = |text: &String| {
        let pair = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        pair.with_context(|| format!("`{text}` is not like `name=value`"))
    };
    list.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_curl_would() {
        let headers = ["Host: a.example".to_owned(), "X-A: 1".to_owned(), "x-a:2".to_owned()];
        let request = parse("POST /pets?x=1", &headers, Some("b"), [127, 0, 0, 1].into()).expect("it is right");
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/pets?x=1"));
        assert_eq!((request.host.as_str(), request.headers["x-a"].0.len(), request.body.0.len()), ("a.example", 2, 1));
        assert!(parse("/pets", &[], None, [127, 0, 0, 1].into()).is_err());
        assert!(parse("GET /", &["x".to_owned()], None, [127, 0, 0, 1].into()).is_err());
        assert!(attributes(&["x".to_owned()]).is_err());
    }
}
