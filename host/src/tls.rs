//! TLS. Of listeners: versions and ciphers of Mozilla's "intermediate" configuration, HTTP/2 and HTTP/1.1 by ALPN (RFC
//! 7301), a certificate by the name that the client asks for (SNI, RFC 6066 section 3), and clients' own certificates.
//!
//! To upstreams: their certificate is always verified, and HTTP/1.1 or, where the configuration says so, HTTP/2 is
//! spoken.
//!
//! What is loaded belongs to a snapshot: a reload reads the files again, and new connections use what they hold then.

mod certificate;
mod client;
mod upstream;

pub(crate) use client::attributes;
pub(crate) use upstream::Connector;

use std::{path::Path, sync::Arc, time::Duration};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::CertificateDer,
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use sha2::{Digest, Sha256};

use crate::{
    config::{ListenerTls, TlsVersion},
    file,
};
use certificate::Certificates;

/// HTTP/2 as ALPN names it.
pub(crate) const H2: &[u8] = b"h2";

/// The most bytes of one file of certificates or keys.
const MOST: u64 = 4 << 20;

/// What a listener answers handshakes with.
#[derive(Debug)]
pub(crate) struct Acceptor {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) handshake_timeout: Duration,
    /// What it was made of: as long as that is the same, sessions may be resumed.
    made_of: ([u8; 32], ListenerTls),
}

/// What is wrong, and where in `[listeners.NAME.tls]`.
pub(crate) type Wrong = (Vec<String>, String);

impl Acceptor {
    /// Reads the files; `serving` is taken over if nothing has changed.
    pub(crate) fn load(tls: &ListenerTls, serving: Option<&Arc<Self>>) -> Result<Arc<Self>, Vec<Wrong>> {
        let mut digest = Sha256::new();
        let mut wrong = Vec::new();
        let certificates = Certificates::load(&tls.certificates, &provider(), &mut digest).map_err(|errors| {
            wrong.extend(errors);
        });
        let clients = tls.clients.as_ref().map(|clients| roots(&clients.ca, &mut digest)).transpose();
        let clients = clients.map_err(|error| wrong.push((vec!["client_ca".to_owned()], error)));
        let (Ok(certificates), Ok(clients)) = (certificates, clients) else { return Err(wrong) };
        let made_of = (digest.finalize().into(), tls.clone());
        if let Some(serving) = serving.filter(|serving| serving.made_of == made_of) {
            return Ok(serving.clone());
        }
        let versions = match tls.min_version {
            TlsVersion::Tls12 => &[&TLS13, &TLS12][..],
            TlsVersion::Tls13 => &[&TLS13][..],
        };
        let failed = |error: rustls::Error| vec![(vec!["certificates".to_owned()], error.to_string())];
        let builder =
            ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions).map_err(failed)?;
        let builder = match (&tls.clients, clients) {
            (Some(asked), Some(roots)) => {
                let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
                if !asked.required {
                    verifier = verifier.allow_unauthenticated();
                }
                let failed = |error| vec![(vec!["client_ca".to_owned()], format!("{error}"))];
                builder.with_client_cert_verifier(verifier.build().map_err(failed)?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        // Any worker can resume what another has begun (RFC 5077, RFC 8446 section 2.2).
        config.ticketer = ring::Ticketer::new().map_err(failed)?;
        Ok(Arc::new(Self { config: Arc::new(config), handshake_timeout: tls.handshake_timeout, made_of }))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Those whom certificates may come from.
fn roots(ca: &Path, digest: &mut Sha256) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for authority in chain(ca, digest)? {
        roots.add(authority).map_err(|error| format!("{}: {error}", ca.display()))?;
    }
    Ok(Arc::new(roots))
}

/// The certificates of a PEM file, at least one.
fn chain(path: &Path, digest: &mut Sha256) -> Result<Vec<CertificateDer<'static>>, String> {
    use rustls::pki_types::pem::PemObject;
    let bytes = read(path, digest)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|error| format!("{} is not PEM: {error}", path.display()))?;
    match chain.is_empty() {
        true => Err(format!("{} holds no certificate: there is no `-----BEGIN CERTIFICATE-----`", path.display())),
        false => Ok(chain),
    }
}

fn read(path: &Path, digest: &mut Sha256) -> Result<Vec<u8>, String> {
    let bytes = file::read(path, MOST).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    digest.update((bytes.len() as u64).to_le_bytes());
    digest.update(&bytes);
    Ok(bytes)
}
