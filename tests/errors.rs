//! Answers to failures as the configuration writes them.

use crate::support::{
    Gateway, Raw, Upstream,
    raw::{ask, get},
};

const ROUTES: &str = "[rate_limits.one]\nrate = \"1/d\"\n[routes.limited]\npath = \"/limited/{id}\"\nrate_limits = [\"one\"]\nupstream = \"up\"\n\
    [routes.gone]\npath = \"/gone\"\nupstream = \"gone\"\n[routes.get]\npath = \"/get\"\nmethods = [\"GET\"]\nupstream = \"up\"\n\
    [upstreams.gone]\nurl = \"http://127.0.0.1:1\"\n[upstreams.up]\nurl = \"http://{upstream}\"\n";

fn gateway(errors: &str, upstream: &Upstream) -> Gateway {
    Gateway::start(&format!("{errors}\n{ROUTES}"), upstream)
}

#[tokio::test]
async fn a_code_has_its_answer_and_its_class_one_for_the_rest() {
    let upstream = Upstream::start();
    let errors = "[errors.rate_limited]\nstatus = 420\nheaders = { x-error = \"slow down\" }\n\
        body = '{\"error\": \"${error.code}\", \"status\": ${error.status}, \"id\": \"${path.id}\", \"nobody\": \"${auth.principal}\"}'\n\
        [errors.4xx]\nbody = '{\"said\": \"${error.message}\"}'\n";
    let gateway = gateway(errors, &upstream);
    assert_eq!(gateway.get("/limited/a%22b").await.status, 200);
    let reply = gateway.get("/limited/a%22b").await;
    assert_eq!((reply.status, reply.header("x-error")), (420, Some("slow down")));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    // What belongs to the failure stays.
    assert!(reply.header("retry-after").is_some() && reply.header("ratelimit").is_some());
    let said = reply.json();
    assert_eq!((said["error"].as_str(), said["status"].as_u64()), (Some("rate_limited"), Some(420)));
    assert_eq!((said["id"].as_str(), said["nobody"].as_str()), (Some("a%22b"), Some("")));
    let reply = gateway.get("/nowhere").await;
    assert_eq!((reply.status, reply.json()["said"].as_str()), (404, Some("no route matches this request")));
    let reply = gateway.call("POST", "/get").await;
    assert_eq!((reply.status, reply.header("allow").is_some()), (405, true));
    assert_eq!(reply.json()["said"], "this path supports GET");
    // Another class has none.
    let reply = gateway.get("/gone").await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (502, Some("upstream_unreachable")));
    // An upstream's own answer is none of ours.
    assert_eq!(gateway.get("/get").await.text(), "hello");
    assert_eq!(gateway.metric("gatehouse_failures_total{code=\"rate_limited\"}"), 1);
}

#[tokio::test]
async fn what_a_client_chooses_is_no_markup() {
    let upstream = Upstream::start();
    let errors = "[errors.route_not_found]\nheaders = { content-type = \"text/html\" }\n\
        body = \"\"\"<p title='${request.target}'>nothing at ${request.host}${request.target}\n</p>\"\"\"\n";
    let gateway = gateway(errors, &upstream);
    let reply = ask(gateway.address(), get("/x?q='onclick=alert(1)&b", ""));
    assert_eq!((reply.status(), reply.header("content-type")), (404, Some("text/html")));
    let text = String::from_utf8(reply.body).unwrap();
    assert!(text.contains("<p title='/x?q=&#39;onclick=alert(1)&amp;b'>nothing"), "{text}");
}

#[tokio::test]
async fn a_head_request_is_told_the_length_and_no_more() {
    let upstream = Upstream::start();
    let gateway = gateway(
        "[errors.route_not_found]\nheaders = { content-type = \"text/plain\" }\nbody = \"nothing\"\n",
        &upstream,
    );
    let mut raw = Raw::connect(gateway.address());
    raw.send("HEAD /nowhere HTTP/1.1\r\nhost: a\r\n\r\n");
    let head = raw.response_to_head();
    assert_eq!((head.status(), head.header("content-length")), (404, Some("7")));
    raw.send(get("/nowhere", ""));
    assert_eq!(raw.response().body, b"nothing");
}

#[tokio::test]
async fn an_answer_may_say_what_an_authorizer_said() {
    let upstream = Upstream::start();
    let text = format!(
        "[plugins.probe]\ncomponent = \"{{guests}}/probe.wasm\"\n\
         config.authorize = {{ verdict = \"allow\", principal = \"alice\" }}\n\
         [errors.5xx]\nbody = '{{\"sorry\": \"${{auth.principal}}\"}}'\n{}",
        ROUTES.replace("path = \"/gone\"", "path = \"/gone\"\nplugins = [\"probe\"]")
    );
    let gateway = Gateway::start(&text, &upstream);
    let reply = gateway.get("/gone").await;
    assert_eq!((reply.status, reply.json()["sorry"].as_str()), (502, Some("alice")));
}
