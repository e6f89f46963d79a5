//! How TLS is spoken: by listeners, and to upstreams.

use std::{path::PathBuf, time::Duration};

/// `[listeners.NAME.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one; the client's server name (SNI) chooses, and the first is for clients that name none of them.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version; default 1.2 (Mozilla's "intermediate").
    pub min_version: TlsVersion,
    /// From the connection's begin to the handshake's end; default 10 s; then the connection is closed.
    pub handshake_timeout: Duration,
    /// What clients have to show; default nothing.
    pub clients: Option<ClientCertificates>,
}

impl ListenerTls {
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        let certificates = self.certificates.iter().flat_map(CertificateFiles::both);
        certificates.chain(self.clients.iter().map(|clients| clients.ca.clone()))
    }
}

impl UpstreamTls {
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.certificate.iter().flat_map(CertificateFiles::both).chain(self.ca.clone())
    }
}

/// A certificate with its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, then those that lead to its issuer.
    pub certificate: PathBuf,
    /// Its key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

impl CertificateFiles {
    fn both(&self) -> [PathBuf; 2] {
        [self.certificate.clone(), self.key.clone()]
    }
}

/// `client_ca` and `client_certificate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Certificates of those who issue them, in PEM.
    pub ca: PathBuf,
    /// Whether a client without one is refused; default true.
    pub required: bool,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// `[upstreams.NAME.tls]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Certificates of those whom the upstream's may come from, in PEM; default: Mozilla's list, as compiled in.
    pub ca: Option<PathBuf>,
    /// What the gateway shows when it is asked; default nothing.
    pub certificate: Option<CertificateFiles>,
    /// The name that is asked for (SNI) and that the certificate must be for; default the host of the endpoint's URL.
    pub server_name: Option<String>,
}
