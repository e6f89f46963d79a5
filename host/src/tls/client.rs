//! What TLS tells of a connection and of the certificate that its client has shown: attributes of each exchange.

use std::{fmt::Write as _, net::IpAddr, sync::Arc};

use data_encoding::HEXLOWER;
use rustls::{ProtocolVersion, ServerConnection};
use sha2::{Digest, Sha256};
use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    objects::{oid_registry, oid2abbrev},
    prelude::FromDer as _,
    x509::{AttributeTypeAndValue, X509Name},
};

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
        set("tls.client-subject", distinguished(certificate.subject()));
        set("tls.client-issuer", distinguished(certificate.issuer()));
        set("tls.client-serial", HEXLOWER.encode(certificate.raw_serial()));
        set("tls.client-fingerprint", HEXLOWER.encode(&Sha256::digest(der)));
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(name);
        set("tls.client-names", names.collect::<Vec<_>>().join(","));
    }
    attributes
}

/// A distinguished name as RFC 4514 writes it: the last part first, and what would end a part escaped.
fn distinguished(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> =
        name.iter_rdn().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = oid2abbrev(attribute.attr_type(), oid_registry());
    let kind = kind.map_or_else(|_| attribute.attr_type().to_id_string(), str::to_owned);
    match attribute.as_str() {
        Ok(text) => format!("{kind}={}", escaped(text)),
        Err(_) => format!("{kind}=#{}", HEXLOWER.encode(attribute.as_slice())),
    }
}

/// RFC 4514 section 2.4.
fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        let special = matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
            || (at == 0 && matches!(c, ' ' | '#'))
            || (at == last && c == ' ');
        match c {
            '\0'..='\x1f' | '\x7f' => {
                // Writing to a string can not fail.
                let _ = write!(escaped, "\\{:02x}", u32::from(c));
            }
            _ if special => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_be_read_as_two() {
        for (text, expected) in [
            ("alice", "alice"),
            ("alice,O=Admin", r"alice\,O=Admin"),
            ("a+b=\"c\"<d>;\\", r#"a\+b=\"c\"\<d\>\;\\"#),
            (" # ", r"\ #\ "),
            ("#", r"\#"),
            ("a\nb", r"a\0ab"),
            ("", ""),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
