//! `[errors.CODE]`.

use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::header;
use crate::{
    config::{
        ErrorAnswer, ErrorBody, Part, Template, TextForm,
        problem::{Problem, quoted, suggestion},
        value::{Entry, Node, Table},
    },
    failure::CODES,
};

/// The largest body, as it is written.
const BODY: usize = 64 << 10;

/// For failures without a table of their own.
const CLASSES: [&str; 2] = ["4xx", "5xx"];

/// An answer for each; `plugins` are those whose attributes a body may name.
pub(super) fn error(entry: &Entry<'_>, mut table: Table<'_>, plugins: &[&str]) -> Option<ErrorAnswer> {
    // Who has left is answered nothing.
    let known: Vec<&str> = CODES.iter().chain(&CLASSES).copied().filter(|code| *code != "client_left").collect();
    if !known.contains(&entry.name) {
        let problem = Problem::at(entry.at.clone(), format!("no failure has the code {}", quoted(entry.name)));
        table.report(problem.help(suggestion(entry.name, &known)));
    }
    let status = table.optional("status", |node| {
        let status = u16::try_from(node.integer(400..=599)?).ok().and_then(|status| StatusCode::from_u16(status).ok());
        status.ok_or_else(|| node.problem("this is not a status"))
    });
    let headers = table.optional("headers", header::fixed).unwrap_or_default();
    let body = table.optional("body", |node| body(node, form(&headers), plugins));
    table.finish(&[
        ("code", "it is the table's name, or `status`"),
        ("content_type", "it belongs in `headers`"),
        ("message", "write a `body`"),
        ("template", "it is called `body`"),
    ]);
    Some(ErrorAnswer { code: entry.name.to_owned(), status, headers, body })
}

/// By the media type (RFC 9110 section 8.3.1); without one an error is JSON.
fn form(headers: &[(HeaderName, HeaderValue)]) -> TextForm {
    let kind = headers.iter().find(|(name, _)| *name == CONTENT_TYPE).and_then(|(_, value)| value.to_str().ok());
    let kind = kind.unwrap_or("application/json").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &*kind {
        "application/json" => TextForm::Json,
        "text/html" | "text/xml" | "application/xml" => TextForm::Markup,
        kind if kind.ends_with("+json") => TextForm::Json,
        kind if kind.ends_with("+xml") => TextForm::Markup,
        _ => TextForm::Plain,
    }
}

fn body(node: Node<'_>, form: TextForm, plugins: &[&str]) -> Result<ErrorBody, Problem> {
    let text = node.text()?;
    if text.len() > BODY {
        return Err(node.problem(format!("this body has {} bytes: {BODY} at most", text.len())));
    }
    let template = Template::parse_text(text).map_err(|problem| node.within(problem))?;
    for part in &template.parts {
        if matches!(part, Part::Field(_) | Part::ResponseHeader(_)) {
            return Err(node.problem("an error's body knows no headers, no query and no cookies"));
        }
        let Part::Attribute(full) = part else { continue };
        let source = full.split('.').next().unwrap_or_default();
        if !["auth", "tls", "error", "api_key", "usage_plan"].contains(&source) && !plugins.contains(&source) {
            let problem = node.problem(format!("there is no plugin {}", quoted(source)));
            return Err(problem.help("write `${error.NAME}`, `${auth.NAME}`, `${PLUGIN.NAME}` or `${request.id}`"));
        }
    }
    if form == TextForm::Json {
        check_json(&template).map_err(|error| {
            let problem = node.problem(format!("this is not JSON: {error}"));
            problem.help("references stand within strings; for another type set `content-type` in `headers`")
        })?;
    }
    Ok(ErrorBody { text: template, form })
}

/// Whether it is JSON with any values: only the status is a number.
fn check_json(template: &Template) -> Result<(), serde_json::Error> {
    let value = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Attribute(name) if name == "error.status" => "400".to_owned(),
        _ => "x".to_owned(),
    };
    let text: String = template.parts.iter().map(value).collect();
    serde_json::from_str::<serde_json::Value>(&text).map(drop)
}
