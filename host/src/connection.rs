//! One client connection: which protocol it speaks, how long it may be silent, how it ends.
//!
//! hyper's own header time-out is not used: it would also close connections that are idle between requests, and costs a
//! timer per request. Here one timer per connection is moved only when it fires or must fire earlier.

mod frames;
mod gate;
mod handshake;
mod io;
mod room;
mod stream;
mod tunnel;

pub(crate) use io::InFlight;
pub(crate) use room::Rooms;
pub(crate) use tunnel::Tunnel;

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{config::ClientLimits, deadline::Deadline, gateway, gateway::Peer, patience::Patience, worker::Worker};
use io::{Io, Life, Phase, Stream};
use stream::Streams;

/// What every HTTP/2 client sends first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams that a client may have open at once.
const STREAMS: u32 = 200;

/// Streams that a client has reset before they were begun: more at a time, and it is rapid reset (CVE-2023-44487).
const RESETS_AHEAD: usize = 20;

/// Streams that a client has made us reset by breaking the protocol, over a connection's life (MadeYouReset, CVE-2025-8671). As
/// many as hyper lets: a proxy may pass on what others broke, and who makes us do it on purpose runs out of frames before.
const RESETS_PROVOKED: usize = 1024;

/// Bytes of bodies that a client may send ahead of whoever reads them, on a stream and on all of a connection.
const WINDOW: u32 = 1 << 20;

/// The smallest that may be asked for (RFC 9113 section 4.2).
const FRAME: u32 = 16 << 10;

/// Bytes of an answer that a stream keeps for a client that has no window for them. With all streams of a connection: 12.5 MiB.
const UNSENT: usize = 64 << 10;

/// When the worker stops, a connection on which nothing is under way stays so much longer: a request that is on its way
/// is answered, and the answer says that it is the last.
const GRACE: Duration = Duration::from_millis(200);

/// Serves a connection of a listener to its end.
pub(crate) async fn serve(worker: Rc<Worker>, listener: usize, stream: TcpStream, address: SocketAddr) {
    // Small answers leave at once.
    let _ = stream.set_nodelay(true);
    // Not kept: a client that says nothing would keep a configuration, with its plugins, that serves no more.
    let (limits, acceptor) = {
        let snapshot = worker.gateway.snapshot();
        (snapshot.config.limits.clone(), snapshot.acceptors.get(listener).cloned().flatten())
    };
    let opened = async {
        match acceptor {
            None => plain(stream, limits.header_timeout).await.map(|opened| (opened, None)),
            // Boxed: a connection without it does not carry the room.
            Some(acceptor) => Box::pin(handshake::shake(&worker, &acceptor, stream, address)).await,
        }
    };
    let opened = tokio::select! {
        opened = opened => opened,
        () = out_of_grace(&worker) => return,
    };
    let Some(((stream, http2), tls)) = opened else { return };
    let peer = Rc::new(Peer::new(address, tls));
    let patience = Patience::new(limits.answer_idle_timeout, limits.answer_min_rate);
    let life = Rc::new(Life::new(http2, patience));
    let io = Io::new(stream, life.clone());
    let service = {
        let (worker, peer, life, free) = (worker.clone(), peer.clone(), life.clone(), worker.rooms.free());
        service_fn(move |request| {
            let (worker, peer, in_flight) = (worker.clone(), peer.clone(), InFlight::new(life.clone()));
            free.keep(gateway::serve(worker, peer, in_flight, request))
        })
    };
    let ended = if http2 {
        let streams = Streams { worker: worker.clone(), life: life.clone(), patience };
        // Boxed: a connection of HTTP/1.1 does not carry the room.
        let mut connection = Box::pin(http2_builder(streams, &limits).serve_connection(io, service));
        watch(connection.as_mut(), &worker, &life, &limits).await
    } else {
        let mut connection = http1_builder(&limits).serve_connection(io, service);
        let ended = watch(Pin::new(&mut connection), &worker, &life, &limits).await;
        if let Some(tunnel) = peer.becomes.take().filter(|_| ended.is_ok()) {
            let http1::Parts { io, read_buf, .. } = connection.into_parts();
            // Boxed: few connections become one.
            Box::pin(tunnel.run(&worker, io.switched(), read_buf)).await;
        }
        ended
    };
    if let Some(reason) = life.reason().or_else(|| ended.as_ref().err().and_then(blame)) {
        worker.gateway.metrics.client_ended(reason);
        tracing::debug!(client = %peer.address, "ended: {reason}");
    }
    if let Err(error) = ended {
        tracing::debug!(client = %peer.address, "connection: {error}");
    }
}

fn http1_builder(limits: &ClientLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Never `pipeline_flush`: with it, hyper buffers answers without a bound and forgets to send some.
    builder.header_read_timeout(None);
    // A little room for the request line's method and version, and for what `admit` counts otherwise.
    builder.max_header_size(limits.header_bytes + limits.uri_bytes + (limits.header_count + 1) * 4 + 64);
    if limits.header_count > 100 {
        builder.max_headers(limits.header_count);
    }
    builder
}

