//! What carries a connection's bytes, with TLS or without, in its two halves.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, split},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::coop::unconstrained,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::endpoint::Endpoint;
use crate::{
    config::Protocol,
    descriptors::{Place, Upstreams},
    failure::Failure,
    tls::{Connector, H2},
};

/// The half that is read.
pub(super) enum ReadHalf {
    Plain(OwnedReadHalf),
    Tls(Box<tokio::io::ReadHalf<TlsStream<TcpStream>>>),
}

/// The half that is written. What TLS has taken leaves at the latest with a flush.
pub(super) enum WriteHalf {
    Plain(OwnedWriteHalf),
    Tls(Box<tokio::io::WriteHalf<TlsStream<TcpStream>>>),
}

/// A connection that nothing was said on yet.
pub(super) enum Dialed {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Dialed {
    pub(super) fn split(self) -> (ReadHalf, WriteHalf) {
        match self {
            Self::Plain(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Plain(read), WriteHalf::Plain(write))
            }
            Self::Tls(stream) => {
                let (read, write) = split(*stream);
                (ReadHalf::Tls(Box::new(read)), WriteHalf::Tls(Box::new(write)))
            }
        }
    }
}

/// Connects to an endpoint; `most` is for all of it, a handshake too. The address is that of an endpoint found by name.
pub(super) async fn dial(
    endpoint: &Endpoint,
    most: Duration,
    descriptors: &Upstreams,
) -> Result<(Dialed, Option<IpAddr>, Place), Failure> {
    let unreachable = |error: io::Error| Failure::UpstreamUnreachable(format!("{}: {error}", endpoint.name));
    let none = || unreachable(io::Error::other("there are no more descriptors for upstreams (`ulimit -n`)"));
    let place = descriptors.take().ok_or_else(none)?;
    let connecting = timeout(most, async {
        let stream = match &endpoint.names {
            None => TcpStream::connect((&*endpoint.host, endpoint.port)).await?,
            Some(names) => names.connect(most).await?,
        };
        stream.set_nodelay(true)?;
        let peer = endpoint.names.as_ref().and_then(|_| Some(stream.peer_addr().ok()?.ip()));
        let dialed = match &endpoint.connector {
            None => Dialed::Plain(stream),
            Some(Connector { config, name, .. }) => {
                let shaking = TlsConnector::from(config.clone()).connect(name.clone(), stream);
                let shaken = shaking.await.map_err(|error| io::Error::new(error.kind(), format!("TLS: {error}")))?;
                // RFC 9113 section 3.2: without that word it may be anything.
                if endpoint.protocol == Protocol::Http2 && shaken.get_ref().1.alpn_protocol() != Some(H2) {
                    return Err(io::Error::other("TLS: it does not choose HTTP/2 (ALPN `h2`)"));
                }
                Dialed::Tls(Box::new(shaken))
            }
        };
        Ok((dialed, peer))
    });
    let opened = connecting.await.map_err(|_| Failure::UpstreamConnectTimeout)?;
    let (dialed, peer) = opened.map_err(unreachable)?;
    Ok((dialed, peer, place))
}

impl ReadHalf {
    /// Whether nothing is there to be read, and no end. It asks the system only when the runtime has seen something. What TLS
    /// says to itself (session tickets) is nothing.
    pub(super) fn is_quiet(&mut self) -> bool {
        match self {
            Self::Plain(read) => read.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            Self::Tls(read) => {
                let mut byte = [0];
                let mut byte = ReadBuf::new(&mut byte);
                let reading = std::future::poll_fn(|cx| Pin::new(&mut *read).poll_read(cx, &mut byte));
                let mut reading = std::pin::pin!(unconstrained(reading));
                reading.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
            }
        }
    }
}

impl WriteHalf {
    /// Whether what was taken may wait for a flush.
    pub(super) fn holds_back(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(read) => Pin::new(read).poll_read(cx, buf),
            Self::Tls(read) => Pin::new(read).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(write) => Pin::new(write).poll_write(cx, buf),
            Self::Tls(write) => Pin::new(write).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(write) => Pin::new(write).poll_write_vectored(cx, bufs),
            Self::Tls(write) => Pin::new(write).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(write) => write.is_write_vectored(),
            Self::Tls(write) => write.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(write) => Pin::new(write).poll_flush(cx),
            Self::Tls(write) => Pin::new(write).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(write) => Pin::new(write).poll_shutdown(cx),
            Self::Tls(write) => Pin::new(write).poll_shutdown(cx),
        }
    }
}
