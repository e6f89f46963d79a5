//! Certificates made for a test, and clients and servers that speak TLS.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

use super::{Reply, client};

/// Who issues certificates, and the folder that they are in.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(crate) folder: TempDir,
}

impl Authority {
    /// One with a name of its own.
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = named(name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let this = Self { issuer, folder: tempfile::tempdir().unwrap() };
        fs::write(this.file("ca.pem"), this.issuer.pem()).unwrap();
        this
    }

    /// A file of its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `FILE.pem` and `FILE.key` for these names; the first is the subject's too.
    pub(crate) fn issue(&self, file: &str, names: &[&str]) {
        let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name = named(names[0]);
        self.sign(file, params);
    }

    /// Writes one that has expired.
    pub(crate) fn issue_expired(&self, file: &str, name: &str) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        self.sign(file, params);
    }

    fn sign(&self, file: &str, params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.file(&format!("{file}.key")), key.serialize_pem()).unwrap();
        fs::write(self.file(&format!("{file}.pem")), certificate.pem()).unwrap();
    }

    /// A client that trusts it.
    pub(crate) fn client(&self) -> Tls {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Tls { roots, alpn: Vec::new(), certificate: None, versions: rustls::ALL_VERSIONS }
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// A client.
#[derive(Clone)]
pub(crate) struct Tls {
    roots: RootCertStore,
    alpn: Vec<Vec<u8>>,
    certificate: Option<(PathBuf, PathBuf)>,
    versions: &'static [&'static SupportedProtocolVersion],
}

impl Tls {
    /// Offers HTTP/2 too, or something else.
    pub(crate) fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Speaks these versions only.
    pub(crate) fn versions(mut self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        self.versions = versions;
        self
    }

    /// Shows a certificate of an authority.
    pub(crate) fn shows(mut self, authority: &Authority, file: &str) -> Self {
        let path = |extension| authority.file(&format!("{file}.{extension}"));
        self.certificate = Some((path("pem"), path("key")));
        self
    }

    /// What connections are made of; one for several lets sessions be resumed.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(self.versions).unwrap().with_root_certificates(self.roots.clone());
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
            }
        };
        config.alpn_protocols = self.alpn.clone();
        Arc::new(config)
    }

    /// Connects and shakes hands.
    pub(crate) async fn connect(&self, address: SocketAddr, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.config(), address, name).await
    }

    /// A GET of a path on a connection of its own, over HTTP/2 where that was chosen.
    pub(crate) async fn get(&self, address: SocketAddr, name: &str, path: &str) -> Reply {
        let stream = self.connect(address, name).await.expect("a connection");
        ask(stream, name, path).await.expect("an answer")
    }
}

/// Connects and shakes hands.
pub(crate) async fn connect(
    config: Arc<ClientConfig>,
    address: SocketAddr,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    TlsConnector::from(config).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

/// A GET of a path over a connection.
pub(crate) async fn ask(stream: TlsStream<TcpStream>, name: &str, path: &str) -> hyper::Result<Reply> {
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let request = Request::builder().uri(format!("https://{name}{path}"));
    client::send(stream, http2, request.body(Full::<Bytes>::default()).unwrap()).await
}

/// A server of an authority's certificate.
pub(crate) fn acceptor(authority: &Authority, file: &str, clients: Option<&Authority>) -> TlsAcceptor {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let roots = Arc::new(clients.client().roots);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::new(default_provider()));
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = CertificateDer::pem_file_iter(authority.file(&format!("{file}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(authority.file(&format!("{file}.key"))).unwrap();
    Arc::new(builder.with_single_cert(chain.map(Result::unwrap).collect(), key).unwrap()).into()
}

/// TLS in front of an upstream: what comes through it goes on without.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    /// Handshakes that went well.
    pub(crate) shaken: Arc<AtomicUsize>,
}

impl Front {
    pub(crate) async fn start(acceptor: TlsAcceptor, upstream: SocketAddr) -> Self {
        let shaken = Arc::new(AtomicUsize::new(0));
        let counted = shaken.clone();
        let address = serve(acceptor, move |mut stream| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                let mut inner = TcpStream::connect(upstream).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut inner).await;
            }
        });
        Self { address: address.await, shaken }
    }
}

/// A server that does something with each connection.
pub(crate) async fn serve<F: Future<Output = ()> + Send + 'static>(
    acceptor: TlsAcceptor,
    with: impl Fn(tokio_rustls::server::TlsStream<TcpStream>) -> F + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let with = Arc::new(with);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, with) = (acceptor.clone(), with.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    with(stream).await;
                }
            });
        }
    });
    address
}
