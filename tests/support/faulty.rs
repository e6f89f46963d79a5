//! A real upstream behind a fault proxy, in one of three framings. What is asked under `/fault` meets the fault that was set
//! last, everything else meets none; every answer names what was asked, so that one that went astray is seen.

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    ops::Deref,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use gatehouse_faultproxy::{Act, Asked, Fault, FaultProxy, Script};
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};

use super::{RawUpstream, Upstream};

/// How the answers of the upstream are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    UntilClose,
}

/// A running one. It goes where an [`Upstream`] does.
pub(crate) struct Faulty {
    pub(crate) proxy: FaultProxy,
    place: Upstream,
    _upstream: Behind,
    state: Arc<Mutex<State>>,
}

/// What is kept alive.
#[allow(dead_code, reason = "it is only held")]
enum Behind {
    Hyper(Upstream),
    Raw(RawUpstream),
}

/// What the proxy is told.
struct Told(Arc<Mutex<State>>);

struct State {
    /// On every new connection.
    greeting: Option<Act>,
    fault: Fault,
    /// Requests that came.
    asked: usize,
    /// Connections on which something went wrong.
    spoiled: HashSet<usize>,
    /// Requests that came on one of them afterwards.
    reused: usize,
}

/// The body of an answer, by what was asked.
pub(crate) fn body_of(target: &str) -> String {
    format!("[{target}]").repeat(40)
}

impl Faulty {
    pub(crate) fn start(framing: Framing) -> Self {
        let upstream = match framing {
            Framing::Length => Behind::Hyper(Upstream::answering(|seen| match seen.target.contains("nothing") {
                true => Response::builder().status(204).body(Full::default()).unwrap(),
                false => Response::new(Full::new(body_of(&seen.target).into())),
            })),
            Framing::Chunked => Behind::Hyper(Upstream::streaming(|seen| {
                let body = Bytes::from(body_of(&seen.target));
                Response::new(Pieces(body.chunks(100).map(|piece| body.slice_ref(piece)).collect()).boxed())
            })),
            Framing::UntilClose => Behind::Raw(RawUpstream::ending(|mut raw| {
                let Some(request) = raw.request() else { return };
                raw.send(format!("HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\n{}", body_of(request.target())));
            })),
        };
        let address = match &upstream {
            Behind::Hyper(upstream) => upstream.address(),
            Behind::Raw(upstream) => upstream.address(),
        };
        let state = State { greeting: None, fault: Fault::none(), asked: 0, spoiled: HashSet::new(), reused: 0 };
        let state = Arc::new(Mutex::new(state));
        let proxy = FaultProxy::start(address, Told(state.clone())).unwrap();
        Self { place: Upstream::elsewhere(proxy.address()), proxy, _upstream: upstream, state }
    }

    /// What is to go wrong with requests under `/fault`.
    pub(crate) fn set(&self, fault: Fault) {
        self.state.lock().unwrap().fault = fault;
    }

    /// What is to become of new connections.
    pub(crate) fn greet(&self, act: Option<Act>) {
        self.state.lock().unwrap().greeting = act;
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    /// How many requests came on a connection on which something had gone wrong.
    pub(crate) fn reused(&self) -> usize {
        self.state.lock().unwrap().reused
    }
}

impl Script for Told {
    fn accepted(&self, _: usize) -> Option<Act> {
        self.0.lock().unwrap().greeting.clone()
    }

    fn asked(&self, asked: Asked<'_>) -> Fault {
        self.0.lock().unwrap().asked(asked)
    }
}

impl State {
    fn asked(&mut self, asked: Asked<'_>) -> Fault {
        self.asked += 1;
        self.reused += usize::from(self.spoiled.contains(&asked.connection));
        if !asked.target.contains("/fault") {
            return Fault::none();
        }
        self.spoiled.insert(asked.connection);
        self.fault.clone()
    }
}

impl Deref for Faulty {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.place
    }
}

/// A body in pieces, whose length nobody knows.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}
