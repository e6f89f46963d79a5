//! How many connections each client has, over all workers: none can take all there may be.
//!
//! A client is an address, of IPv6 its network of 64 bits, as for rate limits. There is an entry for who is connected, and for
//! nobody else.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
};

use crate::lock::lock;

/// Parts, each with its own lock, so that workers seldom meet.
const PARTS: usize = 16;

/// So many a client may have in any case.
const LEAST: usize = 100;

/// Who is connected.
#[derive(Debug)]
pub(crate) struct Clients {
    parts: [Mutex<HashMap<IpAddr, usize>>; PARTS],
    hasher: RandomState,
    /// Where the configuration does not say.
    most: usize,
}

/// A connection of a client, for as long as it lives.
pub(crate) struct Seat {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    /// Shares so many connections out.
    pub(crate) fn of(all: usize) -> Arc<Self> {
        let most = (all / 4).max(LEAST);
        Arc::new(Self { parts: Default::default(), hasher: RandomState::new(), most })
    }

    /// One more for a client, unless it has as many as it may.
    pub(crate) fn seat(self: &Arc<Self>, address: IpAddr, most: Option<usize>) -> Option<Seat> {
        let client = network(address);
        let mut part = lock(self.part(client));
        let count = part.entry(client).or_default();
        if *count >= most.unwrap_or(self.most) {
            return None;
        }
        *count += 1;
        drop(part);
        Some(Seat { clients: self.clone(), client })
    }

    fn part(&self, client: IpAddr) -> &Mutex<HashMap<IpAddr, usize>> {
        &self.parts[self.hasher.hash_one(client) as usize % PARTS]
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut part = lock(self.clients.part(self.client));
        if let Entry::Occupied(mut entry) = part.entry(self.client) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// Who has an IPv6 address has a network of 64 bits full of them (RFC 6177): it counts as one client.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_what_it_may_and_leaves_nothing_behind() {
        let clients = Clients::of(0);
        let seat = |text: &str| clients.seat(text.parse().unwrap(), Some(2));
        let (one, two) = (seat("2001:db8:1:2::1").unwrap(), seat("2001:db8:1:2:ffff::9").unwrap());
        assert!(seat("2001:db8:1:2::1").is_none() && seat("2001:db8:1:3::1").is_some());
        assert!(seat("192.0.2.1").is_some());
        let same = (seat("192.0.2.1").unwrap(), seat("::ffff:192.0.2.1").unwrap());
        assert!(seat("192.0.2.1").is_none());
        drop(one);
        let one = seat("2001:db8:1:2::1").unwrap();
        drop((one, two, same));
        assert!(clients.parts.iter().all(|part| lock(part).is_empty()));
    }

    #[test]
    fn by_itself_a_client_has_a_quarter_and_never_less_than_a_hundred() {
        for (all, most) in [(0, 100), (310, 100), (4000, 1000)] {
            let clients = Clients::of(all);
            let seats: Vec<_> = std::iter::from_fn(|| clients.seat([192, 0, 2, 1].into(), None)).collect();
            assert_eq!(seats.len(), most);
        }
    }
}
