//! Authorizing: verdicts, how they combine, what becomes of attributes, what a client cannot forge.

use crate::support::{Gateway, Process, Upstream};

/// A route `/x` with authorizers; each is a `probe` with `authorize` as given.
fn with(authorizers: &[(&str, &str)], route: &str) -> String {
    let plugins: String = authorizers
        .iter()
        .map(|(name, authorize)| {
            format!(
                "[plugins.{name}]\ncomponent = \"{{guests}}/probe.wasm\"\n\
                 config = {{ authorize = {{ {authorize} }} }}\n"
            )
        })
        .collect();
    let names: Vec<String> = authorizers.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    format!("{plugins}[routes.x]\npath = \"/x\"\nupstream = \"up\"\nplugins = [{}]\n{route}\n", names.join(", "))
}

#[tokio::test]
async fn an_allowed_request_reaches_the_upstream_with_its_attributes() {
    let upstream = Upstream::start();
    let who = "principal = \"alice\", attributes = { tenant = \"acme\" }, set_headers = { x-set = \"1\" }";
    let headers = "upstream_headers = { x-user = \"${auth.principal}\", x-tenant = \"t-${auth.tenant}\" }";
    let gateway = Gateway::start(&with(&[("who", who)], headers), &upstream);
    let reply = gateway.get("/x").await;
    assert_eq!((reply.status, reply.text()), (200, "hello"));
    let seen = upstream.last();
    assert_eq!(seen.header("x-user"), Some("alice"));
    assert_eq!(seen.header("x-tenant"), Some("t-acme"));
    assert_eq!(seen.header("x-set"), Some("1"));
}

#[tokio::test]
async fn a_denial_is_answered_with_its_own_status_headers_and_body() {
    let upstream = Upstream::start();
    let no = "verdict = \"deny\", status = 402, headers = { x-why = \"unpaid\" }, body = \"pay first\"";
    let gateway = Gateway::start(&with(&[("no", no)], ""), &upstream);
    let reply = gateway.get("/x").await;
    assert_eq!((reply.status, reply.text()), (402, "pay first"));
    assert_eq!(reply.header("x-why"), Some("unpaid"));
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn forged_headers_never_reach_the_upstream() {
    let upstream = Upstream::start();
    let headers = "upstream_headers = { x-user = \"${auth.principal}\", x-role = \"${auth.role}\" }";
    let gateway = Gateway::start(&with(&[("who", "principal = \"alice\"")], headers), &upstream);
    let call = gateway.get("/x").header("x-user", "root").header("X-Role", "admin").header("x_user", "root");
    call.header("connection", "x-user").await;
    let seen = upstream.last();
    assert_eq!(seen.headers.get_all("x-user").iter().count(), 1);
    assert_eq!(seen.header("x-user"), Some("alice"));
    assert_eq!((seen.header("x-role"), seen.header("x_user")), (None, None));
}

#[tokio::test]
async fn the_access_line_tells_verdict_principal_and_attributes() {
    let upstream = Upstream::start();
    let who = "principal = \"alice\", attributes = { tenant = \"acme\" }";
    let process = Process::start(&with(&[("who", who)], ""), &upstream);
    process.get("/x").await;
    let line = process.access_line("/x");
    assert_eq!((line["verdict"].as_str(), line["principal"].as_str()), (Some("allow"), Some("alice")));
    assert_eq!((line["route"].as_str(), line["status"].as_u64()), (Some("x"), Some(200)));
    assert!(line["attributes"].as_str().unwrap().contains("\"auth.tenant\":\"acme\""));
    assert!(line["plugins"].as_str().unwrap().starts_with("who="));
}
