//! `wasi:http/outgoing-handler` by grant: only to the origins that the operator listed, only to addresses that the
//! policy allows (checked on the address that is connected to, so that no name can point inside), no redirects, with a
//! pool of connections per plugin.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderName, Uri, header};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::TcpStream;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpHooks, WasiHttpView as _,
    p2::bindings::http::{outgoing_handler::Host as _, types::Host as _},
};

use super::{bindings::gatehouse::plugin::log::Level, shared::Shared, state::State};
use crate::{
    config::{Grants, Origin},
    logs::foreign,
};

/// Longest wait for a connection, whatever the plugin asks for.
const CONNECT: Duration = Duration::from_secs(5);

/// The plugin's pooled client.
#[derive(Clone)]
pub(super) struct Client(legacy::Client<HttpsConnector<Connector>, WasiBody>);

impl Client {
    pub(super) fn new(grants: &Grants) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .expect("the provider supports the default protocol versions")
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector { private: grants.http_private });
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .build(connector);
        Self(client)
    }
}

/// Connects to addresses that the policy allows.
#[derive(Clone)]
struct Connector {
    private: bool,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let private = self.private;
        Box::pin(async move { Ok(TokioIo::new(connect(&uri, private).await?)) })
    }
}

async fn connect(uri: &Uri, private: bool) -> io::Result<TcpStream> {
    let host = uri.host().ok_or_else(|| io::Error::other("no host"))?.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    // An address or `localhost` in the list of origins is the operator's own word; a name's answers are not.
    let literal = host.parse::<IpAddr>().is_ok() || host == "localhost";
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    let mut last = io::Error::new(io::ErrorKind::PermissionDenied, "the name resolves to no address that is allowed");
    for address in addresses.into_iter().filter(|address| private || literal || is_public(address.ip())) {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether an address is one of the public internet: not loopback, private, link-local (cloud metadata is there),
/// shared, benchmarking, documentation, multicast or reserved (RFC 6890 and its registries).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(a) => {
            let [first, second, third, _] = a.octets();
            !(a.is_loopback()
                || a.is_private()
                || a.is_link_local()
                || a.is_unspecified()
                || a.is_broadcast()
                || a.is_documentation()
                || a.is_multicast()
                || first == 0
                || first >= 240
                || (first == 100 && (64..128).contains(&second))
                || (first == 192 && second == 0 && third == 0)
                || (first == 198 && (second == 18 || second == 19)))
        }
        IpAddr::V6(a) => {
            let [first, second, ..] = a.segments();
            !(a.is_loopback()
                || a.is_unspecified()
                || a.is_multicast()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || first & 0xffc0 == 0xfec0
                || (first == 0x2001 && second == 0xdb8)
                || (first == 0x64 && second == 0xff9b)
                || first == 0x2002)
        }
    }
}

/// The policy of one instance.
pub(super) struct Hooks {
    shared: Arc<Shared>,
    outside: Arc<AtomicBool>,
    /// Requests that the current hook may still send.
    pub(super) calls_left: u32,
}

impl Hooks {
    pub(super) fn new(shared: Arc<Shared>, outside: Arc<AtomicBool>) -> Self {
        Self { calls_left: shared.limits.http_calls, shared, outside }
    }

    fn admit(&mut self, uri: &Uri) -> Result<Client, Error> {
        let granted = self.shared.grants.http.iter().any(|origin| origin.covers(uri));
        let Some(client) = self.shared.http.clone().filter(|_| granted) else {
            let uri = uri.to_string();
            let message = format!("an outbound request to {} is not granted (`grants.http`)", foreign(&uri, 256));
            self.shared.log(Level::Warn, &message, None);
            return Err(Error::HttpRequestDenied);
        };
        self.count()?;
        Ok(client)
    }

    fn count(&mut self) -> Result<(), Error> {
        self.calls_left = self.calls_left.checked_sub(1).ok_or(Error::ConnectionLimitReached)?;
        Ok(())
    }
}

