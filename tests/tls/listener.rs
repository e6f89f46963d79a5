//! TLS of listeners: which certificate, which protocol, which client; and what happens to files that are not good.

use std::{fs, time::Duration};

use rustls::{
    SupportedProtocolVersion,
    pki_types::{CertificateDer, pem::PemObject},
    version::TLS12,
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    Gateway, Upstream,
    tls::{Authority, ask, connect},
};

const ROUTE: &str = "
    [routes.all]
    upstream = \"up\"
    upstream_headers = { x-subject = \"${tls.client-subject}\", x-names = \"${tls.client-names}\", \
        x-fingerprint = \"${tls.client-fingerprint}\", x-tls = \"${tls.version} ${tls.server-name}\" }
    ";

/// A listener with the certificates of these files, and more keys.
fn configuration(authority: &Authority, files: &[&str], more: &str) -> String {
    let pair = |file: &&str| {
        let path = |extension| authority.file(&format!("{file}.{extension}"));
        format!("{{ certificate = {:?}, key = {:?} }}", path("pem"), path("key"))
    };
    let pairs = files.iter().map(pair).collect::<Vec<_>>().join(", ");
    format!(
        "[listeners.main]\naddress = \"127.0.0.1:0\"\n[listeners.main.tls]\ncertificates = [{pairs}]\n{more}\n{ROUTE}"
    )
}

/// An authority with a certificate for `a.test`, one for `b.test` and `*.c.test`.
fn authority() -> Authority {
    let authority = Authority::new("the authority");
    authority.issue("a", &["a.test"]);
    authority.issue("b", &["b.test", "*.c.test"]);
    authority
}

#[tokio::test]
async fn both_protocols_are_served_by_alpn_and_the_upstream_is_told_the_scheme() {
    let (authority, upstream) = (authority(), Upstream::start());
    let gateway = Gateway::start(&configuration(&authority, &["a"], ""), &upstream);
    for protocols in [&[][..], &["http/1.1"], &["h2", "http/1.1"], &["h2"]] {
        let client = authority.client().alpn(protocols);
        let stream = client.connect(gateway.address(), "a.test").await.unwrap();
        let chosen = stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap());
        assert_eq!(chosen.as_deref(), protocols.first().copied());
        let reply = ask(stream, "a.test", "/x").await.unwrap();
        assert_eq!((reply.status, reply.text()), (200, "hello"));
        let seen = upstream.last();
        assert_eq!((seen.header("x-forwarded-proto"), seen.header("host")), (Some("https"), Some("a.test")));
        assert_eq!((seen.header("x-tls"), seen.header("x-subject")), (Some("1.3 a.test"), None));
    }
    assert_eq!(gateway.metric("gatehouse_tls_handshakes_total{result=\"ok\"}"), 4);
    // None in common (RFC 7301 section 3.3).
    assert!(authority.client().alpn(&["spdy/3"]).connect(gateway.address(), "a.test").await.is_err());
    assert_eq!(gateway.metric_at("gatehouse_tls_handshakes_total{result=\"failed\"}", 1), 1);
}

#[tokio::test]
async fn the_name_that_the_client_asks_for_chooses_the_certificate() {
    let (authority, upstream) = (authority(), Upstream::start());
    let gateway = Gateway::start(&configuration(&authority, &["a", "b"], ""), &upstream);
    // The client verifies that the certificate is for the name.
    for name in ["a.test", "b.test", "B.TEST", "x.c.test"] {
        assert_eq!(authority.client().get(gateway.address(), name, "/").await.status, 200, "{name}");
    }
    // A wildcard stands for one label; for what is nobody's, the first is shown.
    for name in ["x.y.c.test", "c.test", "else.test", "127.0.0.1"] {
        let error = authority.client().connect(gateway.address(), name).await.unwrap_err().to_string();
        assert!(error.contains("a.test"), "{name}: {error}");
    }
}

