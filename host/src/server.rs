//! A running gateway: its workers, the configuration they serve, and how that is replaced.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use arc_swap::ArcSwap;
use socket2::{Domain, Socket, Type};
use tokio::sync::watch;

use crate::{
    clients::Clients,
    clock::Clock,
    config::{Config, Listener, Problem, Problems, Source},
    descriptors::Descriptors,
    lock::lock,
    metrics::Metrics,
    overload::{self, Loads},
    panics,
    snapshot::Snapshot,
    state::{Keeper, State},
    worker,
};

/// Connections that the system may take for a socket before we do.
pub(crate) const BACKLOG: i32 = 4096;

/// What all workers share.
pub struct Gateway {
    serving: ArcSwap<Snapshot>,
    /// Counters.
    pub metrics: Metrics,
    pub(crate) descriptors: Descriptors,
    pub(crate) clients: Arc<Clients>,
    pub(crate) loads: Arc<Loads>,
    clock: Clock,
    /// One load at a time. The files that the last configuration named, loaded or not.
    loading: Mutex<Vec<PathBuf>>,
}

impl Gateway {
    /// The configuration that new requests are served by.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.serving.load_full()
    }

    /// Reads the configuration's file again and loads everything that has changed. When all of it is good, new requests
    /// are served by it, and the answer is its generation; else nothing changes.
    ///
    /// Compiles: never called on a worker.
    pub fn reload(&self) -> Result<u64, Problems> {
        let mut named = lock(&self.loading);
        let serving = self.snapshot();
        let load = || {
            Config::load_stage(&serving.config.source.name, serving.config.source.stage.as_deref())
                .inspect(|config| *named = config.files().collect())
                .and_then(|config| unchangeable(&serving.config, config))
                .and_then(|config| Snapshot::load(config, Some(&serving), &self.metrics, &self.clock))
        };
        let loaded = panics::catch(load).unwrap_or_else(|panicked| {
            let source = Source::new(&serving.config.source.name, "");
            Err(Problems::new(source, vec![Problem::at(0..0, format!("the loader {panicked}"))]))
        });
        let generation = loaded.as_ref().map_or(serving.generation, |snapshot| snapshot.generation);
        self.metrics.reloaded(loaded.is_ok(), generation);
        let loaded = Arc::new(loaded?);
        loaded.check_endpoints(&self.descriptors.upstreams);
        self.serving.store(loaded);
        Ok(generation)
    }

    /// The time since the gateway's clock began.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Every file that what serves depends on, and what was refused: it may be mended by a file that comes later.
    pub fn files(&self) -> Vec<PathBuf> {
        let snapshot = self.snapshot();
        let mut files = lock(&self.loading).clone();
        files.push(snapshot.config.source.name.clone());
        files.extend(snapshot.config.files());
        files.extend(snapshot.documents.iter().cloned());
        files
    }
}

/// What a running process cannot change is refused rather than ignored.
fn unchangeable(old: &Config, new: Config) -> Result<Config, Problems> {
    let mut problems = Vec::new();
    let mut restart = |changed: bool, path: &[&str], what: &str| {
        if changed {
            let at = new.source.locate(path);
            problems.push(Problem::at(at, format!("{what} cannot change while the gateway runs: restart it")));
        }
    };
    // What they do with TLS can: a connection takes what its snapshot says.
    let addresses = |config: &Config| -> Vec<_> {
        config.listeners.iter().map(|listener| (listener.name.clone(), listener.address)).collect()
    };
    restart(addresses(old) != addresses(&new), &["listeners"], "listeners");
    restart(old.server.workers != new.server.workers, &["server", "workers"], "`workers`");
    restart(old.server.state != new.server.state, &["server", "state"], "`state`");
    restart(old.admin != new.admin, &["admin", "address"], "the admin address");
    match problems.is_empty() {
        true => Ok(new),
        false => Err(Problems::new(new.source, problems)),
    }
}