/// Every bound of h2 is set here, whatever its defaults become.
fn http2_builder(streams: Streams, limits: &ClientLimits) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(header_list(limits))
        .max_pending_accept_reset_streams(RESETS_AHEAD)
        .max_local_error_reset_streams(RESETS_PROVOKED)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME)
        .max_send_buf_size(UNSENT);
    builder
}

/// What metrics call a client that floods, one that does not read, and one whose bytes are no request.
const FLOOD: &str = "http2_flood";
const ANSWER_TIMEOUT: &str = "answer_timeout";
const BAD_REQUEST: &str = "bad_request";

/// What a client did that the library has ended its connection for.
fn blame(error: &hyper::Error) -> Option<&'static str> {
    if is_flood(error) { Some(FLOOD) } else { error.is_parse().then_some(BAD_REQUEST) }
}

/// Whether it is h2 that has had enough.
fn is_flood(error: &hyper::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.is_library() && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM);
        }
        cause = error.source();
    }
    false
}

/// A connection without TLS, and whether it speaks HTTP/2.
async fn plain(stream: TcpStream, within: Duration) -> Option<(Stream, bool)> {
    let http2 = timeout(within, speaks_http2(&stream)).await.ok()?.ok()?;
    Some((Stream::plain(stream), http2))
}

/// Waits until the worker stops, and for a while more.
async fn out_of_grace(worker: &Worker) {
    worker.stopped().await;
    tokio::time::sleep(GRACE).await;
}

/// A header section of HTTP/2 as its sender counts it: 32 bytes more per field (RFC 9113 section 6.5.2), and with the
/// target and the host, which `admit` counts otherwise. Beyond it nothing is decoded.
fn header_list(limits: &ClientLimits) -> u32 {
    let fields = limits.header_bytes + (limits.header_count + 5) * 32;
    u32::try_from(fields + limits.uri_bytes + 512).unwrap_or(u32::MAX)
}

/// Looks at the first bytes without taking them. No HTTP/1 method begins with `PRI `.
async fn speaks_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        if seen == 0 || first[..seen] != PREFACE[..seen] {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        // A preface in pieces: the bytes stay readable, so readiness alone would spin.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A connection of either protocol.
trait Connection: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

impl<S, B> Connection for http1::Connection<Io, S>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, B> Connection for http2::Connection<Io, S, Streams>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    Streams: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Drives a connection, and ends it when it is silent for too long or the worker stops.
async fn watch<C: Connection>(
    mut connection: Pin<&mut C>,
    worker: &Worker,
    life: &Life,
    limits: &ClientLimits,
) -> hyper::Result<()> {
    let mut stop = pin!(worker.stopped());
    let mut deadline = Deadline::new(Instant::now() + limits.header_timeout);
    let mut registered = false;
    let mut ending = Ending::No;
    poll_fn(move |cx: &mut Context<'_>| {
        // Registered once for this task's wake-up; after that a look at the flag is enough.
        if !registered {
            registered = true;
            let _ = stop.as_mut().poll(cx);
        }
        loop {
            // Before it is asked to finish: hyper closes an idle connection without a look at what has come.
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            if worker.is_stopping() && ending.is_due(life) {
                connection.as_mut().finish();
                continue;
            }
            if let Some(until) = life.stalled_until() {
                deadline.set(until);
                if deadline.poll(cx).is_pending() {
                    return Poll::Pending;
                }
                life.blame(ANSWER_TIMEOUT);
                return Poll::Ready(Ok(()));
            }
            let silent = match life.phase() {
                Phase::Busy => return Poll::Pending,
                Phase::Head(since) => since + limits.header_timeout,
                Phase::Idle(since) => since + limits.idle_timeout,
            };
            deadline.set(ending.sooner(silent));
            match deadline.poll(cx) {
                Poll::Ready(()) if ending.is_out_of_grace() => continue,
                Poll::Ready(()) if !life.give_up() => return Poll::Ready(Ok(())),
                _ => {}
            }
            if !life.has_given_up() {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// How far a connection is on its way to its end when the worker stops.
#[derive(Clone, Copy)]
enum Ending {
    No,
    /// Nothing is under way; a request may come until then.
    Grace(Instant),
    /// It has been asked to finish.
    Asked,
}

impl Ending {
    /// Whether the connection is to be asked to finish now, which is once.
    fn is_due(&mut self, life: &Life) -> bool {
        match (*self, life.phase()) {
            (Self::Asked, _) => return false,
            // It has better: GOAWAY says which requests are served.
            (_, Phase::Busy | Phase::Idle(_)) if life.is_http2() => {}
            // The answer says that it is the last; or it had begun before it could, and another request may come.
            (_, Phase::Busy) => return false,
            (Self::No, _) => {
                *self = Self::Grace(Instant::now() + GRACE);
                return false;
            }
            (Self::Grace(_), _) if !self.is_out_of_grace() => return false,
            (Self::Grace(_), _) => {}
        }
        *self = Self::Asked;
        true
    }

    fn is_out_of_grace(self) -> bool {
        matches!(self, Self::Grace(until) if Instant::now() >= until)
    }

    /// The earlier of an instant and the end of the grace.
    fn sooner(self, at: Instant) -> Instant {
        match self {
            Self::Grace(until) => at.min(until),
            Self::No | Self::Asked => at,
        }
    }
}
