//! A connection that speaks another protocol than HTTP from an answer on. It serves no other request.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    balance::UnderWay,
    connection::Connection,
    stream::{ReadHalf, WriteHalf},
};
use crate::descriptors::Place;

/// A connection that has switched protocols, to be read and written as bytes.
pub(crate) struct Switched {
    /// What came behind the answer's header section.
    ahead: BytesMut,
    read: ReadHalf,
    write: WriteHalf,
    _place: Place,
    _under_way: Option<Box<UnderWay>>,
}

impl Switched {
    /// None while its writing half is elsewhere, with the body of a request.
    pub(super) fn new(connection: Connection, _under_way: Option<Box<UnderWay>>) -> Option<Self> {
        let Connection { read, write, buffer, place: _place, .. } = connection;
        // A long life does not hold the room that the header section took.
        let ahead = if buffer.is_empty() { BytesMut::new() } else { buffer };
        Some(Self { ahead, read, write: write?, _place, _under_way })
    }
}

impl AsyncRead for Switched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.read).poll_read(cx, buf);
        }
        let take = buf.remaining().min(self.ahead.len());
        buf.put_slice(&self.ahead[..take]);
        self.ahead.advance(take);
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Switched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(cx)
    }
}
