//! Upstreams with several endpoints: who is asked, what becomes of a request when one fails, and who gets none for a while.

mod health;
mod retries;

use std::{
    net::{SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::support::{Gateway, Held, Process, Upstream, until};

/// A configuration with an upstream `up` of these endpoints, and what else it says of itself.
fn text(endpoints: &[SocketAddr], more: &str) -> String {
    let urls: Vec<String> = endpoints.iter().map(|address| format!("\"http://{address}\"")).collect();
    format!("[upstreams.up]\nendpoints = [{}]\n{more}\n[routes.all]\nupstream = \"up\"\n", urls.join(", "))
}

fn gateway(endpoints: &[&Upstream], more: &str) -> Gateway {
    let addresses: Vec<SocketAddr> = endpoints.iter().map(|upstream| upstream.address()).collect();
    Gateway::start(&text(&addresses, more), endpoints[0])
}

/// How many requests reached each.
fn counts(endpoints: &[&Upstream]) -> Vec<usize> {
    endpoints.iter().map(|upstream| upstream.seen().len()).collect()
}

/// An address at which nobody listens, and where somebody may.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Whether an endpoint gets requests, as the metrics have it.
fn is_available(gateway: &Gateway, endpoint: SocketAddr) -> bool {
    gateway.metric(&format!("gatehouse_upstream_endpoint_available{{upstream=\"up\",endpoint=\"{endpoint}\"}}")) == 1
}

#[tokio::test]
async fn requests_go_to_each_in_turn_by_its_weight() {
    let [a, b] = [Upstream::start(), Upstream::start()];
    let text = format!(
        "[upstreams.up]\nendpoints = [{{ url = \"http://{}\", weight = 3 }}, \"http://{}\"]\n[routes.all]\nupstream = \"up\"\n",
        a.address(),
        b.address()
    );
    let gateway = Gateway::start(&text, &a);
    for _ in 0..40 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!(counts(&[&a, &b]), [30, 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_request_goes_to_the_less_busy_of_two() {
    let held = Held::start();
    let free = Upstream::start();
    let gateway = gateway(&[&held, &free], "balance = \"least-request\"");
    // One is held; from then on all go to the other.
    let mut under_way = Vec::new();
    while under_way.is_empty() {
        let call = tokio::spawn(gateway.get("/").into_future());
        match tokio::time::timeout(Duration::from_millis(300), call).await {
            Ok(reply) => assert_eq!(reply.unwrap().status, 200),
            Err(_) => under_way.push(()),
        }
    }
    held.arrival();
    let before = free.seen().len();
    for _ in 0..30 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    assert_eq!(free.seen().len() - before, 30);
    held.release(10);
}

#[tokio::test]
async fn the_same_key_goes_to_the_same_endpoint() {
    let probe = "[plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\n";
    let keys = [("header:x-user", "x-user"), ("cookie:sid", "cookie"), ("${request.client-ip}", "x-forwarded-for")];
    for (key, header) in keys {
        let [a, b] = [Upstream::start(), Upstream::start()];
        let addresses = [a.address(), b.address()];
        let more = format!("balance = \"hash\"\nhash_key = \"{key}\"");
        let server = "[server]\nworkers = 2\ntrusted_proxies = [\"127.0.0.1\"]\n";
        let gateway = Gateway::start(&format!("{probe}{server}{}", text(&addresses, &more)), &a);
        for user in 0..20 {
            let value = match header {
                "cookie" => format!("a=b; sid={user}"),
                "x-user" => format!("user-{user}"),
                _ => format!("192.0.2.{user}"),
            };
            let before = counts(&[&a, &b]);
            for _ in 0..3 {
                assert_eq!(gateway.get("/").header(header, &value).await.status, 200);
            }
            let after = counts(&[&a, &b]);
            let more: Vec<usize> = before.iter().zip(after).map(|(before, after)| after - before).collect();
            assert!(more == [3, 0] || more == [0, 3], "{key} {value}: {more:?}");
        }
        assert!(counts(&[&a, &b]).iter().all(|&count| count > 6), "{key}");
        // Without the key it is whose turn it is.
        if header != "x-forwarded-for" {
            let before = counts(&[&a, &b]);
            for _ in 0..4 {
                gateway.get("/").await;
            }
            assert_eq!(counts(&[&a, &b]), [before[0] + 2, before[1] + 2]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_max_requests_some_wait_and_the_rest_is_told() {
    let held = Held::start();
    let gateway = gateway(&[&held], "max_requests = 1\nmax_pending = 1\nconnect_timeout = \"5s\"");
    let first = tokio::spawn(gateway.get("/").into_future());
    held.arrival();
    let second = tokio::spawn(gateway.get("/").into_future());
    // It has no way to say that it waits: the third is refused from then on.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let third = gateway.get("/").await;
    assert_eq!((third.status, third.header("retry-after")), (503, Some("1")));
    assert_eq!(third.json()["code"], "upstream_busy");
    held.release(1);
    assert_eq!(first.await.unwrap().status, 200);
    held.arrival();
    held.release(1);
    assert_eq!(second.await.unwrap().status, 200);
    // All of it is given back.
    held.release(1);
    assert_eq!(gateway.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_vain_is_told_after_connect_timeout() {
    let held = Held::start();
    let gateway = gateway(&[&held], "max_requests = 1\nmax_pending = 5\nconnect_timeout = \"100ms\"");
    let first = tokio::spawn(gateway.get("/").into_future());
    held.arrival();
    assert_eq!(gateway.get("/").await.json()["code"], "upstream_busy");
    // A client that leaves gives its place back.
    first.abort();
    held.release(1);
    held.release(1);
    let mut status = 503;
    for _ in 0..50 {
        status = gateway.get("/").await.status;
        if status == 200 {
            break;
        }
        held.release(1);
    }
    assert_eq!(status, 200);
}

#[test]
fn the_access_line_says_who_answered_and_what_was_tried() {
    let well = Upstream::start();
    let gone = nobody();
    let process = Process::start(&text(&[gone, well.address()], ""), &well);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(process.get("/first").into_future()).status, 200);
    let line = process.access_line("/first");
    assert_eq!(line["endpoint"], well.address().to_string());
    assert_eq!(line["retries"], 1);
}

/// An upstream that answers with the status that it has been told last.
struct Moody {
    upstream: Upstream,
    status: &'static AtomicU16,
}

impl Moody {
    fn start(status: u16) -> Self {
        let status: &'static AtomicU16 = Box::leak(Box::new(AtomicU16::new(status)));
        let upstream = Upstream::answering(move |_| {
            let mut response = Response::new(Full::new(Bytes::from_static(b"moody")));
            *response.status_mut() = status.load(Ordering::Relaxed).try_into().unwrap();
            response
        });
        Self { upstream, status }
    }

    fn set(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Requests that were no checks.
    fn asked(&self) -> usize {
        self.upstream.seen().iter().filter(|seen| seen.target != "/healthz").count()
    }
}

/// Waits, without holding up who answers.
fn wait_until(is: impl Fn() -> bool) {
    until(Duration::from_secs(10), || {
        thread::sleep(Duration::from_millis(5));
        is()
    });
}
