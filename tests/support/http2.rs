//! An HTTP/2 client with several streams on one connection.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinHandle};

/// A connection with prior knowledge.
pub(crate) struct Http2 {
    address: SocketAddr,
    sender: http2::SendRequest<BoxBody<Bytes, Infallible>>,
    /// Ends with the connection.
    pub(crate) connection: JoinHandle<hyper::Result<()>>,
}

impl Http2 {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        Self { address, sender, connection: tokio::spawn(connection) }
    }

    /// Another that asks on the same connection.
    pub(crate) fn clone_sender(&self) -> Sender {
        Sender(self.sender.clone())
    }

    /// The beginning of a request for a path.
    pub(crate) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(format!("http://{}{path}", self.address))
    }

    /// Sends a request without a body and waits for the head of the answer.
    pub(crate) async fn send(&self, request: http::request::Builder) -> hyper::Result<Response<Incoming>> {
        self.send_body(request, Full::default().boxed()).await
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn send_body(
        &self,
        request: http::request::Builder,
        body: BoxBody<Bytes, Infallible>,
    ) -> hyper::Result<Response<Incoming>> {
        self.sender.clone().send_request(request.body(body).unwrap()).await
    }
}

/// Asks on a connection that is somebody else's.
pub(crate) struct Sender(http2::SendRequest<BoxBody<Bytes, Infallible>>);

impl Sender {
    /// Sends a request without a body and waits for the head of the answer.
    pub(crate) async fn send(mut self, request: http::request::Builder) -> hyper::Result<Response<Incoming>> {
        self.0.send_request(request.body(Full::default().boxed()).unwrap()).await
    }
}