#[tokio::test]
async fn the_port_that_https_implies_is_left_out() {
    let (authority, upstream) = (authority(), Upstream::start());
    let gateway = Gateway::start(&configuration(&authority, &["a"], ""), &upstream);
    for (host, expected) in [("a.test:443", "a.test"), ("a.test:80", "a.test:80")] {
        let mut stream = authority.client().connect(gateway.address(), "a.test").await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // To a close_notify: an end without is an error here.
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        assert_eq!(upstream.last().header("host"), Some(expected));
    }
}

#[tokio::test]
async fn versions_below_the_least_are_refused() {
    let (authority, upstream) = (authority(), Upstream::start());
    static OLD: [&SupportedProtocolVersion; 1] = [&TLS12];
    let old = authority.client().versions(&OLD);
    let gateway = Gateway::start(&configuration(&authority, &["a"], ""), &upstream);
    assert_eq!(old.get(gateway.address(), "a.test", "/").await.status, 200);
    assert_eq!(upstream.last().header("x-tls"), Some("1.2 a.test"));
    let gateway = Gateway::start(&configuration(&authority, &["a"], "min_version = \"1.3\""), &upstream);
    assert!(old.connect(gateway.address(), "a.test").await.is_err());
    assert_eq!(authority.client().get(gateway.address(), "a.test", "/").await.status, 200);
}

#[tokio::test]
async fn a_client_shows_its_certificate_and_the_upstream_is_told_whose_it_is() {
    let (authority, upstream) = (authority(), Upstream::start());
    let clients = Authority::new("the clients' authority");
    clients.issue("alice", &["alice", "127.0.0.1"]);
    clients.issue_expired("old", "old");
    let stranger = Authority::new("another");
    stranger.issue("mallory", &["alice"]);
    let asks = format!("client_ca = {:?}", clients.file("ca.pem"));
    let gateway = Gateway::start(&configuration(&authority, &["a"], &asks), &upstream);
    let address = gateway.address();
    for protocol in ["h2", "http/1.1"] {
        let reply = authority.client().alpn(&[protocol]).shows(&clients, "alice").get(address, "a.test", "/").await;
        assert_eq!(reply.status, 200);
        let seen = upstream.last();
        assert_eq!(seen.header("x-subject"), Some("CN=alice"));
        assert_eq!(seen.header("x-names"), Some("DNS:alice,IP:127.0.0.1"));
        let der = CertificateDer::from_pem_file(clients.file("alice.pem")).unwrap();
        let digest = Sha256::digest(&der).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(seen.header("x-fingerprint"), Some(&*digest));
    }
    // In TLS 1.3 the client learns of it only when it reads.
    let before = upstream.seen().len();
    let refused =
        [authority.client(), authority.client().shows(&clients, "old"), authority.client().shows(&stranger, "mallory")];
    for client in refused {
        let answer = match client.connect(address, "a.test").await {
            Err(_) => continue,
            Ok(stream) => ask(stream, "a.test", "/").await,
        };
        assert!(answer.is_err());
    }
    assert_eq!(upstream.seen().len(), before);

    let asks = format!("{asks}\nclient_certificate = \"optional\"");
    let gateway = Gateway::start(&configuration(&authority, &["a"], &asks), &upstream);
    assert_eq!(authority.client().get(gateway.address(), "a.test", "/").await.status, 200);
    assert_eq!(upstream.last().header("x-subject"), None);
    let client = authority.client().shows(&stranger, "mallory");
    let stream = client.connect(gateway.address(), "a.test").await;
    assert!(stream.is_err() || ask(stream.unwrap(), "a.test", "/").await.is_err());
}

#[tokio::test]
async fn a_client_cannot_say_itself_whose_certificate_it_has() {
    let (authority, upstream) = (authority(), Upstream::start());
    let gateway = Gateway::start(&configuration(&authority, &["a"], ""), &upstream);
    let mut stream = authority.client().connect(gateway.address(), "a.test").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx-subject: CN=alice\r\nconnection: close\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(upstream.last().header("x-subject"), None);
}

