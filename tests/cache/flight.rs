//! Single flight: who asks the same at the same time waits for one call. The plugin's calls go out to an upstream that
//! holds its answers back, so a call is under way for as long as a test wants.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::TcpStream,
    sync::{
        Semaphore, SemaphorePermit,
        mpsc::{UnboundedReceiver, unbounded_channel},
    },
};

use super::{asked, hits};
use crate::support::{Gateway, Upstream};

/// One HTTP/2 connection: what is sent on it is begun with in the order of sending.
pub(super) struct Line {
    sender: SendRequest<Empty<Bytes>>,
    address: SocketAddr,
}

impl Line {
    pub(super) async fn open(gateway: &Gateway) -> Self {
        let stream = TcpStream::connect(gateway.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, address: gateway.address() }
    }

    /// Sends a GET. The future is the answer's status.
    pub(super) fn send(&mut self, path: &str, headers: &[(&str, &str)]) -> impl Future<Output = u16> + use<> {
        let mut request = Request::get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.sender.send_request(request.body(Empty::new()).unwrap());
        async {
            let response = response.await.unwrap();
            let status = response.status().as_u16();
            response.into_body().collect().await.unwrap();
            status
        }
    }

    /// Comes back when the one worker has begun with all that was sent before: a request without plugins went through.
    async fn fence(&mut self) {
        assert_eq!(self.send("/fence", &[]).await, 200);
    }
}

/// An upstream that does not end its answers to `/slow...` before it may.
struct Slow {
    upstream: Upstream,
    asked: UnboundedReceiver<()>,
    gate: Arc<Semaphore>,
}

impl Slow {
    fn start() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let (tell, asked) = unbounded_channel();
        let held = gate.clone();
        let upstream = Upstream::streaming(move |seen| {
            if !seen.target.starts_with("/slow") {
                return Response::new(Empty::new().boxed());
            }
            // Nobody listens any more when the test has seen enough.
            let _ = tell.send(());
            let gate = held.clone();
            let held = async move { gate.acquire().await.map_or((), SemaphorePermit::forget) };
            Response::new(Held(Box::pin(held)).boxed())
        });
        Self { upstream, asked, gate }
    }

    /// Waits until it was asked so often more.
    async fn was_asked(&mut self, times: usize) {
        for _ in 0..times {
            self.asked.recv().await.unwrap();
        }
    }

    /// Ends all answers, those to come too.
    fn answer(&self) {
        self.gate.close();
    }

    /// How often it was asked in all.
    fn times_asked(&self) -> usize {
        self.upstream.seen().iter().filter(|seen| seen.target.starts_with("/slow")).count()
    }

    /// A gateway that calls it for every verdict; the header `x-calls` says what to call instead.
    fn gateway(&self, max_age: &str) -> Gateway {
        let text = "[plugins.p]\ncomponent = \"{guests}/probe-calls.wasm\"\n\
                    grants = { http = [\"http://{upstream}\"], keyvalue = true, output = \"stdout\" }\n\
                    limits = { time = \"20s\", cpu = \"1s\" }\n[plugins.p.config]\n\
                    calls = [\"http:http://{upstream}/slow\"]\ncalls_header = \"x-calls\"\n";
        let routes = "\n[routes.x]\nupstream = \"up\"\nplugins = [\"p\"]\n[routes.fence]\npath = \"/fence\"\nupstream = \"up\"\n";
        Gateway::start(&(text.to_owned() + max_age + routes), &self.upstream)
    }

    /// The value of `x-calls` for a call of its own.
    fn call(&self, path: &str) -> String {
        format!("http:http://{}{path}", self.upstream.address())
    }
}

/// An empty body that ends when a future does.
struct Held(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.0.as_mut().poll(cx));
        Poll::Ready(None)
    }
}

const KEPT: &str = "max_age = 60";

#[tokio::test]
async fn a_hundred_who_ask_the_same_are_one_call() {
    let mut slow = Slow::start();
    let gateway = slow.gateway(KEPT);
    let mut line = Line::open(&gateway).await;
    let mut answers = vec![line.send("/", &[])];
    slow.was_asked(1).await;
    answers.extend((0..99).map(|_| line.send("/", &[])));
    line.fence().await;
    slow.answer();
    for answer in answers {
        assert_eq!(answer.await, 200);
    }
    assert_eq!((asked(&gateway), hits(&gateway), slow.times_asked()), (1, 99, 1));
}

#[tokio::test]
async fn a_hundred_who_ask_for_an_expired_verdict_are_one_call() {
    let mut slow = Slow::start();
    let gateway = slow.gateway(KEPT);
    let mut line = Line::open(&gateway).await;
    slow.gate.add_permits(1);
    assert_eq!((line.send("/", &[]).await, slow.times_asked()), (200, 1));
    gateway.pass(60);
    let answers: Vec<_> = (0..100).map(|_| line.send("/", &[])).collect();
    slow.was_asked(2).await;
    line.fence().await;
    slow.answer();
    for answer in answers {
        assert_eq!(answer.await, 200);
    }
    assert_eq!((asked(&gateway), hits(&gateway), slow.times_asked()), (2, 99, 2));
}

