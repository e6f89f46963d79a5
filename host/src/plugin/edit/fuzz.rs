//! Whatever a hook returns is refused, or leaves as a message that a parser reads back as it was meant: no field more,
//! none less, and no other framing.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CONTENT_LENGTH, HOST},
    uri::PathAndQuery,
};

use super::{Checked, ChunkAction, HeaderEdit, PluginReply, RequestAction, ResponseAction, Verdict};
use crate::{
    edge::write_field,
    fuzz::{
        Seen,
        text::{text, unescaped},
    },
    plugin::bindings::{
        authorizer, gatehouse::plugin::types, request_body_filter as body, request_chunk_filter as chunk,
        request_filter as request, response_body_filter as response_body, response_filter as response,
    },
    upstream::{Outgoing, write_framing, write_request_line},
};

/// The hook's name, then an answer in lines: `status`, `method`, `path`, `query`, `body`, `principal` and a value; `=name:
/// value` sets a header, `+name: value` adds one, `-name` removes one, `@name=value` is an attribute.
pub(crate) fn edit(bytes: &[u8]) -> Seen {
    let text = text(bytes);
    let (hook, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let said = Said::read(rest);
    let result = match hook {
        "allow" => said.grant().checked().map(|verdict| grant(&verdict)),
        "deny" => said.denial().checked().map(|verdict| denial(&verdict)),
        "request" => request::RequestAction::Edit(said.request()).checked().map(|action| request_action(&action)),
        "request-body" => {
            let edit = body::RequestBodyEdit { request: said.request(), body: said.body.clone() };
            body::RequestBodyAction::Edit(edit).checked().map(|action| request_action(&action))
        }
        "response" => response::ResponseAction::Edit(said.response()).checked().map(|action| response_action(&action)),
        "response-body" => {
            let edit = response_body::ResponseBodyEdit { response: said.response(), body: said.body.clone() };
            response_body::ResponseBodyAction::Edit(edit).checked().map(|action| response_action(&action))
        }
        "chunk" => chunk::ChunkAction::Respond(said.reply()).checked().map(|action| match action {
            ChunkAction::Respond(answer) => whole(&answer),
            other => panic!("{other:?}"),
        }),
        _ => said.reply().checked().map(|answer: PluginReply| whole(&answer)),
    };
    Seen::accepted(result.is_ok())
}

/// What a plugin says, before it is an answer of some hook.
#[derive(Default)]
struct Said {
    status: Option<u16>,
    method: Option<String>,
    path: Option<String>,
    query: Option<String>,
    principal: Option<String>,
    body: Option<Vec<u8>>,
    edits: Vec<types::HeaderEdit>,
    attributes: Vec<types::Attribute>,
}

impl Said {
    fn read(text: &str) -> Self {
        let mut said = Self::default();
        for line in text.lines() {
            let line = unescaped(line);
            let header = |text: &str| {
                let (name, value) = text.split_once(": ").unwrap_or((text, ""));
                types::Header { name: name.to_owned(), value: value.to_owned() }
            };
            let Some(kind) = line.chars().next() else { continue };
            let rest = &line[kind.len_utf8()..];
            match (kind, line.split_once(' ')) {
                ('=', _) => said.edits.push(types::HeaderEdit::Set(header(rest))),
                ('+', _) => said.edits.push(types::HeaderEdit::Append(header(rest))),
                ('-', _) => said.edits.push(types::HeaderEdit::Remove(rest.to_owned())),
                ('@', _) => {
                    let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
                    said.attributes.push(types::Attribute { name: name.to_owned(), value: value.to_owned() });
                }
                (_, Some(("status", code))) => said.status = code.parse().ok(),
                (_, Some(("method", method))) => said.method = Some(method.to_owned()),
                (_, Some(("path", path))) => said.path = Some(path.to_owned()),
                (_, Some(("query", query))) => said.query = Some(query.to_owned()),
                (_, Some(("principal", who))) => said.principal = Some(who.to_owned()),
                (_, Some(("body", body))) => said.body = Some(body.as_bytes().to_vec()),
                _ => {}
            }
        }
        said
    }

    /// The headers of an answer: those that would be set or added.
    fn headers(&self) -> Vec<types::Header> {
        let header = |edit: &types::HeaderEdit| match edit {
            types::HeaderEdit::Set(header) | types::HeaderEdit::Append(header) => Some(header.clone()),
            types::HeaderEdit::Remove(_) => None,
        };
        self.edits.iter().filter_map(header).collect()
    }

    fn grant(&self) -> authorizer::Verdict {
        authorizer::Verdict::Allow(authorizer::Grant {
            principal: self.principal.clone(),
            attributes: self.attributes.clone(),
            request_headers: self.edits.clone(),
            max_age: None,
        })
    }

    fn denial(&self) -> authorizer::Verdict {
        let (status, body) = (self.status.unwrap_or(403), self.body.clone().unwrap_or_default());
        authorizer::Verdict::Deny(authorizer::Denial {
            status,
            headers: self.headers(),
            body,
            reason: None,
            max_age: None,
        })
    }

    fn request(&self) -> request::RequestEdit {
        request::RequestEdit {
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.edits.clone(),
            attributes: self.attributes.clone(),
        }
    }

    fn response(&self) -> response::ResponseEdit {
        let (headers, attributes) = (self.edits.clone(), self.attributes.clone());
        response::ResponseEdit { status: self.status, headers, attributes }
    }

    fn reply(&self) -> types::Reply {
        let (status, body) = (self.status.unwrap_or(200), self.body.clone().unwrap_or_default());
        types::Reply { status, headers: self.headers(), body }
    }
}

fn grant(verdict: &Verdict) {
    let Verdict::Allow(grant) = verdict else { panic!("{verdict:?}") };
    assert!(grant.attributes.iter().all(|(name, _)| name.starts_with("auth.")));
    leaves(&Method::GET, "/", &grant.edits);
}

fn denial(verdict: &Verdict) {
    let Verdict::Deny(denial) = verdict else { panic!("{verdict:?}") };
    assert!(denial.reply.status.is_client_error() || denial.reply.status.is_server_error());
    whole(&denial.reply);
}

fn request_action(action: &RequestAction) {
    let RequestAction::Edit(edit) = action else { panic!("{action:?}") };
    let path = edit.path.as_deref().unwrap_or("/");
    assert!(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte)));
    let target = format!("{path}?{}", edit.query.as_deref().unwrap_or_default());
    assert_ne!(edit.method, Some(Method::CONNECT));
    if target.len() < usize::from(u16::MAX) {
        PathAndQuery::try_from(&*target).expect("a canonical path and a query make a target");
        leaves(edit.method.as_ref().unwrap_or(&Method::GET), &target, &edit.headers);
    }
}

