//! What carries a connection's bytes, with TLS or without, in its two halves.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, split},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::coop::unconstrained,
};
use tokio_rustls::client::TlsStream;

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

pub(super) fn plain(stream: TcpStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = stream.into_split();
    (ReadHalf::Plain(read), WriteHalf::Plain(write))
}

pub(super) fn tls(stream: TlsStream<TcpStream>) -> (ReadHalf, WriteHalf) {
    let (read, write) = split(stream);
    (ReadHalf::Tls(Box::new(read)), WriteHalf::Tls(Box::new(write)))
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
