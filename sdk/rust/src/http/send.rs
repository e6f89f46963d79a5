//! Sending over `wasi:http`.

use std::time::Duration;

use super::{Request, Response};
use crate::{
    Result,
    bindings::wasi::{
        http::{
            outgoing_handler,
            types::{
                ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
            },
        },
        io::streams::StreamError,
    },
};

/// What `blocking-write-and-flush` takes at once.
const WRITE: usize = 4096;
const READ: u64 = 64 * 1024;

pub(super) fn send(request: &Request) -> Result<Response> {
    let outgoing = outgoing(request)?;
    let body = if request.body.is_empty() { None } else { Some(outgoing.body().map_err(|()| "the body was refused")?) };
    let options = request.timeout.map(options).transpose()?;
    let answer = outgoing_handler::handle(outgoing, options).map_err(text)?;
    if let Some(body) = body {
        write(body, &request.body)?;
    }
    answer.subscribe().block();
    let answer = answer.get().ok_or("no answer")?.map_err(|()| "the answer was taken before")?.map_err(text)?;
    Ok(Response { status: answer.status(), headers: headers(&answer), body: read(&answer, request.limit)? })
}

fn outgoing(request: &Request) -> Result<OutgoingRequest> {
    let (scheme, rest) = request.url.split_once("://").ok_or("the URL has no scheme")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => Err("the URL's scheme is not http or https")?,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let outgoing = OutgoingRequest::new(fields(&request.headers)?);
    outgoing.set_method(&method(&request.method)).map_err(|()| "the method was refused")?;
    outgoing.set_scheme(Some(&scheme)).map_err(|()| "the URL's scheme was refused")?;
    outgoing.set_authority(Some(authority)).map_err(|()| "the URL's host was refused")?;
    outgoing.set_path_with_query(Some(&path)).map_err(|()| "the URL's path was refused")?;
    Ok(outgoing)
}

/// Values are in isomorphic encoding, as everywhere in the contract.
fn fields(headers: &[(String, String)]) -> Result<Fields> {
    let mut fields = Vec::new();
    for (name, value) in headers {
        let value: Result<Vec<u8>, _> = value.chars().map(u8::try_from).collect();
        fields.push((name.clone(), value.map_err(|_| format!("{name}: a character is above U+00FF"))?));
    }
    Ok(Fields::from_list(&fields).map_err(|error| format!("a header was refused: {error:?}"))?)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn options(timeout: Duration) -> Result<RequestOptions> {
    let options = RequestOptions::new();
    let timeout = Some(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
    let all = options
        .set_connect_timeout(timeout)
        .and_then(|()| options.set_first_byte_timeout(timeout))
        .and_then(|()| options.set_between_bytes_timeout(timeout));
    all.map_err(|()| "time limits are not supported")?;
    Ok(options)
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<()> {
    let stream = body.write().map_err(|()| "the body was refused")?;
    for piece in bytes.chunks(WRITE) {
        match stream.blocking_write_and_flush(piece) {
            Ok(()) => {}
            // The server may answer before it has read everything.
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => Err(error.to_debug_string())?,
        }
    }
    drop(stream);
    Ok(OutgoingBody::finish(body, None).map_err(text)?)
}

fn headers(answer: &IncomingResponse) -> Vec<(String, String)> {
    let fields = answer.headers().entries().into_iter();
    fields.map(|(name, value)| (name.to_ascii_lowercase(), value.into_iter().map(char::from).collect())).collect()
}

fn read(answer: &IncomingResponse, limit: usize) -> Result<Vec<u8>> {
    let body = answer.consume().map_err(|()| "the body was taken before")?;
    let stream = body.stream().map_err(|()| "the body was taken before")?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ) {
            Ok(mut piece) => bytes.append(&mut piece),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => Err(error.to_debug_string())?,
        }
        if bytes.len() > limit {
            Err(format!("the answer is longer than {limit} bytes"))?;
        }
    }
}

fn text(error: ErrorCode) -> String {
    format!("the request failed: {error:?}")
}