/// Links `wasi:http`. The library's own `handle` leaves the options in the table for good, although they were handed over:
/// each request with a time-out would take one of `limits.handles`.
pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    linker.instance("wasi:http/outgoing-handler@0.2.12")?.func_wrap("handle", |mut store, arguments| {
        let (request, options): (_, Option<Resource<RequestOptions>>) = arguments;
        let mut http = store.data_mut().http();
        let handed_over = options.as_ref().map(|it| Resource::new_own(it.rep()));
        let result = http.handle(request, options);
        if let Some(options) = handed_over {
            http.table.delete::<RequestOptions>(options)?;
        }
        let result = match result {
            Ok(answer) => Ok(answer),
            Err(error) => Err(http.convert_error_code(error)?),
        };
        Ok((result,))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;

type Sent = Result<(http::Response<WasiBody>, Rest), Error>;

/// All there is to an exchange is in its answer.
fn nothing_more() -> Rest {
    Box::new(async { Ok(()) })
}

impl WasiHttpHooks for Hooks {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_framing(name)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _body_done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        self.outside.store(true, Ordering::Relaxed);
        if let Some(stage) = self.shared.stage.clone() {
            let answered = self.count().and_then(|()| stage.answer(&request));
            return Box::new(async move { answered.map(|answer| (answer, nothing_more())) });
        }
        let client = self.admit(request.uri());
        let options = options.unwrap_or_default();
        let connect = options.connect_timeout.unwrap_or(CONNECT).min(CONNECT);
        let first_byte = options.first_byte_timeout.unwrap_or(self.shared.limits.time).min(self.shared.limits.time);
        Box::new(async move {
            let sent = tokio::time::timeout(connect + first_byte, client?.0.request(request)).await;
            let response = sent.map_err(|_| Error::ConnectionReadTimeout)?.map_err(refused)?;
            let response = response.map(|body| body.map_err(Error::from).boxed_unsync());
            Ok((response, nothing_more()))
        })
    }
}

fn refused(error: legacy::Error) -> Error {
    use std::error::Error as _;
    let mut source = error.source();
    let mut kind = None;
    while let Some(cause) = source {
        kind = kind.or(cause.downcast_ref::<io::Error>().map(io::Error::kind));
        source = cause.source();
    }
    match kind {
        Some(io::ErrorKind::PermissionDenied) => Error::DestinationIpProhibited,
        Some(io::ErrorKind::ConnectionRefused) => Error::ConnectionRefused,
        _ if error.is_connect() => Error::DestinationUnavailable,
        _ => Error::HttpProtocolError,
    }
}

fn is_framing(name: &HeaderName) -> bool {
    [
        header::CONNECTION,
        header::HOST,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
    ]
    .contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

impl Origin {
    /// Whether a request goes to it.
    fn covers(&self, uri: &Uri) -> bool {
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let host = uri.host().unwrap_or("").to_ascii_lowercase();
        let same = match self.host.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == self.host,
        };
        same && https == self.https && port == self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_addresses_are_not_public() {
        for inner in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "::ffff:127.0.0.1",
            "fe80::1",
            "fd00::1",
            "64:ff9b::7f00:1",
        ] {
            assert!(!is_public(inner.parse().expect("an address")), "{inner}");
        }
        assert!(is_public("93.184.215.14".parse().expect("an address")));
        assert!(is_public("2606:2800:220:1::1".parse().expect("an address")));
    }

    #[test]
    fn an_origin_covers_its_own_scheme_host_and_port_only() {
        let origin = Origin { https: true, host: "*.example.com".into(), port: 443 };
        let covers = |uri: &str| origin.covers(&uri.parse().expect("a URI"));
        assert!(covers("https://a.example.com/x") && covers("https://a.b.EXAMPLE.com:443/"));
        assert!(!covers("http://a.example.com/") && !covers("https://example.com/"));
        assert!(!covers("https://evilexample.com/") && !covers("https://a.example.com:8443/"));
    }
}
