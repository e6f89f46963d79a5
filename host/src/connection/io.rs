//! A connection's bytes, and what phase of its life they belong to.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::server::TlsStream;

/// The answer to half a header section that never became whole (RFC 9110 section 15.5.9).
const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The most bytes of an answer that are joined to one buffer.
const JOINED: usize = 2 << 10;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// A header section is expected, or has begun, since then.
    Head(Instant),
    /// Exchanges are under way.
    Busy,
    /// Nothing has come since then.
    Idle(Instant),
}

/// The life of a connection.
pub(super) struct Life {
    /// Its bytes may be control frames: they neither begin a header section nor can be answered with a text.
    http2: bool,
    phase: Cell<Phase>,
    exchanges: Cell<u32>,
    /// Whether a byte of the header section in hand has come.
    begun: Cell<bool>,
    given_up: Cell<bool>,
}

impl Life {
    pub(super) fn new(http2: bool) -> Self {
        Self {
            http2,
            phase: Cell::new(Phase::Head(Instant::now())),
            exchanges: Cell::new(0),
            begun: Cell::new(false),
            given_up: Cell::new(false),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2
    }

    /// The time is over. True: half a header section is there, and reading on will answer it.
    pub(super) fn give_up(&self) -> bool {
        let begun = matches!(self.phase.get(), Phase::Head(_)) && self.begun.get();
        self.given_up.set(begun && !self.given_up.get());
        self.given_up.get()
    }

    pub(super) fn has_given_up(&self) -> bool {
        self.given_up.get()
    }

    fn bytes_came(&self) {
        if self.http2 {
            return;
        }
        self.begun.set(true);
        if let Phase::Idle(_) = self.phase.get() {
            self.phase.set(Phase::Head(Instant::now()));
        }
    }
}

/// An exchange on a connection, for as long as it lives.
pub(crate) struct InFlight {
    life: Rc<Life>,
    ended: Option<Instant>,
}

impl InFlight {
    pub(super) fn new(life: Rc<Life>) -> Self {
        life.exchanges.set(life.exchanges.get() + 1);
        life.phase.set(Phase::Busy);
        Self { life, ended: None }
    }

    /// Tells when it was over: saves a look at the clock.
    pub(crate) fn ended(&mut self, at: Instant) {
        self.ended = Some(at);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let life = &self.life;
        life.exchanges.set(life.exchanges.get() - 1);
        if life.exchanges.get() == 0 {
            life.begun.set(false);
            life.phase.set(Phase::Idle(self.ended.unwrap_or_else(Instant::now)));
        }
    }
}

/// What carries a connection's bytes. One type for both, so that what is built upon it exists once.
pub(super) enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Stream {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self::Plain(TokioIo::new(stream))
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(TokioIo::new(stream)))
    }
}

/// Calls the same on whichever it is.
macro_rules! either {
    ($stream:expr, $of:ident => $call:expr) => {
        match &mut $stream {
            Stream::Plain($of) => {
                let $of = Pin::new($of);
                $call
            }
            Stream::Tls($of) => {
                let $of = Pin::new(&mut **$of);
                $call
            }
        }
    };
}

/// A client's connection.
pub(super) struct Io {
    stream: Stream,
    life: Rc<Life>,
}

impl Io {
    pub(super) fn new(stream: Stream, life: Rc<Life>) -> Self {
        Self { stream, life }
    }
}

impl Read for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.life.has_given_up() {
            // Best effort: a client too slow to send a header section gets one try at an answer, then the end.
            let _ = either!(self.stream, stream => stream.poll_write(cx, REQUEST_TIMEOUT));
            let _ = either!(self.stream, stream => stream.poll_flush(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let polled = either!(self.stream, stream => stream.poll_read(cx, buf));
        if polled.is_ready() {
            self.life.bytes_came();
        }
        polled
    }
}

impl Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.stream, stream => stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.stream, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.stream, stream => stream.poll_shutdown(cx))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A header section and a short body: copying them together is cheaper than a list of buffers for the system.
        if bufs.iter().map(|part| part.len()).sum::<usize>() > JOINED {
            return either!(self.stream, stream => stream.poll_write_vectored(cx, bufs));
        }
        SCRATCH.with_borrow_mut(|joined| {
            joined.clear();
            bufs.iter().for_each(|part| joined.extend_from_slice(part));
            either!(self.stream, stream => stream.poll_write(cx, joined))
        })
    }
}
