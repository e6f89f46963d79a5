//! Where requests come in: what is the same for all of one connection.

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::{connection::Tunnel, edge::Authorities};

/// Attributes that an exchange begins with, by full name.
pub(crate) type Attributes = Vec<(Arc<str>, Arc<str>)>;

/// The other end of a client's connection.
pub(crate) struct Peer {
    /// Its address; an IPv4 address that came as an IPv6 one is one.
    pub(crate) address: IpAddr,
    /// The same as text.
    pub(crate) text: String,
    /// How it reached the listener.
    pub(crate) scheme: &'static str,
    /// What it asks for.
    pub(crate) authorities: Authorities,
    /// What TLS tells of the connection and the client, by full name: each exchange begins with them.
    pub(crate) attributes: Attributes,
    /// What its connection becomes once the answer in hand has left, where that switches protocols.
    pub(crate) becomes: Cell<Option<Box<Tunnel>>>,
}

impl Peer {
    /// One that is reached without TLS, or by TLS with what that tells.
    pub(crate) fn new(address: SocketAddr, tls: Option<Attributes>) -> Self {
        let address = address.ip().to_canonical();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (authorities, attributes) = (Authorities::of(scheme), tls.unwrap_or_default());
        Self { address, text: address.to_string(), scheme, authorities, attributes, becomes: Cell::default() }
    }
}
