//! A fault proxy: it stands between the gateway and a real upstream, and does to an exchange what a script says. It resets,
//! closes or stalls the connection at any place of a message, and says what nobody asked for.
//!
//! The answer is the upstream's own, read whole, so that places in it (within a chunk's size, before the last chunk) can
//! be named. Each connection has a thread; what goes wrong on a connection ends it and nothing else.

mod fault;
mod message;
mod serve;
mod wire;

pub use fault::{Act, Fault, Place};

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use wire::Wire;

/// A request that came through.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The path with its query.
    pub target: &'a str,
    /// The number of its connection, from 0.
    pub connection: usize,
    /// Which one on its connection, from 0.
    pub exchange: usize,
}

/// What is to go wrong.
pub trait Script: Send + Sync + 'static {
    /// On a new connection, before anything is read: [`Act::Reset`] and [`Act::Close`] end it.
    fn accepted(&self, _connection: usize) -> Option<Act> {
        None
    }

    /// With a request, of which the header section is there.
    fn asked(&self, asked: Asked<'_>) -> Fault;
}

impl<F: Fn(Asked<'_>) -> Fault + Send + Sync + 'static> Script for F {
    fn asked(&self, asked: Asked<'_>) -> Fault {
        self(asked)
    }
}

/// A running one. Takes no more connections once it is dropped.
pub struct FaultProxy {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl FaultProxy {
    /// Starts one on a port of its own.
    pub fn start(upstream: SocketAddr, script: impl Script) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let this = Self {
            address: listener.local_addr()?,
            connections: Arc::default(),
            open: Arc::default(),
            stopped: Arc::default(),
        };
        let (connections, open, stopped) = (this.connections.clone(), this.open.clone(), this.stopped.clone());
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let (script, open) = (script.clone(), Open::new(&open));
                thread::spawn(move || {
                    let _open = open;
                    // An error is an end of the connection like another.
                    let _ = Wire::over(stream).and_then(|wire| serve::serve(wire, upstream, &*script, number));
                });
            }
        });
        Ok(this)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections were made to it so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many of them have not ended.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// Counts a connection for as long as it is open.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::SeqCst);
        Self(open.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
