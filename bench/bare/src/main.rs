//! The least that a proxy over hyper does: `bare-proxy LISTEN UPSTREAM`.
//!
//! One thread; a request goes to the upstream as it came, over a connection from a small pool, and the answer comes back
//! as it is. No routes, no time-outs, no forwarded headers, no hop-by-hop rules: not a proxy to use, but what the
//! gateway's cost per request is measured against.

use std::{cell::RefCell, env, net::SocketAddr, rc::Rc};

use anyhow::{Context as _, Result};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime,
    task::{LocalSet, spawn_local},
};

fn main() -> Result<()> {
    let mut args = env::args().skip(1).map(|arg| arg.parse::<SocketAddr>());
    let listen = args.next().context("usage: bare-proxy LISTEN UPSTREAM")??;
    let upstream = args.next().context("usage: bare-proxy LISTEN UPSTREAM")??;
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    LocalSet::new().block_on(&runtime, serve(listen, Rc::new(Upstream { address: upstream, idle: RefCell::default() })))
}

/// Serves each connection as a task of this thread.
async fn serve(listen: SocketAddr, upstream: Rc<Upstream>) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let upstream = upstream.clone();
        spawn_local(async move {
            let service = service_fn(|request| upstream.send(request));
            let _ = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The upstream with its connections.
struct Upstream {
    address: SocketAddr,
    /// All connections that are not waiting for the header section of an answer. One whose last body is still on its way
    /// is not ready.
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

impl Upstream {
    async fn send(&self, request: Request<Incoming>) -> Result<Response<Incoming>> {
        let mut sender = match self.ready() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let response = sender.send_request(request).await?;
        self.idle.borrow_mut().push(sender);
        Ok(response)
    }

    /// A connection that can be used at once, the one used last first.
    fn ready(&self) -> Option<SendRequest<Incoming>> {
        let mut idle = self.idle.borrow_mut();
        let index = idle.iter().rposition(SendRequest::is_ready)?;
        Some(idle.swap_remove(index))
    }

    async fn connect(&self) -> Result<SendRequest<Incoming>> {
        self.idle.borrow_mut().retain(|sender| !sender.is_closed());
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        Ok(sender)
    }
}
