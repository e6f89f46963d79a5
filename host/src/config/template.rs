//! Templates for headers that go upstream: `"${auth.tenant}/${path.id}"`.
//!
//! Only their form is checked here. Whether a route has that plugin and that path parameter is known to the route.

use std::ops::Range;

use http::HeaderName;

use super::{Identity, problem::Problem};

/// Attributes that the gateway sets for connections over TLS: `tls.NAME`.
pub(crate) const TLS: [&str; 7] = [
    "version",
    "server-name",
    "client-subject",
    "client-issuer",
    "client-serial",
    "client-names",
    "client-fingerprint",
];

/// What an answer to a failure may name of it: `error.NAME`.
pub(crate) const ERROR: [&str; 3] = ["code", "message", "status"];

/// The value of an upstream header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Put together in this order.
    pub parts: Vec<Part>,
}

/// A piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Printable ASCII, as it stands.
    Text(String),
    /// `${auth.NAME}`, `${PLUGIN.NAME}`, `${tls.NAME}`: an attribute by its full name. In an answer to a failure
    /// `${error.NAME}` too.
    Attribute(String),
    /// `${request.id}`
    RequestId,
    /// `${request.client-ip}`
    ClientIp,
    /// `${request.route}`
    Route,
    /// `${request.host}`: without its port.
    Host,
    /// `${request.target}`: the canonical path and the query.
    Target,
    /// `${request.path}`: the canonical path.
    Path,
    /// `${header.NAME}`, `${query.NAME}`, `${cookie.NAME}`: of the request, the first of that name.
    Field(Identity),
    /// `${response.header.NAME}`, where there is an answer: the first of that name.
    ResponseHeader(HeaderName),
    /// `${path.NAME}`: what the route's path caught under that name.
    PathParam(String),
}

impl Template {
    /// Reads a template. A problem's range is within `text`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let parts = parts(text)?.into_iter().map(|(_, part)| part).collect();
        Ok(Self { parts })
    }

    /// As `parse`, of a text that is no header's value: it may have any characters.
    pub(super) fn parse_text(text: &str) -> Result<Self, Problem> {
        let parts = parts_of(text, |_| true)?.into_iter().map(|(_, part)| part).collect();
        Ok(Self { parts })
    }
}

/// The parts of a header's value, each with its range within `text`.
pub(super) fn parts(text: &str) -> Result<Vec<(Range<usize>, Part)>, Problem> {
    parts_of(text, |c| c == '\t' || matches!(c, ' '..='~'))
}

fn parts_of(text: &str, may: impl Fn(char) -> bool) -> Result<Vec<(Range<usize>, Part)>, Problem> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, part) = if rest.starts_with("$$") {
            (2, Part::Text("$".to_owned()))
        } else if rest.starts_with("${") {
            let Some(length) = rest.find('}').map(|end| end + 1) else {
                return Err(Problem::at(at..text.len(), "`${` has no `}`").help("write `$$` for a `$`"));
            };
            let part = reference(&rest[2..length - 1]).map_err(|(message, help)| {
                let problem = Problem::at(at..at + length, message);
                problem.help(help)
            })?;
            (length, part)
        } else if first == '$' {
            return Err(Problem::at(at..at + 1, "a lone `$`").help("write `$$` for a `$`, `${...}` for a reference"));
        } else if may(first) {
            (first.len_utf8(), Part::Text(first.to_string()))
        } else {
            let at = at..at + first.len_utf8();
            return Err(Problem::at(at, format!("a header's value cannot hold `{}`", first.escape_debug()))
                .help("only printable ASCII"));
        };
        push(&mut parts, at..at + length, part);
        at += length;
    }
    Ok(parts)
}

/// Keeps neighbouring texts together.
fn push(parts: &mut Vec<(Range<usize>, Part)>, at: Range<usize>, part: Part) {
    match (parts.last_mut(), part) {
        (Some((range, Part::Text(text))), Part::Text(more)) => {
            text.push_str(&more);
            range.end = at.end;
        }
        (_, part) => parts.push((at, part)),
    }
}

/// What stands between the braces; else a message and a help.
fn reference(name: &str) -> Result<Part, (String, String)> {
    let known = "write `${auth.NAME}`, `${PLUGIN.NAME}`, `${path.NAME}` or `${request.id}`";
    let Some((source, rest)) = name.split_once('.') else {
        return Err((format!("`${{{}}}` does not say where it comes from", name.escape_debug()), known.to_owned()));
    };
    let word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c) || more.contains(c))
    };
    if !word(source, "") || !word(rest, ".") {
        return Err((format!("`${{{}}}` is not a reference", name.escape_debug()), known.to_owned()));
    }
    match (source, rest) {
        ("request", "id") => Ok(Part::RequestId),
        ("request", "client-ip") => Ok(Part::ClientIp),
        ("request", "route") => Ok(Part::Route),
        ("request", "host") => Ok(Part::Host),
        ("request", "target") => Ok(Part::Target),
        ("request", "path") => Ok(Part::Path),
        ("request", _) => Err((
            format!("a request has no `{rest}` here"),
            "there are `request.id`, `request.client-ip`, `request.route`, `request.host`, `request.path`, `request.target`"
                .to_owned(),
        )),
        ("env", _) => Err((
            "environment variables are not read here".to_owned(),
            "`${env.NAME}` works in a plugin's `config`, in `url` and in `address`".to_owned(),
        )),
        ("tls", _) if !TLS.contains(&rest) => {
            Err((format!("a TLS connection has no `{rest}` here"), format!("there are `{}`", TLS.join("`, `"))))
        }
        ("api_key" | "usage_plan", _) if rest != "name" => {
            Err((format!("`{source}` has no `{rest}`"), format!("there is `{source}.name`")))
        }
        ("error", _) if !ERROR.contains(&rest) => {
            Err((format!("a failure has no `{rest}` here"), "there are `code`, `message` and `status`".to_owned()))
        }
        ("path", _) => Ok(Part::PathParam(rest.to_owned())),
        ("query", _) => Ok(Part::Field(Identity::Query(rest.to_owned()))),
        ("cookie", _) => Ok(Part::Field(Identity::Cookie(rest.to_owned()))),
        ("header", _) => match HeaderName::try_from(rest) {
            Ok(name) => Ok(Part::Field(Identity::Header(name))),
            Err(_) => Err((format!("`{rest}` is not a header's name"), known.to_owned())),
        },
        ("response", _) => match rest.strip_prefix("header.").map(HeaderName::try_from) {
            Some(Ok(name)) => Ok(Part::ResponseHeader(name)),
            _ => Err((format!("an answer has no `{rest}` here"), "there is `${response.header.NAME}`".to_owned())),
        },
        _ => Ok(Part::Attribute(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Template};

    #[test]
    fn a_template_is_text_and_references() {
        let template = Template::parse("$$5 ${auth.a.b}${request.id}/${path.id} ${keys.tier}");
        let text = |text: &str| Part::Text(text.to_owned());
        let expected = vec![
            text("$5 "),
            Part::Attribute("auth.a.b".to_owned()),
            Part::RequestId,
            text("/"),
            Part::PathParam("id".to_owned()),
            text(" "),
            Part::Attribute("keys.tier".to_owned()),
        ];
        assert_eq!(template, Ok(Template { parts: expected }));
    }

    #[test]
    fn an_empty_template_has_no_parts() {
        assert_eq!(Template::parse(""), Ok(Template { parts: Vec::new() }));
    }
}
