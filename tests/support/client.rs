//! A client: one request on a connection of its own.

use std::{future::IntoFuture, net::SocketAddr, pin::Pin};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// A request to be sent by `.await`.
pub(crate) struct Call {
    address: SocketAddr,
    builder: http::request::Builder,
    body: Bytes,
    http2: bool,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let builder = Request::builder().method(method).uri(format!("http://{address}{path}"));
        Self { address, builder, body: Bytes::new(), http2: false }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Sets the body.
    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Speaks HTTP/2 with prior knowledge.
    pub(crate) fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    async fn send(self) -> hyper::Result<Reply> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        send(stream, self.http2, self.builder.body(Full::new(self.body)).unwrap()).await
    }

    /// Sends it where the answer may break off.
    pub(crate) async fn outcome(self) -> hyper::Result<Reply> {
        self.send().await
    }
}

impl IntoFuture for Call {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.send().await.expect("an answer") })
    }
}

impl Reply {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

/// Sends a request, whose URI is whole, over a connection of its own, and reads the answer.
pub(super) async fn send<S>(stream: S, http2: bool, mut request: Request<Full<Bytes>>) -> hyper::Result<Reply>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let response = if http2 {
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    } else {
        // Origin-form, as a client sends it to an origin.
        let target = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
        let authority = request.uri().authority().unwrap().to_string();
        *request.uri_mut() = target;
        request.headers_mut().entry(http::header::HOST).or_insert(authority.parse().unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
}
