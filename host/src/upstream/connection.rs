//! One connection to an upstream, and one request at a time on it.
//!
//! It has no task of its own: whoever has a request in hand reads and writes it directly, which costs a bare proxy a
//! sixth less CPU per request than handing messages to a task per connection. Only the body of a request is sent by a
//! task of its own (see `sending.rs`), so that an answer can be read at the same time.

use std::{
    future::poll_fn,
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};
use tokio::{io::AsyncWrite, time::Instant};
use tokio_util::io::poll_read_buf;

use super::{
    endpoint::Endpoint,
    head::{self, Asked, Head},
    sending::{Sending, SendingEnded},
    stream::{self, ReadHalf, WriteHalf},
};
use crate::{
    deadline::Deadline,
    descriptors::{Place, Upstreams},
    failure::Failure,
};

/// Room for a read at the beginning of an answer: with most answers all of it.
const FIRST_READ: usize = 8 << 10;

/// A connection.
pub(super) struct Connection {
    pub(super) read: ReadHalf,
    /// With [`Sending`] while that is at work.
    pub(super) write: Option<WriteHalf>,
    /// What was read and not taken yet.
    pub(super) buffer: BytesMut,
    pub(super) deadline: Deadline,
    /// Its descriptor.
    pub(super) place: Place,
    /// The other end, where it was found by name.
    pub(super) peer: Option<IpAddr>,
}

/// Why a request got no answer.
pub(super) enum Lost {
    /// The connection was closed before anything of the request was written.
    Unsent(String),
    /// It was closed before the first byte of an answer.
    Unanswered(String),
    /// Anything else.
    Failed(Failure),
}

impl Connection {
    /// Opens one. `connect_timeout` is for all of it, a handshake too; `first_byte_timeout` for the first answer.
    pub(super) async fn open(
        endpoint: &Endpoint,
        connect_timeout: Duration,
        first_byte_timeout: Duration,
        descriptors: &Upstreams,
    ) -> Result<Box<Self>, Failure> {
        let (dialed, peer, place) = stream::dial(endpoint, connect_timeout, descriptors).await?;
        let (read, write) = dialed.split();
        let deadline = Deadline::new(Instant::now() + first_byte_timeout);
        Ok(Box::new(Self { read, write: Some(write), buffer: BytesMut::new(), deadline, place, peer }))
    }

    /// Whether nothing has come since the last answer: no byte that nobody asked for, and no end.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.read.is_quiet() && self.buffer.is_empty() && self.write.is_some()
    }

    /// Writes the header section of a request.
    pub(super) async fn write_head(&mut self, head: &[u8]) -> Result<(), Lost> {
        let mut written = 0;
        while written < head.len() {
            written += poll_fn(|cx| self.poll_write_head(cx, head, written)).await?;
        }
        match self.write.as_ref().is_some_and(WriteHalf::holds_back) {
            true => poll_fn(|cx| self.poll_flush_head(cx)).await,
            false => Ok(()),
        }
    }

    fn poll_flush_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let Some(write) = &mut self.write else { return Poll::Ready(Ok(())) };
        match Pin::new(write).poll_flush(cx) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(|error| Lost::Unanswered(error.to_string()))),
            Poll::Pending => self.deadline.poll(cx).map(|()| Err(Lost::Failed(Failure::UpstreamTimeout))),
        }
    }

    fn poll_write_head(&mut self, cx: &mut Context<'_>, head: &[u8], written: usize) -> Poll<Result<usize, Lost>> {
        // With TLS a part may have left although nothing was taken.
        let unsent = written == 0 && !self.write.as_ref().is_some_and(WriteHalf::holds_back);
        let lost = |why: String| if unsent { Lost::Unsent(why) } else { Lost::Unanswered(why) };
        let Some(write) = &mut self.write else { return Poll::Ready(Err(lost("it takes no request".into()))) };
        match Pin::new(write).poll_write(cx, &head[written..]) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(lost("it takes no bytes".into()))),
            Poll::Ready(wrote) => Poll::Ready(wrote.map_err(|error| lost(error.to_string()))),
            Poll::Pending => self.deadline.poll(cx).map(|()| Err(Lost::Failed(Failure::UpstreamTimeout))),
        }
    }

    /// Lends the writing half to the task that sends a body.
    pub(super) fn lend(&mut self) -> Option<WriteHalf> {
        self.write.take()
    }

    /// Takes the writing half back.
    pub(super) fn give_back(&mut self, write: WriteHalf) {
        self.write = Some(write);
    }

    /// Reads more into the buffer: the number of bytes, 0 at the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        self.buffer.reserve(room);
        poll_read_buf(Pin::new(&mut self.read), cx, &mut self.buffer)
    }

    /// Waits for the header section of the answer, past interim ones (RFC 9110 section 15.2).
    pub(super) async fn answer(
        &mut self,
        asked: Asked<'_>,
        mut headers: HeaderMap,
        sending: &mut Option<Sending>,
        most: Duration,
    ) -> Result<Head, Lost> {
        let broken = |why: String| Lost::Failed(Failure::UpstreamBroken(why));
        let too_large = || broken("its header section is too large".into());
        let (mut seen, mut any) = (0, false);
        // Of all of them: interim ones without an end are no answer either.
        let mut left = head::BYTES;
        loop {
            while let Some(block) = head::take(&mut self.buffer, &mut seen) {
                any = true;
                left = left.checked_sub(block.len()).ok_or_else(too_large)?;
                let head = head::parse(&block, asked, headers).map_err(broken)?;
                if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                    return Ok(head);
                }
                headers = head.headers;
                headers.clear();
            }
            if self.buffer.len() > left {
                return Err(too_large());
            }
            any |= !self.buffer.is_empty();
            let more = poll_fn(|cx| self.poll_more(cx, sending, most)).await?;
            match more {
                Ok(0) if !any => return Err(Lost::Unanswered("it closed the connection without an answer".into())),
                Ok(0) => return Err(broken("it ended within its header section".into())),
                Ok(_) => {}
                Err(error) if !any => return Err(Lost::Unanswered(error.to_string())),
                Err(error) => return Err(broken(error.to_string())),
            }
        }
    }

    /// Reads, while the request's body may still be on its way: while that moves, the time does not run.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        sending: &mut Option<Sending>,
        most: Duration,
    ) -> Poll<Result<io::Result<usize>, Lost>> {
        if let Poll::Ready(read) = self.poll_read(cx, FIRST_READ) {
            return Poll::Ready(Ok(read));
        }
        if let Some(task) = sending
            && let Poll::Ready(ended) = task.poll(cx)
        {
            *sending = None;
            match ended {
                SendingEnded::Whole(write) => self.give_back(write),
                // What it has said before it closed may be an answer.
                SendingEnded::Refused => {}
                SendingEnded::Broken(failure) => return Poll::Ready(Err(Lost::Failed(failure))),
            }
        }
        ready!(self.deadline.poll(cx));
        match sending.as_mut().is_some_and(|task| task.has_moved()) {
            true => {
                self.deadline.set(Instant::now() + most);
                let _ = self.deadline.poll(cx);
                Poll::Pending
            }
            false => Poll::Ready(Err(Lost::Failed(Failure::UpstreamTimeout))),
        }
    }
}
