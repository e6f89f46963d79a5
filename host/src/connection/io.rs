//! A connection's bytes, and what phase of its life they belong to.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::server::TlsStream;

use super::gate::{Gate, Passed, Then};

/// The answer to half a header section that never became whole (RFC 9110 section 15.5.9).
const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The most bytes of an answer that are joined to one buffer.
const JOINED: usize = 2 << 10;

/// The most bytes that are read at once to be looked at.
const INPUT: usize = 64 << 10;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; INPUT].into());
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
    /// Who reads on once no exchange is under way: what has come behind a handshake waits for that.
    waiting: Cell<Option<Waker>>,
}

impl Life {
    pub(super) fn new(http2: bool) -> Self {
        Self {
            http2,
            phase: Cell::new(Phase::Head(Instant::now())),
            exchanges: Cell::new(0),
            begun: Cell::new(false),
            given_up: Cell::new(false),
            waiting: Cell::new(None),
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
            if let Some(waiting) = life.waiting.take() {
                waiting.wake();
            }
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
    /// What looks at the bytes of HTTP/1.
    gate: Option<Gate>,
    /// Read, but not looked at yet.
    ahead: Vec<u8>,
    /// What hyper has to be given yet in place of what may not pass.
    refusal: &'static [u8],
}

impl Io {
    pub(super) fn new(stream: Stream, life: Rc<Life>) -> Self {
        let gate = (!life.http2).then(Gate::default);
        Self { stream, life, gate, ahead: Vec::new(), refusal: b"" }
    }

    /// It is no HTTP any more: bytes pass as they are.
    pub(super) fn switched(mut self) -> Self {
        self.gate = None;
        self
    }

    /// Reads past the gate.
    fn read_through(&mut self, cx: &mut Context<'_>, buf: &mut ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if let Some(gate) = &mut self.gate {
            if gate.is_shut() {
                self.refuse(buf);
                return Poll::Ready(Ok(()));
            }
            if gate.waits() {
                if matches!(self.life.phase(), Phase::Busy) {
                    return self.wait(cx);
                }
                gate.stays_http();
            }
        }
        if !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            self.give(&ahead, buf);
            return Poll::Ready(Ok(()));
        }
        READ.with_borrow_mut(|input| {
            let most = buf.remaining().min(input.len());
            let read = ready!(self.read(cx, &mut input[..most]))?;
            self.give(&input[..read], buf);
            Poll::Ready(Ok(()))
        })
    }

    /// While a handshake is under way, hyper only wants to know whether the client is still there.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            let mut piece = [0; 1 << 10];
            let read = ready!(self.read(cx, &mut piece))?;
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            self.ahead.extend_from_slice(&piece[..read]);
        }
        self.life.waiting.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    fn read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(into);
        ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream.inner_mut()).poll_read(cx, &mut read),
            Stream::Tls(stream) => Pin::new(stream.inner_mut()).poll_read(cx, &mut read),
        })?;
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Gives hyper what may pass, and keeps what has no room or has to wait.
    fn give(&mut self, bytes: &[u8], buf: &mut ReadBufCursor<'_>) {
        let room = &bytes[..bytes.len().min(buf.remaining())];
        let passed = self.gate.as_mut().map_or(Passed { bytes: room.len(), then: Then::More }, |gate| gate.pass(room));
        buf.put_slice(&bytes[..passed.bytes]);
        match passed.then {
            Then::More | Then::Wait => self.ahead.extend_from_slice(&bytes[passed.bytes..]),
            Then::Refuse(instead) => {
                self.refusal = instead;
                if passed.bytes == 0 {
                    self.refuse(buf);
                }
            }
        }
    }

    /// Gives hyper what it will refuse; nothing when it has it.
    fn refuse(&mut self, buf: &mut ReadBufCursor<'_>) {
        let (now, later) = self.refusal.split_at(self.refusal.len().min(buf.remaining()));
        buf.put_slice(now);
        self.refusal = later;
    }
}

impl Read for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if self.life.has_given_up() {
            // Best effort: a client too slow to send a header section gets one try at an answer, then the end.
            let _ = either!(self.stream, stream => stream.poll_write(cx, REQUEST_TIMEOUT));
            let _ = either!(self.stream, stream => stream.poll_flush(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let polled = match self.gate {
            None if self.ahead.is_empty() => either!(self.stream, stream => stream.poll_read(cx, buf)),
            _ => self.read_through(cx, &mut buf),
        };
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