#[tokio::test]
async fn a_hundred_who_ask_differently_are_a_hundred_calls_at_once() {
    let mut slow = Slow::start();
    let gateway = slow.gateway(KEPT);
    let mut line = Line::open(&gateway).await;
    // What it reads is known from here on.
    assert_eq!(line.send("/", &[("x-calls", &slow.call("/quick"))]).await, 200);
    let calls = (0..100).map(|number| slow.call(&format!("/slow/{number}")));
    let answers: Vec<_> = calls.map(|call| line.send("/", &[("x-calls", &call)])).collect();
    slow.was_asked(100).await;
    slow.answer();
    for answer in answers {
        assert_eq!(answer.await, 200);
    }
    assert_eq!((asked(&gateway), hits(&gateway)), (101, 0));
}

#[tokio::test]
async fn those_who_ask_differently_at_the_very_first_wait_for_one_call_only() {
    let mut slow = Slow::start();
    let gateway = slow.gateway(KEPT);
    let mut line = Line::open(&gateway).await;
    let first = line.send("/", &[("x-calls", &slow.call("/slow/first"))]);
    slow.was_asked(1).await;
    let calls = (0..20).map(|number| slow.call(&format!("/slow/{number}")));
    let answers: Vec<_> = calls.map(|call| line.send("/", &[("x-calls", &call)])).collect();
    line.fence().await;
    slow.gate.add_permits(1);
    assert_eq!(first.await, 200);
    slow.was_asked(20).await;
    slow.answer();
    for answer in answers {
        assert_eq!(answer.await, 200);
    }
    assert_eq!((asked(&gateway), hits(&gateway)), (21, 0));
}

#[tokio::test]
async fn a_hundred_who_wait_for_a_call_that_fails_each_get_an_answer() {
    let mut slow = Slow::start();
    let gateway = slow.gateway(KEPT);
    let mut line = Line::open(&gateway).await;
    let failing = slow.call("/slow") + " nonsense:1";
    let answers: Vec<_> = (0..100).map(|_| line.send("/", &[("x-calls", &failing)])).collect();
    slow.was_asked(1).await;
    line.fence().await;
    assert_eq!(slow.times_asked(), 1);
    slow.answer();
    for answer in answers {
        assert_eq!(answer.await, 500);
    }
    assert_eq!((slow.times_asked(), asked(&gateway), hits(&gateway)), (100, 0, 0));
}

#[tokio::test]
async fn a_hundred_who_wait_for_a_verdict_that_is_not_kept_each_get_their_own() {
    let mut slow = Slow::start();
    let gateway = slow.gateway("");
    let mut line = Line::open(&gateway).await;
    let answers: Vec<_> = (0..100).map(|_| line.send("/", &[])).collect();
    slow.was_asked(1).await;
    line.fence().await;
    slow.gate.add_permits(1);
    // Not one after the other.
    slow.was_asked(99).await;
    slow.answer();
    for answer in answers {
        assert_eq!(answer.await, 200);
    }
    assert_eq!((asked(&gateway), hits(&gateway)), (100, 0));
}

#[tokio::test]
async fn when_the_one_who_asks_leaves_another_takes_over() {
    let mut slow = Slow::start();
    let gateway = slow.gateway(KEPT);
    let first = tokio::spawn(gateway.get("/").outcome());
    slow.was_asked(1).await;
    let mut line = Line::open(&gateway).await;
    let answers: Vec<_> = (0..10).map(|_| line.send("/", &[])).collect();
    line.fence().await;
    first.abort();
    slow.was_asked(1).await;
    line.fence().await;
    slow.answer();
    for answer in answers {
        assert_eq!(answer.await, 200);
    }
    assert_eq!((asked(&gateway), hits(&gateway), slow.times_asked()), (1, 9, 2));
}

#[tokio::test]
async fn two_routes_never_wait_for_one_another() {
    let mut slow = Slow::start();
    let gateway = slow.gateway(KEPT);
    let text = std::fs::read_to_string(gateway.file("gatehouse.toml")).unwrap();
    let route = "\n[routes.y]\npath = \"/y\"\nupstream = \"up\"\nplugins = [\"p\"]\n";
    gateway.reload(&(text + route), &slow.upstream).unwrap();
    let mut line = Line::open(&gateway).await;
    let answers = [line.send("/x", &[]), line.send("/y", &[])];
    slow.was_asked(2).await;
    slow.answer();
    for answer in answers {
        assert_eq!(answer.await, 200);
    }
    assert_eq!(asked(&gateway), 2);
}
