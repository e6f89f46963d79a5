//! What becomes of a route's requests: `upstream`, `redirect` or `respond`.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::header::{self, Scope};
use crate::config::{Part, Redirect, Respond, Template, problem::Problem, value::Node};

/// The largest body of an answer that is written in the configuration.
const BODY: usize = 1 << 20;

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// RFC 9110 sections 15.4.2 to 15.4.4, 15.4.8 and 15.4.9.
const REDIRECTS: [u64; 5] = [301, 302, 303, 307, 308];

pub(super) fn redirect(node: Node<'_>, scope: &Scope<'_>) -> Result<Option<Redirect>, Problem> {
    let mut table = node.table()?;
    let to = table.required("to", "\"https://${request.host}${request.target}\"", |node| to(node, scope));
    let status = table.optional("status", |node| match node.integer(300..=399)? {
        status if REDIRECTS.contains(&status) => code(node, status),
        _ => Err(node.problem("this status does not redirect").help("301, 302, 303, 307 or 308")),
    });
    table.finish(&[
        ("url", "it is called `to`"),
        ("location", "it is called `to`"),
        ("code", "it is called `status`"),
        ("permanent", "write `status = 308`"),
    ]);
    Ok(to.map(|to| Redirect { to, status }))
}

/// Where it goes must not be what a client writes: it begins with a scheme and a host, or with a path.
fn to(node: Node<'_>, scope: &Scope<'_>) -> Result<Template, Problem> {
    let text = node.text()?;
    let template = Template::parse(text).map_err(|problem| node.within(problem))?;
    // A target is a path.
    let text = text.replace("${request.target}", "/");
    let place = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let safe = match place.and_then(|place| place.split(['/', '?', '#']).next()) {
        Some(host) => !host.is_empty() && !host.strip_prefix("${request.host}").unwrap_or(host).contains("${"),
        None => text.starts_with('/') && !text.starts_with("//"),
    };
    if !safe {
        let problem = node.problem("this does not say where to go");
        return Err(problem
            .help("begin with a whole `https://HOST`, with `https://${request.host}` or with a path such as `/new`"));
    }
    for part in &template.parts {
        if matches!(part, Part::Attribute(_) | Part::Field(_)) {
            return Err(node.problem("a redirect knows no attributes, headers, query parameters or cookies"));
        }
        if scope.sound {
            header::check(part, scope).map_err(|(message, help)| node.problem(message).help(help))?;
        }
    }
    Ok(template)
}

pub(super) fn respond(node: Node<'_>) -> Result<Respond, Problem> {
    let mut table = node.table()?;
    let status = table.optional("status", |node| code(node, node.integer(200..=599)?)).unwrap_or(StatusCode::OK);
    let headers = table.optional("headers", header::fixed).unwrap_or_default();
    let body = table.optional("body", |node| {
        let text = node.text()?;
        if text.len() > BODY {
            return Err(node.problem(format!("this body has {} bytes: {BODY} at most", text.len())));
        }
        if !text.is_empty() && matches!(status.as_u16(), 204 | 205 | 304) {
            return Err(node.problem(format!("an answer with status {} has no body", status.as_u16())));
        }
        Ok(Bytes::copy_from_slice(text.as_bytes()))
    });
    table.finish(&[
        ("code", "it is called `status`"),
        ("json", "write it as text in `body`"),
        ("content_type", "it belongs in `headers`"),
    ]);
    Ok(answer(status, headers, body.unwrap_or_default()))
}

fn answer(status: StatusCode, mut headers: Vec<(HeaderName, HeaderValue)>, body: Bytes) -> Respond {
    if !body.is_empty() && !headers.iter().any(|(name, _)| *name == CONTENT_TYPE) {
        headers.push((CONTENT_TYPE, TEXT));
    }
    Respond { status, headers, body }
}

fn code(node: Node<'_>, status: u64) -> Result<StatusCode, Problem> {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    status.ok_or_else(|| node.problem("this is not a status"))
}