#[tokio::test]
async fn a_plugin_reads_whose_certificate_it_is_and_the_verdict_cache_tells_clients_apart() {
    let (authority, upstream) = (authority(), Upstream::start());
    let clients = Authority::new("the clients' authority");
    ["alice", "bob"].iter().for_each(|name| clients.issue(name, &[name]));
    let asks = format!("client_ca = {:?}", clients.file("ca.pem"));
    let plugin = "[plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\n\
        config.authorize = { read = [\"attribute:tls.client-subject\"] }\n";
    let text = configuration(&authority, &["a"], &asks).replace("[routes.all]", "[routes.all]\nplugins = [\"probe\"]");
    let gateway = Gateway::start(&(plugin.to_owned() + &text), &upstream);
    for (name, asked) in [("alice", 1), ("alice", 1), ("bob", 2), ("alice", 2), ("bob", 2)] {
        assert_eq!(authority.client().shows(&clients, name).get(gateway.address(), "a.test", "/").await.status, 200);
        assert_eq!(gateway.metric("gatehouse_verdict_cache_misses_total{plugin=\"probe\"}"), asked, "{name}");
    }
}

#[tokio::test]
async fn new_files_are_served_after_a_reload_and_bad_ones_leave_the_old_serving() {
    let (authority, upstream) = (authority(), Upstream::start());
    let text = configuration(&authority, &["a"], "");
    let gateway = Gateway::start(&text, &upstream);
    let client = authority.client();
    let mut kept = client.connect(gateway.address(), "a.test").await.unwrap();
    // The key of another, half a file, none.
    let good = fs::read(authority.file("a.key")).unwrap();
    let bad = [fs::read(authority.file("b.key")).unwrap(), good[..40].to_vec(), Vec::new()];
    for (bytes, says) in bad.iter().zip(["is not the key of", "holds no private key", "holds no private key"]) {
        fs::write(authority.file("a.key"), bytes).unwrap();
        let problems = gateway.reload_files().unwrap_err().to_string();
        assert!(problems.contains(says) && problems.contains("gatehouse.toml:4:"), "{problems}");
        assert_eq!(client.get(gateway.address(), "a.test", "/").await.status, 200);
    }
    authority.issue("a", &["new.test"]);
    gateway.reload_files().unwrap();
    assert!(client.connect(gateway.address(), "a.test").await.is_err());
    assert_eq!(client.get(gateway.address(), "new.test", "/").await.status, 200);
    // What was connected before goes on.
    kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    kept.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
}

#[tokio::test]
async fn sessions_are_resumed_also_after_a_reload_that_changed_no_certificate() {
    let (authority, upstream) = (authority(), Upstream::start());
    let text = configuration(&authority, &["a"], "");
    let gateway = Gateway::start(&text, &upstream);
    let config = authority.client().config();
    let resumed = async || {
        let stream = connect(config.clone(), gateway.address(), "a.test").await.unwrap();
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        ask(stream, "a.test", "/").await.unwrap();
        kind == rustls::HandshakeKind::Resumed
    };
    assert!(!resumed().await && resumed().await);
    gateway.reload_files().unwrap();
    assert!(resumed().await);
    authority.issue("a", &["a.test"]);
    gateway.reload_files().unwrap();
    assert!(!resumed().await);
}

#[tokio::test]
async fn what_is_no_handshake_ends_in_time_and_plain_http_is_told() {
    let (authority, upstream) = (authority(), Upstream::start());
    let gateway = Gateway::start(&configuration(&authority, &["a"], "handshake_timeout = \"200ms\""), &upstream);
    let mut silent = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    let mut half = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    half.write_all(&[0x16, 3, 1, 0]).await.unwrap();
    for stream in [&mut silent, &mut half] {
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0])).await.expect("it ends in time");
        assert!(matches!(ended, Ok(0) | Err(_)));
    }
    assert_eq!(gateway.metric_at("gatehouse_tls_handshakes_total{result=\"timeout\"}", 2), 2);
    let mut plain = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("https:/\n"), "{answer}");
    // Garbage gets an alert or an end, and the gateway serves on.
    let mut garbage = tokio::net::TcpStream::connect(gateway.address()).await.unwrap();
    garbage.write_all(&[0x80; 100]).await.unwrap();
    let _ = garbage.read_to_end(&mut Vec::new()).await;
    assert_eq!(authority.client().get(gateway.address(), "a.test", "/").await.status, 200);
}
