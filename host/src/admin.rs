//! The operator's own address: metrics, health, and purging what is kept. On a listener of its own, so that it answers when
//! the public ones are busy. Who reaches it may do all of that. `DELETE` is no method that another site's page can send here.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, thread};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{path, query, server::Gateway, usage, worker::ACCEPT_REST};

/// Connections at the same time: those beyond wait.
const CONNECTIONS: usize = 16;

/// `DELETE` of it and a name: purges a cache.
const CACHES: &str = "/caches/";

/// Serves on a thread of its own for as long as the process lives. Answers the address it got.
pub fn start(address: SocketAddr, gateway: Arc<Gateway>) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serve = move || {
        runtime.block_on(async move {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            let places = Arc::new(Semaphore::new(CONNECTIONS));
            while let Ok(place) = places.clone().acquire_owned().await {
                let Ok((stream, _)) = listener.accept().await else {
                    // The system has no descriptor now.
                    tokio::time::sleep(ACCEPT_REST).await;
                    continue;
                };
                let gateway = gateway.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let response = answer(
                        &gateway,
                        request.method(),
                        request.uri().path(),
                        request.uri().query().unwrap_or_default(),
                    );
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection =
                    http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move {
                    // It has ended, one way or the other.
                    let _ = connection.await;
                    drop(place);
                });
            }
        });
    };
    thread::Builder::new().name("admin".into()).spawn(serve)?;
    Ok(address)
}

fn answer(gateway: &Gateway, method: &Method, path: &str, query: &str) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", gateway.metrics.text())
        }
        (&Method::GET | &Method::HEAD, path) if path == "/usage" || path.starts_with("/usage/") => {
            match usage::report(&gateway.snapshot(), path.strip_prefix("/usage/")) {
                Some(report) => (StatusCode::OK, "application/json", report.to_string()),
                None => (StatusCode::NOT_FOUND, "text/plain", "there is no such usage plan\n".into()),
            }
        }
        (&Method::GET | &Method::HEAD, "/healthz" | "/readyz") => (StatusCode::OK, "text/plain", "ok\n".into()),
        (&Method::DELETE, path) if path.starts_with(CACHES) => purge(gateway, &path[CACHES.len()..], query),
        (_, path) if path.starts_with(CACHES) => {
            (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "this path supports DELETE\n".into())
        }
        (_, "/metrics" | "/healthz" | "/readyz" | "/usage") => {
            (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "this path supports GET\n".into())
        }
        _ => (StatusCode::NOT_FOUND, "text/plain", "there are /metrics, /healthz, /readyz and /usage\n".into()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Forgets what a cache has, or what of it is of a `path`, of paths that begin with `prefix`, or of a `host`.
fn purge(gateway: &Gateway, name: &str, text: &str) -> (StatusCode, &'static str, String) {
    let snapshot = gateway.snapshot();
    let Some(cache) = snapshot.caches.iter().find(|cache| cache.config.name == name) else {
        return (StatusCode::NOT_FOUND, "text/plain", "there is no such cache\n".into());
    };
    // A typo must not purge everything.
    let keys = text.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    if !text.is_empty() && !keys.into_iter().all(|key| ["host", "path", "prefix"].contains(&key)) {
        return (StatusCode::BAD_REQUEST, "text/plain", "there are host, path and prefix\n".into());
    }
    let value = |key| query::first(text, key);
    let exact = value("path").map(|text| path::canonical(&text).map(String::from).unwrap_or(text));
    let (prefix, host) = (value("prefix"), value("host").map(|host| host.to_ascii_lowercase()));
    let purged = cache.purge(|of_host, of_path| {
        host.as_ref().is_none_or(|host| host == of_host)
            && exact.as_ref().is_none_or(|exact| exact == of_path)
            && prefix.as_ref().is_none_or(|prefix| of_path.starts_with(&**prefix))
    });
    tracing::info!(cache = name, purged, "purged");
    (StatusCode::OK, "application/json", format!("{{\"purged\":{purged}}}\n"))
}
