//! One connection of HTTP/2, and the task that reads and writes it.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    net::IpAddr,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Ping, PingPong,
    client::{self, Builder, Connection, ResponseFuture, SendRequest},
};
use http::Request;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    task::spawn_local,
    time::{Instant, timeout},
};

use super::Stream;
use crate::{
    descriptors::{Place, Upstreams},
    failure::Failure,
    upstream::{
        endpoint::Endpoint,
        head,
        stream::{self, Dialed},
    },
};

/// Most requests on one connection at the same time, where the upstream lets so many.
pub(super) const STREAMS: usize = 100;

/// What the upstream may send of one answer that nobody has taken yet.
const WINDOW: u32 = 256 << 10;

/// The same of all answers of a connection: so much that clients which do not read theirs hold nobody else's up.
const WINDOWS: u32 = WINDOW * STREAMS as u32;

/// Bytes of a request's body that wait to be written.
const UNSENT: usize = 64 << 10;

/// How long an upstream that did not answer a request in time has to answer a PING.
const PONG: Duration = Duration::from_secs(5);

/// A connection.
pub(in crate::upstream) struct Channel {
    /// Only ever asked, or cloned: a clone waits for nobody but itself.
    sender: RefCell<SendRequest<Bytes>>,
    /// Requests on it.
    pub(super) active: Cell<usize>,
    /// Until when it is kept without any.
    pub(super) until: Cell<Instant>,
    /// The other end, where it was found by name.
    pub(super) peer: Option<IpAddr>,
    state: Rc<State>,
}

/// What a connection and its task tell each other.
struct State {
    /// A request has got no answer in time: no further one comes until a PING was answered.
    doubted: Cell<bool>,
    doubt: Notify,
    place: Place,
}

impl Channel {
    /// Opens one. `most` is for all of it, a handshake of TLS too.
    pub(in crate::upstream) async fn open(
        endpoint: &Endpoint,
        most: Duration,
        descriptors: &Upstreams,
    ) -> Result<Rc<Self>, Failure> {
        let (dialed, peer, place) = stream::dial(endpoint, most, descriptors).await?;
        let state = Rc::new(State { doubted: Cell::new(false), doubt: Notify::new(), place });
        let opening = async {
            match dialed {
                Dialed::Plain(stream) => shake(stream, state.clone()).await,
                Dialed::Tls(stream) => shake(stream, state.clone()).await,
            }
        };
        let opened = timeout(most, opening).await.map_err(|_| Failure::UpstreamConnectTimeout)?;
        let sender = opened.map_err(|error| Failure::UpstreamUnreachable(format!("{}: {error}", endpoint.name)))?;
        Ok(Rc::new(Self { sender: sender.into(), active: Cell::new(0), until: Cell::new(Instant::now()), peer, state }))
    }

    /// Whether it takes requests at all, now or later.
    pub(super) fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        matches!(self.sender.borrow_mut().poll_ready(&mut cx), Poll::Ready(Ok(())))
    }

    /// Whether it takes another request now.
    pub(super) fn has_room(&self) -> bool {
        let most = self.sender.borrow().current_max_send_streams().min(STREAMS);
        self.active.get() < most && !self.state.doubted.get() && self.is_open()
    }

    /// Whether it may be kept while it is not used.
    pub(super) fn may_be_kept(&self) -> bool {
        self.state.place.may_be_kept()
    }

    /// An upstream has not answered in time. Whether the connection lives at all is asked before it gets more.
    pub(super) fn doubt(&self) {
        if !self.state.doubted.replace(true) {
            self.state.doubt.notify_one();
        }
    }

    /// Begins a request.
    pub(super) async fn send(&self, request: Request<()>, ends: bool) -> Result<(ResponseFuture, Stream), h2::Error> {
        let sender = self.sender.borrow().clone();
        sender.ready().await?.send_request(request, ends)
    }
}

async fn shake<T>(stream: T, state: Rc<State>) -> Result<SendRequest<Bytes>, h2::Error>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = builder().handshake(stream).await?;
    spawn_local(drive(connection, state));
    Ok(sender)
}

fn builder() -> Builder {
    let mut builder = client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOWS)
        .max_header_list_size(head::BYTES as u32)
        .max_send_buffer_size(UNSENT);
    builder
}

/// Reads and writes a connection until it ends: by the upstream, or when nobody has it any more.
async fn drive<T>(mut connection: Connection<T, Bytes>, state: Rc<State>)
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut pings = connection.ping_pong();
    let mut silent = pin!(async {
        loop {
            state.doubt.notified().await;
            let Some(pings) = &mut pings else { return };
            if timeout(PONG, answers(pings)).await.is_err() {
                return;
            }
            state.doubted.set(false);
        }
    });
    // Dropping the connection breaks what is on it.
    poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        Poll::Ready(ended) => {
            if let Err(error) = ended {
                tracing::debug!("a connection to an upstream: {error}");
            }
            Poll::Ready(())
        }
        Poll::Pending => silent.as_mut().poll(cx),
    })
    .await;
}

/// Waits for the answer to a PING. That the connection has ended is seen elsewhere.
async fn answers(pings: &mut PingPong) {
    if pings.ping(Ping::opaque()).await.is_err() {
        std::future::pending::<()>().await;
    }
}
