//! A connection's bytes, and what phase of its life they belong to.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::server::TlsStream;

use super::{
    ANSWER_TIMEOUT, BAD_REQUEST, FLOOD, PREFACE,
    frames::{Allowance, Frames, GOAWAY},
    gate::{Gate, Passed, Then},
};
use crate::patience::Patience;

/// The answer to half a header section that never became whole (RFC 9110 section 15.5.9).
const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The most bytes of an answer that are joined to one buffer.
const JOINED: usize = 2 << 10;

/// The most bytes of HTTP/2 that are looked at and handed on at once.
const LOOKED_AT: usize = 16 << 10;
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
    /// Of the client, when the system takes no more bytes for it.
    patience: Cell<Patience>,
    /// Whether it has less than all of that.
    owes: Cell<bool>,
    /// Over HTTP/2: what the answer's body of the stream in hand has seen.
    pub(super) step: Cell<Step>,
    allowance: Allowance,
    /// Why it was ended, where the client is to blame.
    reason: Cell<Option<&'static str>>,
    /// Who reads on once no exchange is under way: what has come behind a handshake waits for that.
    waiting: Cell<Option<Waker>>,
}

/// What has happened to the body of an answer, and the bytes that it gave.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    None,
    /// It gave a piece, and was not asked for the next.
    Gave(usize),
    /// It was asked, and has nothing yet.
    Asked(usize),
}

impl Life {
    pub(super) fn new(http2: bool, patience: Patience) -> Self {
        Self {
            patience: Cell::new(patience),
            owes: Cell::new(false),
            step: Cell::new(Step::None),
            allowance: Allowance::new(),
            reason: Cell::new(None),
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
        if begun {
            self.blame("header_timeout");
        }
        self.given_up.set(begun && !self.given_up.get());
        self.given_up.get()
    }

    pub(super) fn has_given_up(&self) -> bool {
        self.given_up.get()
    }

    /// Until when the client may take no byte of what is there for it; None while it takes them.
    pub(super) fn stalled_until(&self) -> Option<Instant> {
        if self.owes.get() { self.patience.get().until() } else { None }
    }

    /// The client is to blame for its end.
    pub(super) fn blame(&self, reason: &'static str) {
        self.reason.set(Some(reason));
    }

    pub(super) fn reason(&self) -> Option<&'static str> {
        self.reason.get()
    }

    /// The system has taken bytes for the client, or takes none.
    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        match polled {
            Poll::Pending => self.stall(),
            Poll::Ready(Ok(bytes)) if self.owes.get() => self.move_on(*bytes),
            Poll::Ready(_) => {}
        }
    }

    fn flushed(&self, polled: &Poll<io::Result<()>>) {
        if polled.is_pending() {
            self.stall();
        } else if self.owes.get() {
            self.move_on(0);
        }
    }

    #[cold]
    fn stall(&self) {
        let mut patience = self.patience.get();
        patience.wait();
        self.patience.set(patience);
        self.owes.set(true);
    }

    #[cold]
    fn move_on(&self, bytes: usize) {
        let mut patience = self.patience.get();
        let stalled = patience.until().is_some();
        patience.moved(bytes);
        self.patience.set(patience);
        self.owes.set(!patience.is_whole());
        if let (Phase::Idle(_), true) = (self.phase.get(), stalled) {
            // The end of its last answer was still on its way.
            self.phase.set(Phase::Idle(Instant::now()));
        }
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
        if life.http2 {
            life.allowance.asked();
        }
        Self { life, ended: None }
    }

    /// The answer's body has given a piece.
    pub(crate) fn gave(&self, bytes: usize) {
        if self.life.http2 {
            self.life.allowance.gave(bytes);
            let given = match self.life.step.get() {
                Step::None => 0,
                Step::Gave(given) | Step::Asked(given) => given,
            };
            self.life.step.set(Step::Gave(given + bytes));
        }
    }

    /// The answer's body was asked for a piece and has none yet.
    pub(crate) fn asked(&self) {
        if let Step::Gave(given) | Step::Asked(given) = self.life.step.get() {
            self.life.step.set(Step::Asked(given));
        } else {
            self.life.step.set(Step::Asked(0));
        }
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
    /// Over HTTP/2: the frames that come, and those that leave.
    frames: Option<Box<(Frames, Frames)>>,
    /// What looks at the bytes of HTTP/1.
    gate: Option<Gate>,
    /// Read, but not looked at yet.
    ahead: Vec<u8>,
    /// What hyper has to be given yet in place of what may not pass.
    refusal: &'static [u8],
}

