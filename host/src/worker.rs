//! A worker: one thread, one single-threaded runtime, its own listening sockets and upstream connections. Workers share
//! only what [`Gateway`] holds.

use std::{
    cell::Cell,
    net::{SocketAddr, TcpListener as StdListener},
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    runtime::LocalRuntime,
    sync::{Notify, OwnedSemaphorePermit, watch},
    time::{Instant, timeout},
};

use crate::{
    clients::Seat,
    connection::{self, Rooms},
    edge,
    overload::{self, Strain},
    panics,
    server::{BACKLOG, Gateway},
    upstream::Pools,
};

/// How long accepting rests when the system has no descriptor left.
pub(crate) const ACCEPT_REST: Duration = Duration::from_millis(50);

/// So much time lies between two warnings that clients wait.
const WARNINGS: Duration = Duration::from_secs(10);

/// What a worker's tasks share.
pub(crate) struct Worker {
    /// Its number, from 0.
    pub(crate) index: usize,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) upstreams: Pools,
    pub(crate) strain: Strain,
    /// Where exchanges are kept while they are under way.
    pub(crate) rooms: Rooms,
    busy: Cell<usize>,
    /// Rung when nothing is under way any more.
    empty: Notify,
    /// Since when it has been stopping.
    stopping: Cell<Option<Instant>>,
    /// Rung when it begins to stop.
    stop: Notify,
}

impl Worker {
    /// Whether it has been told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get().is_some()
    }

    /// Waits until it is told to stop; tells when that was.
    pub(crate) async fn stopping_since(&self) -> Instant {
        self.stopped().await;
        self.stopping.get().unwrap_or_else(Instant::now)
    }

    /// Waits until it is told to stop.
    pub(crate) async fn stopped(&self) {
        let rung = self.stop.notified();
        if !self.is_stopping() {
            rung.await;
        }
    }

    /// Keeps the worker from ending for as long as the answer lives, within the drain's time.
    pub(crate) fn busy(self: &Rc<Self>) -> Busy {
        self.busy.set(self.busy.get() + 1);
        Busy(self.clone())
    }
}

/// Something that a worker has to end before it may: a connection, or loggers at work.
pub(crate) struct Busy(Rc<Worker>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
        if self.0.busy.get() == 0 {
            self.0.empty.notify_waiters();
        }
    }
}

/// Serves until it is told to stop, then until the last connection is gone or the drain's time is over.
pub(crate) fn run(
    index: usize,
    gateway: Arc<Gateway>,
    listeners: Vec<StdListener>,
    stopping: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let runtime = LocalRuntime::new()?;
    let worker = Rc::new(Worker {
        index,
        upstreams: Pools::new(gateway.descriptors.upstreams.clone()),
        gateway,
        strain: Strain::default(),
        rooms: Rooms::default(),
        busy: Cell::new(0),
        empty: Notify::new(),
        stopping: Cell::new(None),
        stop: Notify::new(),
    });
    runtime.block_on(async move {
        tokio::task::spawn_local(stop(worker.clone(), stopping));
        let watched = worker.clone();
        tokio::task::spawn_local(async move { overload::watch(&watched).await });
        let mut accepting = Vec::new();
        for (index, listener) in listeners.into_iter().enumerate() {
            let listener = TcpListener::from_std(listener)?;
            accepting.push(tokio::task::spawn_local(accept(worker.clone(), index, listener)));
        }
        for task in accepting {
            // A task that panicked has closed its socket; the other workers go on.
            let _ = task.await;
        }
        drain(&worker).await;
        Ok(())
    })
}

/// Passes the process's word on to this worker's tasks.
async fn stop(worker: Rc<Worker>, mut stopping: watch::Receiver<bool>) {
    // An error means that the server is gone, which is as good a reason to stop.
    let _ = stopping.wait_for(|stop| *stop).await;
    worker.stopping.set(Some(Instant::now()));
    worker.stop.notify_waiters();
}

async fn drain(worker: &Worker) {
    let most = worker.gateway.snapshot().config.server.drain_timeout;
    let emptied = async {
        while worker.busy.get() > 0 {
            worker.empty.notified().await;
        }
    };
    if timeout(most, emptied).await.is_err() {
        let left = worker.busy.get();
        tracing::warn!(worker = worker.index, "{left} connections or loggers are cut off after `drain_timeout`");
    }
}

/// Accepts what comes to a listener, by its index in the configuration.
async fn accept(worker: Rc<Worker>, index: usize, listener: TcpListener) {
    let (mut warned, mut crowded) = (None, None);
    while !worker.is_stopping() {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = worker.stopped() => break,
        };
        match accepted {
            Ok((stream, address)) => {
                let Some(seat) = seat(&worker, address, &mut crowded) else { continue };
                let place = tokio::select! {
                    biased;
                    place = place(&worker, &mut warned) => place,
                    () = worker.stopped() => None,
                };
                open(&worker, index, stream, address, (seat, place));
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    // Connections that the system has already taken for us are served; only then the socket is closed. The system is asked,
    // not the runtime, which may not know of them yet; no more often than it keeps some, for others may follow.
    let Ok(listener) = listener.into_std() else { return };
    for (stream, address) in (0..BACKLOG).map_while(|_| listener.accept().ok()) {
        if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
            open(&worker, index, stream, address, (None, None));
        }
    }
}

/// A connection of a client's own, if it may have one more. Proxies that are trusted bring others', and may have any number.
fn seat(worker: &Worker, address: SocketAddr, warned: &mut Option<Instant>) -> Option<Option<Seat>> {
    let snapshot = worker.gateway.snapshot();
    if edge::is_trusted(address.ip(), &snapshot.config.server.trusted_proxies) {
        return Some(None);
    }
    let seat = worker.gateway.clients.seat(address.ip(), snapshot.config.limits.connections_per_client);
    if seat.is_none() {
        worker.gateway.metrics.client_ended("connections");
        if warned.is_none_or(|last| last.elapsed() > WARNINGS) {
            *warned = Some(Instant::now());
            tracing::warn!(client = %address.ip(), "a client has all the connections that it may: more are closed");
        }
        return None;
    }
    Some(seat)
}

/// One of the descriptors for clients, once there is one. Those who come later wait in the system's queue.
async fn place(worker: &Worker, warned: &mut Option<Instant>) -> Option<OwnedSemaphorePermit> {
    let clients = &worker.gateway.descriptors.clients;
    if let Ok(place) = clients.clone().try_acquire_owned() {
        return Some(place);
    }
    worker.gateway.metrics.client_waits();
    if warned.is_none_or(|last| last.elapsed() > WARNINGS) {
        *warned = Some(Instant::now());
        tracing::warn!("clients wait for each other: there are no more descriptors for them (`ulimit -n`)");
    }
    clients.clone().acquire_owned().await.ok()
}

fn open(
    worker: &Rc<Worker>,
    listener: usize,
    stream: TcpStream,
    address: SocketAddr,
    places: (Option<Seat>, Option<OwnedSemaphorePermit>),
) {
    let busy = worker.busy();
    let worker = worker.clone();
    tokio::task::spawn_local(async move {
        if let Err(panicked) = panics::catching(pin!(connection::serve(worker, listener, stream, address))).await {
            tracing::error!(client = %address, "a connection {panicked}");
        }
        drop((busy, places));
    });
}
