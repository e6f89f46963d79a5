//! `[listeners.NAME.tls]` and `[upstreams.NAME.tls]`.

use std::time::Duration;

use super::{address, file, server::TIMEOUT};
use crate::config::{
    CertificateFiles, ClientCertificates, ListenerTls, TlsVersion, UpstreamTls,
    problem::Problem,
    value::{Node, Table},
};

const VERSIONS: [(&str, TlsVersion); 2] = [("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)];

/// None when it is wrong and therefore reported.
pub(super) fn listener(node: Node<'_>) -> Result<Option<ListenerTls>, Problem> {
    let mut table = node.table()?;
    let example = "[{ certificate = \"example.pem\", key = \"example.key\" }]";
    let certificates = table.required("certificates", example, certificates);
    let min_version = table.optional("min_version", |node| node.choice(&VERSIONS)).unwrap_or(TlsVersion::Tls12);
    let timeout = table.optional("handshake_timeout", |node| node.duration(TIMEOUT));
    let ca = table.optional("client_ca", file);
    let required = client_certificate(&mut table);
    table.finish(&[
        ("certificate", "write `certificates = [{ certificate = ..., key = ... }]`"),
        ("key", "write `certificates = [{ certificate = ..., key = ... }]`"),
        ("ca", "it is called `client_ca`"),
        ("client_auth", "it is called `client_certificate`"),
        ("version", "it is called `min_version`"),
        ("timeout", "it is called `handshake_timeout`"),
        ("ciphers", "they are those of Mozilla's \"intermediate\", all of them good; `min_version` can be \"1.3\""),
        ("alpn", "h2 and http/1.1 are always offered"),
    ]);
    Ok(certificates.map(|certificates| ListenerTls {
        certificates,
        min_version,
        handshake_timeout: timeout.unwrap_or(Duration::from_secs(10)),
        clients: ca.map(|ca| ClientCertificates { ca, required }),
    }))
}

pub(super) fn upstream(node: Node<'_>) -> Result<UpstreamTls, Problem> {
    let mut table = node.table()?;
    let ca = table.optional("ca", file);
    let has = |table: &Table<'_>, key| table.entries().iter().any(|entry| entry.name == key);
    let certificate = match has(&table, "certificate") || has(&table, "key") {
        true => {
            let certificate = table.required("certificate", "\"gateway.pem\"", file);
            let key = table.required("key", "\"gateway.key\"", file);
            certificate.zip(key).map(|(certificate, key)| CertificateFiles { certificate, key })
        }
        false => {
            let _ = (table.node("certificate"), table.node("key"));
            None
        }
    };
    let server_name = table.optional("server_name", |node| {
        let name = address::host(node.text()?, false).map_err(|problem| node.within(problem))?;
        Ok(name.trim_matches(['[', ']']).to_owned())
    });
    let verified = "the certificate is always verified; `ca` says whom it may come from";
    table.finish(&[
        ("verify", verified),
        ("insecure", verified),
        ("insecure_skip_verify", verified),
        ("client_ca", "it is called `ca`"),
        ("sni", "it is called `server_name`"),
        ("certificates", "write `certificate` and `key`: what the gateway shows"),
    ]);
    Ok(UpstreamTls { ca, certificate, server_name })
}

fn client_certificate(table: &mut Table<'_>) -> bool {
    let asks = table.entries().iter().any(|entry| entry.name == "client_ca");
    let read = table.optional("client_certificate", |node| {
        let required = node.choice(&[("required", true), ("optional", false)])?;
        match asks {
            true => Ok(required),
            false => Err(node.problem("no client certificate is accepted without `client_ca`").help("add `client_ca`")),
        }
    });
    read.unwrap_or(true)
}

fn certificates(node: Node<'_>) -> Result<Vec<CertificateFiles>, Problem> {
    let reported = node.context.reported();
    let read: Vec<Option<CertificateFiles>> = node.list(|node| {
        let mut table = node.table()?;
        let certificate = table.required("certificate", "\"example.pem\"", file);
        let key = table.required("key", "\"example.key\"", file);
        table.finish(&[("chain", "it is part of `certificate`"), ("cert", "it is called `certificate`")]);
        Ok(certificate.zip(key).map(|(certificate, key)| CertificateFiles { certificate, key }))
    })?;
    match read.is_empty() && node.context.reported() == reported {
        true => Err(node.problem("there is no certificate").help("add `{ certificate = ..., key = ... }`")),
        false => Ok(read.into_iter().flatten().collect()),
    }
}