/// A gateway that serves.
pub struct Server {
    gateway: Arc<Gateway>,
    addresses: Vec<(String, SocketAddr)>,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<io::Result<()>>>,
    /// Writes down how quotas stand.
    keeper: Option<Keeper>,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration or a plugin is not good.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// A listener's address cannot be had.
    #[error("listener `{name}` cannot listen on {address}: {error}")]
    Listen {
        /// Of the listener.
        name: String,
        /// The address it should have.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The folder of `server.state` cannot be had.
    #[error("`server.state`, {}: {error}", folder.display())]
    State {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a worker: {0}")]
    Thread(io::Error),
}

impl Server {
    /// Loads everything, listens, and serves on threads of its own.
    pub fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        panics::observe();
        let metrics = Metrics::default();
        let snapshot = Snapshot::load(config, None, &metrics, &clock)?;
        metrics.reloaded(true, snapshot.generation);
        let state = open_state(&snapshot)?;
        let (workers, mut sockets, addresses) = listen(&snapshot.config)?;
        let descriptors = Descriptors::of_process(workers, addresses.len());
        snapshot.check_endpoints(&descriptors.upstreams);
        let serving = ArcSwap::from_pointee(snapshot);
        let clients = Clients::of(descriptors.clients.available_permits());
        let loads = Loads::new(workers);
        metrics.loads(&loads);
        let loading = Mutex::default();
        let gateway = Arc::new(Gateway { serving, metrics, descriptors, clients, loads, clock, loading });
        overload::watch_memory(Arc::downgrade(&gateway)).map_err(StartError::Thread)?;
        let (stop, stopping) = watch::channel(false);
        let workers = (0..workers)
            .map(|index| {
                let (gateway, stopping) = (gateway.clone(), stopping.clone());
                let sockets = std::mem::take(&mut sockets[index]);
                let thread = thread::Builder::new().name(format!("worker-{index}"));
                thread.spawn(move || worker::run(index, gateway, sockets, stopping)).map_err(StartError::Thread)
            })
            .collect::<Result<_, _>>()?;
        let keeper =
            state.map(|state| Keeper::start(state, gateway.clone())).transpose().map_err(StartError::Thread)?;
        Ok(Self { gateway, addresses, stop, workers, keeper })
    }

    /// What the workers share.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Where the listeners really listen, by name.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Stops accepting, lets exchanges under way end within `drain_timeout`, and waits for all of it.
    pub fn stop(self) {
        self.stop.send_replace(true);
        for worker in self.workers {
            match worker.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("a worker ended with {error}"),
                Err(_) => tracing::error!("a worker panicked"),
            }
        }
        self.gateway.snapshot().plugins.iter().for_each(|plugin| plugin.flush());
        drop(self.keeper);
    }
}

/// How quotas stood when the last process ended.
fn open_state(snapshot: &Snapshot) -> Result<Option<State>, StartError> {
    let Some(folder) = &snapshot.config.server.state else {
        if snapshot.quotas().any(|quota| quota.redis.is_none()) {
            tracing::warn!("a restart forgets how quotas stand: `server.state` names a folder to keep it");
        }
        return Ok(None);
    };
    let state = State::open(folder).map_err(|error| StartError::State { folder: folder.clone(), error })?;
    state.restore(snapshot.quotas());
    Ok(Some(state))
}

type Listening = (usize, Vec<Vec<TcpListener>>, Vec<(String, SocketAddr)>);

/// A socket for every listener and worker; the system spreads connections over them.
fn listen(config: &Config) -> Result<Listening, StartError> {
    let workers = config.server.workers;
    let mut sockets: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
    let mut addresses = Vec::new();
    for listener in &config.listeners {
        let failed = |error| StartError::Listen { name: listener.name.clone(), address: listener.address, error };
        let address = bind_all(listener, &mut sockets).map_err(failed)?;
        addresses.push((listener.name.clone(), address));
    }
    Ok((workers, sockets, addresses))
}

fn bind_all(listener: &Listener, sockets: &mut [Vec<TcpListener>]) -> io::Result<SocketAddr> {
    // With SO_REUSEPORT a second gateway would silently share the port; without it the system tells.
    if listener.address.port() != 0 {
        socket(listener.address, false)?;
    }
    let mut address = listener.address;
    for of_worker in sockets {
        let socket = socket(address, true)?;
        socket.listen(BACKLOG)?;
        let bound: TcpListener = socket.into();
        address = bound.local_addr()?;
        of_worker.push(bound);
    }
    Ok(address)
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
