//! gRPC: what the gateway says itself is said as gRPC has it. That calls pass as they are is held by `cargo xtask grpc`, with
//! gRPC's own client and server.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http_body_util::BodyExt as _;

use super::text;
use crate::support::{
    Call, Gateway, Process, Raw, Reply,
    raw::RawUpstream,
    streams::{Streams, fields},
};

/// An upstream that answers as a server of gRPC does: `/refused` without a body, everything else with a message.
fn server() -> Streams {
    Streams::start(|mut exchange| async move {
        if exchange.head.uri.path() == "/refused" {
            let response = http::Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", "5")
                .header("grpc-message", "no such thing");
            exchange.respond.send_response(response.body(()).unwrap(), true).unwrap();
            return;
        }
        assert_eq!(exchange.header("te"), Some("trailers"));
        exchange.read().await;
        let mut answer = exchange.begin(&[("content-type", "application/grpc")]);
        answer.send_data(Bytes::from_static(b"\0\0\0\0\x02hi"), false).unwrap();
        match exchange.head.uri.path() {
            "/broken" => {
                BROKEN.notified().await;
                answer.send_reset(Reason::INTERNAL_ERROR);
            }
            _ => answer.send_trailers(fields(&[("grpc-status", "0"), ("x-cost", "3")])).unwrap(),
        }
    })
}

/// The client has the beginning: the rest may break off.
static BROKEN: tokio::sync::Notify = tokio::sync::Notify::const_new();

fn call(gateway: &Gateway, path: &str) -> Call {
    gateway.call("POST", path).header("content-type", "application/grpc+proto").header("te", "trailers").http2()
}

fn said(reply: &Reply) -> (u16, Option<&str>, Option<&str>, Option<&str>) {
    (reply.status, reply.header("content-type"), reply.header("grpc-status"), reply.header("grpc-message"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_s_denial_is_an_answer_that_grpc_understands() {
    let plugin = "[plugins.p]\ncomponent = \"{guests}/probe.wasm\"\n\
        config = { authorize = { verdict = \"deny\", status = 403, body = \"not you: 100 %\" } }\n";
    let gateway = Gateway::start(&format!("{plugin}{}", text("", "plugins = [\"p\"]")), &server());
    let reply = call(&gateway, "/a.B/C").await;
    assert_eq!(said(&reply), (200, Some("application/grpc"), Some("7"), Some("not you: 100 %25")));
    assert!(reply.body.is_empty() && reply.header("x-request-id").is_some());
    // Who does not ask by gRPC is answered as ever.
    let reply = gateway.call("POST", "/a.B/C").header("content-type", "application/grpc-web").await;
    assert_eq!((reply.status, reply.text()), (403, "not you: 100 %"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_status_and_nobody_else_s_answers_change() {
    let more = "[rate_limits.few]\nrate = \"1/h\"\n[errors.rate_limited]\nstatus = 420\nbody = \"{}\"\n\
        [upstreams.nobody]\nurl = \"http://127.0.0.1:1\"\nprotocol = \"http2\"\n\
        [routes.limited]\npath = \"/limited\"\nupstream = \"up\"\nrate_limits = [\"few\"]\n\
        [routes.down]\npath = \"/down\"\nupstream = \"nobody\"\n[routes.get]\npath = \"/get\"\nmethods = [\"GET\"]\nupstream = \"up\"\n";
    let text = text("", "path = \"/served\"");
    let upstream = server();
    let gateway = Gateway::start(&format!("{more}{text}"), &upstream);
    assert_eq!(said(&call(&gateway, "/limited").await), (200, Some("application/grpc"), None, None));
    let limited = call(&gateway, "/limited").await;
    assert_eq!(said(&limited).2, Some("8"));
    assert!(
        limited.header("grpc-message").unwrap().starts_with("too many requests")
            && limited.header("retry-after").is_some()
    );
    assert_eq!(gateway.get("/limited").await.status, 420);
    let grpc = Some("application/grpc");
    let down = call(&gateway, "/down").await;
    assert_eq!(said(&down), (200, grpc, Some("14"), Some("the upstream cannot be reached")));
    assert_eq!(said(&call(&gateway, "/nowhere").await), (200, grpc, Some("12"), Some("no route matches this request")));
    assert_eq!(said(&call(&gateway, "/get").await).2, Some("2"));
    assert_eq!(gateway.get("/nowhere").await.status, 404);
    assert_eq!(gateway.metric_at("gatehouse_grpc_answers_total{status=\"14\"}", 1), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_is_unavailable() {
    let upstream = Streams::start(|_exchange| std::future::pending());
    let gateway = Gateway::start(&text("first_byte_timeout = \"200ms\"", ""), &upstream);
    assert_eq!(said(&call(&gateway, "/").await).2, Some("14"));
}

#[test]
fn an_upstream_over_http1_that_breaks_is_unavailable_too() {
    let upstream = RawUpstream::saying("nonsense\r\n\r\n");
    let gateway = Gateway::start("[routes.all]\nupstream = \"up\"\n", &upstream);
    let request = "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n";
    let reply = Raw::connect(gateway.address()).send(request).response();
    assert_eq!((reply.status(), reply.header("grpc-status")), (200, Some("14")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_has_no_good_end() {
    let upstream = server();
    let process = Process::start(&text("", ""), &upstream);
    let client = crate::support::Http2::connect(process.address()).await;
    let request =
        |path: &str| client.request("POST", path).header("content-type", "application/grpc").header("te", "trailers");
    let mut broken = client.send(request("/broken")).await.unwrap().into_body();
    broken.frame().await.unwrap().unwrap();
    BROKEN.notify_one();
    assert!(broken.collect().await.is_err(), "it must not end as if it were whole");
    let whole = client.send(request("/whole")).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(whole.trailers(), Some(&fields(&[("grpc-status", "0"), ("x-cost", "3")])));
    let refused = client.send(request("/refused")).await.unwrap();
    assert_eq!(refused.headers()["grpc-status"], "5");
    assert!(refused.into_body().collect().await.unwrap().to_bytes().is_empty());
    // In the order of their ends.
    let line = process.access_line("/broken");
    assert!(line.get("grpc_status").is_none() && line["failure"] == "upstream_broken", "{line}");
    assert_eq!(process.access_line("/whole")["grpc_status"], 0);
    assert_eq!(process.access_line("/refused")["grpc_status"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_a_call_up_ends_it_at_the_upstream() {
    let (tell, told) = std::sync::mpsc::channel();
    let upstream = Streams::start(move |mut exchange| {
        let tell = tell.clone();
        async move {
            let arrived = tell.send(None);
            let reason = std::future::poll_fn(|cx| exchange.respond.poll_reset(cx)).await.unwrap();
            arrived.and(tell.send(Some(reason))).unwrap();
        }
    });
    let gateway = Gateway::start(&text("", ""), &upstream);
    let call = tokio::spawn(call(&gateway, "/").into_future());
    let within = Duration::from_secs(5);
    assert_eq!(told.recv_timeout(within).unwrap(), None);
    call.abort();
    assert_eq!(told.recv_timeout(within).unwrap(), Some(Reason::CANCEL));
}
