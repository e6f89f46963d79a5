//! TLS to an upstream.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::WebPkiServerVerifier,
    pki_types::ServerName,
    sign::{CertifiedKey, SingleCertAndKey},
};
use sha2::{Digest, Sha256};

use super::{H2, Wrong, certificate, provider, roots};
use crate::config::{Protocol, UpstreamTls};

/// How an upstream's connections begin.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) name: ServerName<'static>,
    /// Of the files and names it was made of: connections of one are as good as those of another with the same.
    pub(crate) digest: [u8; 32],
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Connector {
    /// Reads the files, for an endpoint of a host. A session may be resumed with what is taken over from `serving`.
    pub(crate) fn load(
        tls: &UpstreamTls,
        protocol: Protocol,
        host: &str,
        serving: Option<&Self>,
    ) -> Result<Self, Vec<Wrong>> {
        let server_name = tls.server_name.as_deref().unwrap_or(host);
        let spoken = match protocol {
            Protocol::Http1 => b"http/1.1",
            Protocol::Http2 => H2,
        };
        let mut digest = Sha256::new();
        digest.update(spoken);
        digest.update(server_name.as_bytes());
        let mut wrong: Vec<Wrong> = Vec::new();
        let roots = match &tls.ca {
            None => Ok(Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })),
            Some(ca) => roots(ca, &mut digest).map_err(|error| wrong.push((vec!["ca".to_owned()], error))),
        };
        let own = tls.certificate.as_ref().map(|files| certificate::pair(files, &provider(), &mut digest)).transpose();
        let own = own.map_err(|(key, error)| wrong.push((vec![key.to_owned()], error)));
        let name = ServerName::try_from(server_name.to_owned());
        let name = name.map_err(|error| wrong.push((vec!["server_name".to_owned()], error.to_string())));
        let (Ok(roots), Ok(own), Ok(name)) = (roots, own, name) else { return Err(wrong) };
        let digest: [u8; 32] = digest.finalize().into();
        if let Some(serving) = serving.filter(|serving| serving.digest == digest) {
            return Ok(serving.clone());
        }
        let failed = |error: &dyn fmt::Display| vec![(vec!["ca".to_owned()], error.to_string())];
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider());
        let verifier = verifier.build().map_err(|error| failed(&error))?;
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| failed(&error))?.with_webpki_verifier(verifier);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::clone(&own)))),
        };
        config.alpn_protocols = vec![spoken.to_vec()];
        Ok(Self { config: Arc::new(config), name, digest })
    }
}
