//! How a connection over TLS begins.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::io::Stream;
use crate::{
    gateway::Attributes,
    tls::{self, Acceptor},
    worker::Worker,
};

/// The answer to a client that speaks HTTP where TLS is spoken: it would see a broken connection otherwise.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
    content-length: 38\r\n\r\nthis port speaks https: write https:/\n";

/// Shakes hands. The connection, whether HTTP/2 was chosen, and what TLS tells of it; none where it came to nothing.
pub(super) async fn shake(
    worker: &Worker,
    acceptor: &Acceptor,
    mut stream: TcpStream,
    client: SocketAddr,
) -> Option<((Stream, bool), Option<Attributes>)> {
    let metrics = &worker.gateway.metrics;
    let shaken = timeout(acceptor.handshake_timeout, async {
        if speaks_http(&stream).await? {
            // Read, and not left unread: the system would break the connection off, and the answer with it.
            let _ = stream.read(&mut [0; 8 << 10]).await;
            let _ = stream.write_all(PLAIN_HTTP).await;
            let _ = stream.shutdown().await;
            return Err(std::io::Error::other("it speaks HTTP without TLS"));
        }
        TlsAcceptor::from(acceptor.config.clone()).accept(stream).await
    });
    let stream = match shaken.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            metrics.shaken("failed");
            tracing::debug!(%client, "no TLS: {error}");
            return None;
        }
        Err(_) => {
            metrics.shaken("timeout");
            tracing::debug!(%client, "no TLS within `handshake_timeout`");
            return None;
        }
    };
    metrics.shaken("ok");
    let (_, connection) = stream.get_ref();
    let http2 = connection.alpn_protocol() == Some(tls::H2);
    let attributes = tls::attributes(connection);
    Some(((Stream::tls(stream), http2), Some(attributes)))
}

/// Whether the first byte is that of a method, and not of a TLS record (RFC 8446 section 5.1).
async fn speaks_http(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase())
}
