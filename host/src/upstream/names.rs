//! The addresses of an endpoint that is known by name: asked for anew each `resolve_interval`, while it is used, beside the
//! workers. Until the resolver says something else, what it said last holds: also when it fails.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::Notify,
    task::spawn_local,
    time::{Instant, timeout},
};

use super::endpoint::millis;

/// A name with what is known of it. Shared by all workers.
#[derive(Debug)]
pub(super) struct Names {
    host: String,
    port: u16,
    interval: Duration,
    /// Empty until the resolver has said something.
    last: ArcSwap<Vec<SocketAddr>>,
    /// When the resolver has last said something, or failed, in milliseconds.
    asked: AtomicU64,
    asking: AtomicBool,
    told: Notify,
    /// Whose turn it is to be the first.
    turn: AtomicUsize,
}

impl Names {
    /// None for an address, of which there is nothing to be asked.
    pub(super) fn new(host: &str, port: u16, interval: Duration) -> Option<Arc<Self>> {
        let none = ArcSwap::new(Arc::default());
        let new = || Self {
            host: host.to_owned(),
            port,
            interval,
            last: none,
            asked: AtomicU64::new(0),
            asking: AtomicBool::new(false),
            told: Notify::new(),
            turn: AtomicUsize::new(0),
        };
        host.parse::<IpAddr>().is_err().then(|| Arc::new(new()))
    }

    /// How old what is known may become.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Connects to one of its addresses: the first that lets. Each may take its part of the time.
    pub(super) async fn connect(self: &Arc<Self>, most: Duration) -> io::Result<TcpStream> {
        let end = Instant::now() + most;
        let addresses = self.addresses(most).await?;
        let Some((last, others)) = addresses.split_last() else { return Err(io::ErrorKind::NotFound.into()) };
        for (at, address) in others.iter().enumerate() {
            let left = end.saturating_duration_since(Instant::now());
            let part = left / (addresses.len() - at) as u32;
            if let Ok(Ok(stream)) = timeout(part, TcpStream::connect(address)).await {
                return Ok(stream);
            }
        }
        TcpStream::connect(last).await
    }

    /// Whether a connection to that address is one to this name still.
    pub(super) fn has(&self, peer: Option<IpAddr>) -> bool {
        let last = self.last.load();
        last.is_empty() || peer.is_none_or(|peer| last.iter().any(|address| address.ip() == peer))
    }

    /// Has the resolver asked if it is time, and does not wait for it.
    pub(super) fn keep_up(self: &Arc<Self>, now: Instant) {
        if self.is_due(now) {
            self.ask();
        }
    }

    /// All of them, in the order in which they are to be tried. What is due is waited for, but no longer than half of the time
    /// where something is known: that is better than nothing.
    async fn addresses(self: &Arc<Self>, most: Duration) -> io::Result<Vec<SocketAddr>> {
        let unknown = self.last.load().is_empty();
        if unknown || self.is_due(Instant::now()) {
            let told = self.told.notified();
            let asked_by_another = !self.ask();
            if unknown || !asked_by_another {
                let _ = timeout(if unknown { most } else { most / 2 }, told).await;
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        match in_turn(&self.last.load(), turn) {
            none if none.is_empty() => Err(io::Error::new(io::ErrorKind::NotFound, "its name cannot be resolved")),
            found => Ok(found),
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        let age = millis(now).saturating_sub(self.asked.load(Ordering::Relaxed));
        u128::from(age) >= self.interval.as_millis()
    }

    /// Has the resolver asked, and `told` rung when it has answered. Whether nobody has done so already.
    fn ask(self: &Arc<Self>) -> bool {
        if self.asking.swap(true, Ordering::Relaxed) {
            return false;
        }
        let asking = Asking(self.clone());
        spawn_local(async move {
            let names = &*asking.0;
            if let Err(error) = names.resolve().await {
                let then = if names.last.load().is_empty() { "" } else { "; its last addresses go on to serve" };
                tracing::warn!(host = &*names.host, "cannot be resolved{then}: {error}");
            }
        });
        true
    }

    async fn resolve(&self) -> io::Result<()> {
        let found = lookup_host((&*self.host, self.port)).await.map(Iterator::collect::<Vec<_>>);
        self.asked.store(millis(Instant::now()), Ordering::Relaxed);
        let found = found?;
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
        }
        let before = self.last.swap(Arc::new(found.clone()));
        let differs = found.len() != before.len() || before.iter().any(|old| !found.contains(old));
        if !before.is_empty() && differs {
            tracing::info!(host = &*self.host, "has other addresses than before: {found:?}");
        }
        Ok(())
    }
}

/// While it lives, nobody else asks.
struct Asking(Arc<Names>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.store(false, Ordering::Relaxed);
        self.0.told.notify_waiters();
    }
}

/// Those of the family that the system puts first each in turn, then the others (RFC 6724).
fn in_turn(addresses: &[SocketAddr], turn: usize) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (mut same, others): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv4() == first.is_ipv4());
    let start = turn % same.len();
    same.rotate_left(start);
    same.extend(others);
    same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_first_family_take_turns() {
        let addresses: Vec<SocketAddr> =
            ["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1"].map(|text| text.parse().expect("an address")).to_vec();
        let order = |turn| in_turn(&addresses, turn).iter().map(|address| address.ip().to_string()).collect::<Vec<_>>();
        assert_eq!(order(0), ["::1", "::2", "127.0.0.1", "127.0.0.2"]);
        assert_eq!(order(1), ["::2", "::1", "127.0.0.1", "127.0.0.2"]);
        assert_eq!(order(2), order(0));
        assert!(in_turn(&[], 3).is_empty());
    }

    #[test]
    fn an_address_is_no_name() {
        for address in ["127.0.0.1", "::1"] {
            assert!(Names::new(address, 1, Duration::from_secs(1)).is_none());
        }
        assert!(Names::new("localhost", 1, Duration::from_secs(1)).is_some());
    }
}
