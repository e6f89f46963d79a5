//! Where requests come in: what is the same for all of one connection.

use std::net::{IpAddr, SocketAddr};

use crate::edge::Authorities;

/// The other end of a client's connection.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Its address; an IPv4 address that came as an IPv6 one is one.
    pub(crate) address: IpAddr,
    /// The same as text.
    pub(crate) text: String,
    /// How it reached the listener.
    pub(crate) scheme: &'static str,
    /// What it asks for.
    pub(crate) authorities: Authorities,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr, scheme: &'static str) -> Self {
        let address = address.ip().to_canonical();
        Self { address, text: address.to_string(), scheme, authorities: Authorities::default() }
    }
}
