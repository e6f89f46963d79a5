//! The life of a serving process: from its start to its last line.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use gatehouse::{Server, admin, clock::Clock, config::Config, logs, server::Gateway, watch, watch::Watch};
use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

/// Serves a file's configuration until it is told to stop.
pub(crate) fn run(file: &Path, stage: Option<&str>, watching: bool) -> anyhow::Result<()> {
    let config = Config::load_stage(file, stage)?;
    logs::start(&config.log);
    if let Some(stage) = stage {
        tracing::info!(stage, "the configuration of a stage");
    }
    serve(config, watching, |_| {})
}

/// Serves until it is told to stop. `began` is called once when it has begun.
pub(super) fn serve(config: Config, watching: bool, began: impl FnOnce(&Arc<Gateway>)) -> anyhow::Result<()> {
    let admin_address = config.admin;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // What is written past the limit of a file's size (`ulimit -f`) is an error as on a full disk, and no end.
    let _too_large = runtime.block_on(async { signal(SignalKind::from_raw(Signal::XFSZ.as_raw())) })?;
    let server = Server::start(config, Clock::default())?;
    let gateway = server.gateway().clone();
    // Before anybody is told that it serves: who is told may send a signal.
    let signals = runtime.block_on(async { Signals::new() })?;
    if let Some(address) = admin_address {
        let address = admin::start(address, gateway.clone())
            .with_context(|| format!("the admin address {address} cannot be had"))?;
        tracing::info!(%address, "admin: /metrics, /healthz, /readyz");
    }
    let watch = watching
        .then(|| watch::start(gateway.clone()))
        .transpose()
        .context("the configuration cannot be watched: `--no-watch` goes without")?;
    for (name, address) in server.addresses() {
        tracing::info!(%address, listener = name, "serving");
    }
    began(&gateway);
    runtime.block_on(signals.serve(gateway, watch));
    tracing::info!("stopping: no new connections, exchanges under way may end");
    server.stop();
    tracing::info!("stopped");
    logs::finish();
    Ok(())
}

/// The signals that the gateway listens to.
struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    /// From here on they do not end the process. Needs a runtime around it.
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Reloads on SIGHUP; returns on SIGTERM or SIGINT.
    async fn serve(mut self, gateway: Arc<Gateway>, watch: Option<Watch>) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => match &watch {
                    Some(watch) => watch.load(),
                    None => {
                        let gateway = gateway.clone();
                        std::thread::spawn(move || watch::reload(&gateway));
                    }
                },
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
            }
        }
    }
}
