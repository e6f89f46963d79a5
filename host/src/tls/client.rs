//! What TLS tells of a connection and of the certificate that its client has shown: attributes of each exchange.

use std::{fmt::Write as _, net::IpAddr, sync::Arc};

use rustls::{ProtocolVersion, ServerConnection};
use sha2::{Digest, Sha256};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

type Attribute = (Arc<str>, Arc<str>);

/// The attributes `tls.*` of a connection whose handshake is done. Those of the client are there when it has shown a
/// certificate, which was verified.
pub(crate) fn attributes(connection: &ServerConnection) -> Vec<Attribute> {
    let mut attributes: Vec<Attribute> = Vec::with_capacity(2);
    let mut set = |name: &str, value: String| attributes.push((name.into(), value.into()));
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "1.3",
        _ => "1.2",
    };
    set("tls.version", version.to_owned());
    if let Some(name) = connection.server_name() {
        set("tls.server-name", name.to_owned());
    }
    let shown = connection.peer_certificates().and_then(<[_]>::first);
    if let Some(der) = shown
        && let Ok((_, certificate)) = X509Certificate::from_der(der)
    {
        set("tls.client-subject", certificate.subject().to_string());
        set("tls.client-issuer", certificate.issuer().to_string());
        set("tls.client-serial", hex(certificate.raw_serial()));
        set("tls.client-fingerprint", hex(&Sha256::digest(der)));
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(name);
        set("tls.client-names", names.collect::<Vec<_>>().join(","));
    }
    attributes
}

/// A subject alternative name (RFC 5280 section 4.2.1.6) as OpenSSL writes it, if it is of a common kind. A comma would end
/// it, so one with a comma is left out rather than read as two.
fn name(name: &GeneralName<'_>) -> Option<String> {
    let text = match name {
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::RFC822Name(name) => format!("email:{name}"),
        GeneralName::URI(uri) => format!("URI:{uri}"),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok()?;
            format!("IP:{address}")
        }
        _ => return None,
    };
    (!text.contains(',')).then_some(text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
