//! HTTP/2 to upstreams over TLS: it is what both agree on, or nothing is said.

use std::sync::Arc;

use h2::server::Builder;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_rustls::TlsAcceptor;

use crate::support::{
    Gateway, Upstream, streams,
    tls::{Authority, serve},
};

/// A server of HTTP/2 over TLS that chooses among these protocols.
async fn server(authority: &Authority, protocols: &[&str]) -> std::net::SocketAddr {
    let chain = CertificateDer::pem_file_iter(authority.file("up.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(authority.file("up.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let talk = Arc::new(|mut exchange: streams::Exchange| async move {
        let scheme = exchange.head.uri.scheme_str().unwrap().to_owned();
        exchange.say(scheme);
    });
    serve(TlsAcceptor::from(Arc::new(config)), move |stream| streams::serve(stream, Builder::new(), 1, 0, talk.clone()))
        .await
}

fn gateway(authority: &Authority, address: std::net::SocketAddr) -> Gateway {
    let text = format!(
        "[upstreams.up]\nurl = \"https://localhost:{}\"\nprotocol = \"http2\"\ntls = {{ ca = {:?} }}\n\
         health_check = {{ path = \"/\", interval = \"100ms\" }}\n[routes.all]\nupstream = \"up\"\n",
        address.port(),
        authority.file("ca.pem")
    );
    Gateway::start(&text, &Upstream::start())
}

fn authority() -> Authority {
    let authority = Authority::new("the authority");
    authority.issue("up", &["localhost"]);
    authority
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_chooses_h2_is_spoken_to() {
    let authority = authority();
    let address = server(&authority, &["http/1.1", "h2"]).await;
    let gateway = gateway(&authority, address);
    for _ in 0..3 {
        let reply = gateway.call("POST", "/").body("hello").await;
        assert_eq!((reply.status, reply.text()), (200, "https"));
    }
    let line =
        format!("gatehouse_upstream_endpoint_available{{upstream=\"up\",endpoint=\"localhost:{}\"}}", address.port());
    assert_eq!(gateway.metric(&line), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_gets_no_request() {
    let authority = authority();
    for protocols in [&[][..], &["http/1.1"]] {
        let address = server(&authority, protocols).await;
        let reply = gateway(&authority, address).get("/").await;
        assert_eq!((reply.status, reply.json()["code"].as_str()), (502, Some("upstream_unreachable")), "{protocols:?}");
    }
}
