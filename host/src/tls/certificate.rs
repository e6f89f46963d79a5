//! The certificates of a listener, and which of them a client gets.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::Sha256;
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

use super::{Wrong, chain, read};
use crate::config::CertificateFiles;

/// All certificates of a listener, by the names that they are for.
#[derive(Debug)]
pub(super) struct Certificates {
    all: Vec<Arc<CertifiedKey>>,
    /// Lower case; `*.` stands for one label (RFC 6125 section 6.4.3). Indices into `all`, in the configuration's order: a name
    /// may have an ECDSA and an RSA certificate.
    by_name: HashMap<String, Vec<usize>>,
}

impl Certificates {
    pub(super) fn load(
        files: &[CertificateFiles],
        provider: &CryptoProvider,
        digest: &mut Sha256,
    ) -> Result<Self, Vec<Wrong>> {
        let mut this = Self { all: Vec::new(), by_name: HashMap::new() };
        let mut wrong = Vec::new();
        for (index, pair) in files.iter().enumerate() {
            if let Err((key, message)) = this.add(pair, provider, digest) {
                wrong.push((vec!["certificates".to_owned(), index.to_string(), key.to_owned()], message));
            }
        }
        if wrong.is_empty() { Ok(this) } else { Err(wrong) }
    }

    fn add(
        &mut self,
        files: &CertificateFiles,
        provider: &CryptoProvider,
        digest: &mut Sha256,
    ) -> Result<(), (&'static str, String)> {
        let certified = pair(files, provider, digest)?;
        for name in certified.end_entity_cert().ok().and_then(|der| described(der)).unwrap_or_default().0 {
            self.by_name.entry(name).or_default().push(self.all.len());
        }
        self.all.push(certified);
        Ok(())
    }

    /// Those for a name, or all where there is none: for a client that names nothing that is here, the first is as good as
    /// any.
    fn named(&self, name: Option<&str>) -> impl Iterator<Item = &Arc<CertifiedKey>> {
        let of = |name: &str| self.by_name.get(name);
        let found = name.map(str::to_ascii_lowercase).and_then(|name| {
            let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
            of(&name).or_else(|| of(&wildcard?))
        });
        let all = found.is_none().then_some(&self.all);
        found.into_iter().flatten().map(|&index| &self.all[index]).chain(all.into_iter().flatten())
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        let named = || self.named(hello.server_name());
        // Where none fits, rustls says what is not in common.
        named().find(fits).or_else(|| named().next()).cloned()
    }
}

/// A certificate with its key. An error says with which of the two.
pub(super) fn pair(
    files: &CertificateFiles,
    provider: &CryptoProvider,
    digest: &mut Sha256,
) -> Result<Arc<CertifiedKey>, (&'static str, String)> {
    let (certificate, key_file) = (files.certificate.display(), files.key.display());
    let chain = chain(&files.certificate, digest).map_err(|error| ("certificate", error))?;
    let key = read(&files.key, digest).map_err(|error| ("key", error))?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| ("key", format!("{key_file} holds no private key that can be read: {error}")))?;
    let described = described(&chain[0]);
    let (_, until) = described.ok_or_else(|| ("certificate", format!("{certificate} is no certificate")))?;
    let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => ("key", format!("{key_file} is not the key of {certificate}")),
        error => ("certificate", format!("{certificate} with {key_file}: {error}")),
    })?;
    if SystemTime::now().duration_since(UNIX_EPOCH).is_ok_and(|now| until < now.as_secs().cast_signed()) {
        tracing::warn!("the certificate {certificate} has expired: others will refuse it");
    }
    Ok(Arc::new(certified))
}

/// The DNS names of a certificate, and when it ends, in seconds since 1970.
fn described(der: &[u8]) -> Option<(Vec<String>, i64)> {
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok()?.map(|names| &names.value.general_names);
    let dns = names.into_iter().flatten().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    Some((dns.collect(), certificate.validity().not_after.timestamp()))
}