impl Io {
    pub(super) fn new(stream: Stream, life: Rc<Life>) -> Self {
        let frames = life.http2.then(|| Box::new((Frames::after(PREFACE.len()), Frames::after(0))));
        let gate = (!life.http2).then(Gate::default);
        Self { stream, life, frames, gate, ahead: Vec::new(), refusal: b"" }
    }

    /// Reads and looks at the frames before it hands them on.
    fn poll_read_frames(&mut self, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        READ.with_borrow_mut(|bytes| {
            let room = LOOKED_AT.min(buf.remaining());
            let read = ready!(self.read(cx, &mut bytes[..room]))?;
            let read = &bytes[..read];
            let cost = self.frames.as_mut().map_or(0, |frames| frames.0.come(read));
            if cost > 0 && !self.life.allowance.spend(cost) {
                return Poll::Ready(Err(self.say_enough(cx)));
            }
            buf.put_slice(read);
            Poll::Ready(Ok(()))
        })
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

    /// The client sends frames and asks for nothing.
    #[cold]
    fn say_enough(&mut self, cx: &mut Context<'_>) -> io::Error {
        self.life.blame(FLOOD);
        // Best effort, and never within a frame: it could look like the end of a body.
        if self.frames.as_ref().is_some_and(|frames| frames.1.are_between()) {
            let _ = either!(self.stream, stream => stream.poll_write(cx, GOAWAY));
            let _ = either!(self.stream, stream => stream.poll_flush(cx));
        }
        io::Error::other("more control frames than requests account for")
    }

    /// The system, or TLS, has taken the first bytes of these.
    fn passed<'a>(&mut self, polled: &Poll<io::Result<usize>>, bufs: impl IntoIterator<Item = &'a [u8]>) {
        self.life.wrote(polled);
        let (Some(frames), Poll::Ready(Ok(written))) = (&mut self.frames, polled) else { return };
        let mut left = *written;
        for buf in bufs {
            let part = left.min(buf.len());
            self.life.allowance.charge(frames.1.leave(&buf[..part]));
            left -= part;
        }
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
        ready!(either!(self.stream, stream => stream.poll_read(cx, read.unfilled())))?;
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
                self.life.blame(BAD_REQUEST);
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

impl Drop for Io {
    fn drop(&mut self) {
        if self.life.reason() == Some(ANSWER_TIMEOUT) {
            // The system would keep what the client does not read, for minutes.
            let _ = match &self.stream {
                Stream::Plain(stream) => stream.inner().set_zero_linger(),
                Stream::Tls(stream) => stream.inner().get_ref().0.set_zero_linger(),
            };
        }
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
        if self.frames.is_some() {
            return self.poll_read_frames(cx, buf);
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
        let polled = either!(self.stream, stream => stream.poll_write(cx, buf));
        self.passed(&polled, [buf]);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = either!(self.stream, stream => stream.poll_flush(cx));
        self.life.flushed(&polled);
        polled
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
            let polled = either!(self.stream, stream => stream.poll_write_vectored(cx, bufs));
            self.passed(&polled, bufs.iter().map(|part| &**part));
            return polled;
        }
        SCRATCH.with_borrow_mut(|joined| {
            joined.clear();
            bufs.iter().for_each(|part| joined.extend_from_slice(part));
            let polled = either!(self.stream, stream => stream.poll_write(cx, joined));
            self.passed(&polled, [&**joined]);
            polled
        })
    }
}
