//! Authorizing: verdicts, how they combine, what becomes of attributes, what a client cannot forge.

use crate::support::{Call, Gateway, Process, Reply, Upstream};

const ALLOW: &str = "verdict = \"allow\"";
const DENY: &str = "verdict = \"deny\"";
/// A denial that is not like [`DENY`].
const PAY: &str = "verdict = \"deny\", status = 402, body = \"pay first\"";
const ABSTAIN: &str = "verdict = \"abstain\"";
const ERROR: &str = "act = \"error:hunter2\"";
/// As a later authorizer: had it been called, its faults would have been counted.
const TRAP: &str = "act = \"trap\"";
const ANY: &str = "authorize = \"any\"";

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

/// What `/x` answers, and the gateway that did.
async fn ask(authorizers: &[(&str, &str)], route: &str) -> (Reply, Gateway) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&with(authorizers, route), &upstream);
    let reply = gateway.get("/x").await;
    assert_eq!(upstream.seen().len(), usize::from(reply.status == 200), "only what passed reaches the upstream");
    (reply, gateway)
}

fn faults(gateway: &Gateway, plugin: &str) -> u64 {
    gateway.metric(&format!("gatehouse_plugin_faults_total{{plugin=\"{plugin}\"}}"))
}

/// A reply that the gateway itself makes.
fn assert_failure(reply: &Reply, status: u16, code: &str) {
    let body = reply.json();
    assert_eq!((reply.status, body["code"].as_str()), (status, Some(code)));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(body["request_id"].as_str(), reply.header("x-request-id"));
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert_eq!(body.as_object().unwrap().len(), 3);
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
async fn over_http2_verdicts_are_the_same() {
    let upstream = Upstream::start();
    let it = "verdict_header = \"x-verdict\", principal = \"alice\", status = 402, body = \"pay first\"";
    let headers = "upstream_headers = { x-user = \"${auth.principal}\" }";
    let gateway = Gateway::start(&with(&[("it", it)], headers), &upstream);
    let get = |verdict| gateway.get("/x").http2().header("x-verdict", verdict);
    assert_eq!(get("allow").await.status, 200);
    assert_eq!(upstream.last().header("x-user"), Some("alice"));
    let denied = get("deny").await;
    assert_eq!((denied.status, denied.text()), (402, "pay first"));
    assert_failure(&get("abstain").await, 401, "unauthorized");
    assert_failure(&get("hunter2").await, 500, "plugin_error");
}

#[tokio::test]
async fn when_all_abstain_the_answer_is_401_with_a_challenge() {
    for combine in ["", ANY] {
        let (reply, _gateway) = ask(&[("a", ABSTAIN), ("b", ABSTAIN)], combine).await;
        assert_failure(&reply, 401, "unauthorized");
        assert!(reply.header("www-authenticate").is_some_and(|challenge| !challenge.is_empty()));
    }
}

#[tokio::test]
async fn one_that_abstains_leaves_the_decision_to_the_others() {
    for combine in ["", ANY] {
        assert_eq!(ask(&[("a", ABSTAIN), ("b", ALLOW)], combine).await.0.status, 200);
        assert_eq!(ask(&[("a", ALLOW), ("b", ABSTAIN)], combine).await.0.status, 200);
        assert_eq!(ask(&[("a", ABSTAIN), ("b", PAY)], combine).await.0.status, 402);
        assert_eq!(ask(&[("a", PAY), ("b", ABSTAIN)], combine).await.0.status, 402);
    }
}

#[tokio::test]
async fn with_any_the_first_that_allows_decides_and_the_others_are_not_called() {
    let (reply, gateway) = ask(&[("no", DENY), ("yes", ALLOW), ("later", TRAP)], ANY).await;
    assert_eq!(reply.status, 200);
    assert_eq!(faults(&gateway, "later"), 0);
}

#[tokio::test]
async fn with_any_the_first_refusal_is_the_answer_when_none_allows() {
    assert_eq!(ask(&[("a", PAY), ("b", DENY)], ANY).await.0.status, 402);
    assert_eq!(ask(&[("a", DENY), ("b", PAY)], ANY).await.0.status, 403);
    assert_eq!(ask(&[("a", DENY), ("b", ERROR)], ANY).await.0.status, 403);
    assert_failure(&ask(&[("a", ERROR), ("b", DENY)], ANY).await.0, 500, "plugin_error");
}

#[tokio::test]
async fn with_any_one_that_fails_lets_nothing_pass_but_another_may() {
    for (bad, code) in [(ERROR, "plugin_error"), (TRAP, "plugin_trap")] {
        let (reply, gateway) = ask(&[("bad", bad), ("yes", ALLOW)], ANY).await;
        assert_eq!((reply.status, faults(&gateway, "bad")), (200, 1));
        assert_failure(&ask(&[("bad", bad)], ANY).await.0, 500, code);
        assert_failure(&ask(&[("bad", bad), ("shy", ABSTAIN)], ANY).await.0, 500, code);
        assert_failure(&ask(&[("shy", ABSTAIN), ("bad", bad)], ANY).await.0, 500, code);
    }
}

#[tokio::test]
async fn with_all_every_one_must_allow() {
    assert_eq!(ask(&[("a", ALLOW), ("b", ALLOW), ("c", ALLOW)], "").await.0.status, 200);
    assert_eq!(ask(&[("a", ALLOW), ("b", ALLOW), ("c", DENY)], "").await.0.status, 403);
    assert_eq!(ask(&[("a", ALLOW), ("b", DENY), ("c", ALLOW)], "authorize = \"all\"").await.0.status, 403);
}

#[tokio::test]
async fn with_all_the_first_denial_decides_and_the_others_are_not_called() {
    let (reply, gateway) = ask(&[("yes", ALLOW), ("no", PAY), ("later", TRAP)], "").await;
    assert_eq!((reply.status, reply.text()), (402, "pay first"));
    assert_eq!(faults(&gateway, "later"), 0);
}

#[tokio::test]
async fn with_all_one_that_fails_refuses_and_the_others_are_not_called() {
    let (reply, gateway) = ask(&[("yes", ALLOW), ("bad", ERROR), ("later", TRAP)], "").await;
    assert_failure(&reply, 500, "plugin_error");
    assert_eq!((faults(&gateway, "bad"), faults(&gateway, "later")), (1, 0));
    assert_failure(&ask(&[("bad", TRAP), ("yes", ALLOW)], "").await.0, 500, "plugin_trap");
}

#[tokio::test]
async fn a_failing_authorizer_refuses_even_when_failures_are_skipped() {
    for bad in [ERROR, TRAP] {
        for combine in ["", ANY] {
            let upstream = Upstream::start();
            let skip = "on_failure = \"skip\"\nconfig =";
            let gateway = Gateway::start(&with(&[("bad", bad)], combine).replace("config =", skip), &upstream);
            assert_eq!(gateway.get("/x").await.status, 500);
            assert!(upstream.seen().is_empty());
        }
    }
}

#[tokio::test]
async fn no_text_of_a_failing_plugin_is_in_the_answer_but_in_the_log() {
    let upstream = Upstream::start();
    let process = Process::start(&with(&[("bad", ERROR)], ""), &upstream);
    let reply = process.get("/x").await;
    assert_failure(&reply, 500, "plugin_error");
    assert!(!format!("{reply:?}").contains("hunter2"));
    let line = process.line(|line| line.contains("hunter2"));
    assert!(line.contains(reply.header("x-request-id").unwrap()) && line.contains("bad"));
}

#[tokio::test]
async fn the_reason_of_a_denial_is_in_the_log_but_not_in_the_answer() {
    let upstream = Upstream::start();
    let no = "verdict = \"deny\", reason = \"hunter2\"";
    let log = "[log]\nformat = \"json\"\nlevel = \"debug\"";
    let process = Process::start(&with(&[("no", no)], log), &upstream);
    let reply = process.get("/x").await;
    assert_eq!((reply.status, reply.text()), (403, ""));
    assert!(!format!("{reply:?}").contains("hunter2"));
    let line = process.line(|line| line.contains("hunter2"));
    assert!(line.contains(reply.header("x-request-id").unwrap()));
}

#[tokio::test]
async fn filters_see_neither_a_denied_request_nor_the_denial() {
    let upstream = Upstream::start();
    let filter = "[plugins.filter]\ncomponent = \"{guests}/probe.wasm\"\n\
                  config = { on_request = { respond = { status = 299 } }, on_response = { status = 298 } }\n";
    let text = with(&[("no", DENY)], "").replace("[\"no\"]", "[\"filter\", \"no\"]");
    let gateway = Gateway::start(&(filter.to_owned() + &text), &upstream);
    assert_eq!(gateway.get("/x").await.status, 403);
}

/// `/x` asks for a credential before its authorizer; the authorizer would trap, and so be noticed.
fn identified(source: &str) -> String {
    with(&[("it", TRAP)], &format!("[plugins.it.cache]\nidentity = [\"{source}\"]"))
}

/// Sends requests that lack a credential, and one that has it.
async fn assert_asks_for(source: &str, missing: &[fn(&Gateway) -> Call], there: fn(&Gateway) -> Call) {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&identified(source), &upstream);
    for call in missing {
        let reply = call(&gateway).await;
        assert_failure(&reply, 401, "identity_missing");
        assert!(reply.header("www-authenticate").is_some_and(|challenge| !challenge.is_empty()));
    }
    assert_eq!(faults(&gateway, "it"), 0);
    assert_failure(&there(&gateway).await, 500, "plugin_trap");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_missing_or_empty_identity_header_is_401_without_a_call() {
    let missing: [fn(&Gateway) -> Call; 4] = [
        |gateway| gateway.get("/x"),
        |gateway| gateway.get("/x?authorization=1").header("x-authorization", "1"),
        |gateway| gateway.get("/x").header("authorization", ""),
        |gateway| gateway.get("/x").header("authorization", "").http2(),
    ];
    let there = |gateway: &Gateway| gateway.get("/x").header("Authorization", "a");
    assert_asks_for("header:authorization", &missing, there).await;
}

#[tokio::test]
async fn a_missing_or_empty_identity_parameter_is_401_without_a_call() {
    let missing: [fn(&Gateway) -> Call; 5] = [
        |gateway| gateway.get("/x"),
        |gateway| gateway.get("/x?"),
        |gateway| gateway.get("/x?key="),
        |gateway| gateway.get("/x?key&k=1"),
        |gateway| gateway.get("/x?KEY=1").header("key", "1"),
    ];
    assert_asks_for("query:key", &missing, |gateway| gateway.get("/x?a=1&%6bey=1")).await;
}

#[tokio::test]
async fn a_missing_or_empty_identity_cookie_is_401_without_a_call() {
    let missing: [fn(&Gateway) -> Call; 4] = [
        |gateway| gateway.get("/x?sid=1"),
        |gateway| gateway.get("/x").header("cookie", "sid="),
        |gateway| gateway.get("/x").header("cookie", "a=1; sid; xsid=1"),
        |gateway| gateway.get("/x").header("cookie", "SID=1"),
    ];
    let there = |gateway: &Gateway| gateway.get("/x").header("cookie", "a=1; sid=1");
    assert_asks_for("cookie:sid", &missing, there).await;
}

#[tokio::test]
async fn every_identity_source_must_be_there() {
    let upstream = Upstream::start();
    let cache = "[plugins.it.cache]\nidentity = [\"header:x-a\", \"query:b\"]";
    let gateway = Gateway::start(&with(&[("it", ALLOW)], cache), &upstream);
    assert_failure(&gateway.get("/x?b=1").await, 401, "identity_missing");
    assert_failure(&gateway.get("/x").header("x-a", "1").await, 401, "identity_missing");
    assert_eq!(gateway.get("/x?b=1").header("x-a", "1").await.status, 200);
}

#[tokio::test]
async fn a_missing_identity_refuses_like_a_denial() {
    let identity = "[plugins.it.cache]\nidentity = [\"header:x-key\"]";
    let (reply, gateway) = ask(&[("it", TRAP), ("other", TRAP)], identity).await;
    assert_failure(&reply, 401, "identity_missing");
    assert_eq!(faults(&gateway, "other"), 0);
    let any = format!("{ANY}\n{identity}");
    assert_eq!(ask(&[("it", TRAP), ("yes", ALLOW)], &any).await.0.status, 200);
    assert_eq!(ask(&[("no", DENY), ("it", TRAP)], &any).await.0.status, 403);
}

#[tokio::test]
async fn an_authorizer_sees_what_those_before_it_have_set() {
    let upstream = Upstream::start();
    let first = "set_headers = { x-verdict = \"deny\" }";
    let second = "verdict_header = \"x-verdict\", status = 402";
    let gateway = Gateway::start(&with(&[("first", first), ("second", second)], ""), &upstream);
    assert_eq!(gateway.get("/x").header("x-verdict", "allow").await.status, 402);
}

#[tokio::test]
async fn an_authorizer_reads_the_attributes_of_those_before_it() {
    let upstream = Upstream::start();
    let (changing, constant) = ("read = [\"attribute:auth.count\"]", "read = [\"attribute:auth.tenant\"]");
    let first = "attributes = { tenant = \"acme\" }";
    let authorizers = [("first", first), ("changing", changing), ("constant", constant)];
    let gateway = Gateway::start(&with(&authorizers, "[plugins.first.cache]\nttl = \"0s\""), &upstream);
    for _ in 0..3 {
        assert_eq!(gateway.get("/x").await.status, 200);
    }
    // Who has read a value is asked again when it is another one.
    let asked = |name| gateway.metric(&format!("gatehouse_verdict_cache_misses_total{{plugin=\"{name}\"}}"));
    assert_eq!((asked("changing"), asked("constant")), (3, 1));
}

#[tokio::test]
async fn loggers_read_what_authorizers_granted() {
    let upstream = Upstream::start();
    let who = "principal = \"alice\", attributes = { tenant = \"acme\" }";
    let process = Process::start(&with(&[("who", who)], ""), &upstream);
    process.get("/x").await;
    let line = process.line(|line| line.contains("\"target\":\"plugin\""));
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    let told: serde_json::Value = serde_json::from_str(event["message"].as_str().unwrap()).unwrap();
    assert_eq!(told["attributes"]["auth.principal"], "alice");
    assert_eq!(told["attributes"]["auth.tenant"], "acme");
    assert_eq!((told["verdict"].as_str(), told["verdict_cached"].as_bool()), (Some("allow"), Some(false)));
}

#[tokio::test]
async fn the_later_authorizer_has_the_last_word_on_an_attribute() {
    let upstream = Upstream::start();
    let first = "principal = \"alice\", attributes = { tenant = \"acme\" }, set_headers = { x-set = \"1\" }";
    let second = "attributes = { tenant = \"initech\" }, set_headers = { x-set = \"2\" }";
    let headers = "upstream_headers = { x-user = \"${auth.principal}\", x-tenant = \"${auth.tenant}\" }";
    let gateway = Gateway::start(&with(&[("first", first), ("second", second)], headers), &upstream);
    gateway.get("/x").await;
    let seen = upstream.last();
    assert_eq!((seen.header("x-user"), seen.header("x-tenant")), (Some("alice"), Some("initech")));
    assert_eq!(seen.headers.get_all("x-set").iter().collect::<Vec<_>>(), ["2"]);
}

#[tokio::test]
async fn one_that_does_not_allow_leaves_no_trace_in_the_request() {
    let upstream = Upstream::start();
    let grant = "attributes = { role = \"admin\" }, set_headers = { x-role = \"admin\" }";
    let refusals = [DENY, ABSTAIN].map(|verdict| format!("{verdict}, {grant}"));
    let authorizers = [("no", refusals[0].as_str()), ("shy", refusals[1].as_str()), ("yes", ALLOW)];
    let headers = format!("{ANY}\nupstream_headers = {{ x-auth-role = \"${{auth.role}}\" }}");
    let gateway = Gateway::start(&with(&authorizers, &headers), &upstream);
    assert_eq!(gateway.get("/x").await.status, 200);
    let seen = upstream.last();
    assert_eq!((seen.header("x-role"), seen.header("x-auth-role")), (None, None));
}

#[tokio::test]
async fn a_template_with_a_missing_attribute_sends_no_header() {
    let upstream = Upstream::start();
    let headers = "upstream_headers = { x-user = \"user ${auth.principal}\", x-tenant = \"${auth.tenant}\", x-id = \"${request.id}\" }";
    let who = "attributes = { tenant = \"\" }";
    let gateway = Gateway::start(&with(&[("who", who)], headers), &upstream);
    let reply = gateway.get("/x").await;
    let seen = upstream.last();
    assert_eq!(seen.header("x-user"), None);
    assert_eq!(seen.header("x-tenant"), Some(""));
    assert_eq!(seen.header("x-id"), reply.header("x-request-id"));
}

#[tokio::test]
async fn a_header_that_the_authorizer_sets_replaces_the_clients() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&with(&[("who", "set_headers = { x-role = \"user\" }")], ""), &upstream);
    gateway.get("/x").header("x-role", "admin").header("x-role", "root").header("x-other", "1").await;
    let seen = upstream.last();
    assert_eq!(seen.headers.get_all("x-role").iter().collect::<Vec<_>>(), ["user"]);
    assert_eq!(seen.header("x-other"), Some("1"));
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

#[tokio::test]
async fn the_access_line_tells_that_a_failing_authorizer_refused() {
    let upstream = Upstream::start();
    let process = Process::start(&with(&[("yes", ALLOW), ("bad", ERROR)], ""), &upstream);
    for _ in 0..2 {
        process.get("/x").await;
        let line = process.access_line("/x");
        assert_eq!((line["verdict"].as_str(), line["verdict_cached"].as_bool()), (Some("deny"), Some(false)));
        assert_eq!((line["status"].as_u64(), line["failure"].as_str()), (Some(500), Some("plugin_error")));
    }
}