fn response_action(action: &ResponseAction) {
    let ResponseAction::Edit(edit) = action else { panic!("{action:?}") };
    let status = edit.status.unwrap_or(StatusCode::OK);
    answers(status, &edited(&edit.headers));
}

fn whole(answer: &PluginReply) {
    let bodiless = matches!(answer.status.as_u16(), 204 | 205 | 304);
    assert!(!bodiless || answer.body.is_empty());
    answers(answer.status, &answer.headers);
}

/// A header section after some edits; what frames and addresses the message is as before.
fn edited(edits: &[HeaderEdit]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("a.example"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
    headers.insert("x-old", HeaderValue::from_static("1"));
    edits.iter().cloned().for_each(|edit| edit.apply(&mut headers));
    assert_eq!(headers.get_all(HOST).iter().collect::<Vec<_>>(), ["a.example"]);
    assert_eq!(headers.get_all(CONTENT_LENGTH).iter().collect::<Vec<_>>(), ["5"]);
    let framing = ["transfer-encoding", "connection", "te", "trailer", "upgrade", "keep-alive", "proxy-connection"];
    assert!(framing.iter().all(|name| !headers.contains_key(*name)), "{headers:?}");
    headers
}

/// A request is written and read back.
fn leaves(method: &Method, target: &str, edits: &[HeaderEdit]) {
    let headers = edited(edits);
    let mut out = Vec::new();
    write_request_line(&mut out, method, target);
    headers.iter().for_each(|(name, value)| write_field(&mut out, name.as_str(), value.as_bytes()));
    write_framing(&mut out, Outgoing::Nothing);
    let mut fields = vec![httparse::EMPTY_HEADER; headers.len() + 1];
    let mut request = httparse::Request::new(&mut fields);
    assert_eq!(request.parse(&out), Ok(httparse::Status::Complete(out.len())), "{}", out.escape_ascii());
    assert_eq!((request.method, request.path), (Some(method.as_str()), Some(target)));
    same(&headers, request.headers);
}

/// An answer is written and read back.
fn answers(status: StatusCode, headers: &HeaderMap) {
    assert!((200..600).contains(&status.as_u16()), "{status}");
    let mut out = Bytes::from(format!("HTTP/1.1 {} \r\n", status.as_u16())).to_vec();
    headers.iter().for_each(|(name, value)| write_field(&mut out, name.as_str(), value.as_bytes()));
    out.extend_from_slice(b"\r\n");
    let mut fields = vec![httparse::EMPTY_HEADER; headers.len() + 1];
    let mut response = httparse::Response::new(&mut fields);
    assert_eq!(response.parse(&out), Ok(httparse::Status::Complete(out.len())), "{}", out.escape_ascii());
    same(headers, response.headers);
}

fn same(headers: &HeaderMap, read: &[httparse::Header<'_>]) {
    let white = |value: &HeaderValue| value.as_bytes().trim_ascii().to_vec();
    let sent = headers.iter().map(|(name, value)| (name.as_str(), white(value)));
    assert!(sent.eq(read.iter().map(|field| (field.name, field.value.trim_ascii().to_vec()))), "{headers:?} {read:?}");
}
