//! The operator forgets what is kept, over the admin address.

use std::net::SocketAddr;

use super::{counting, gateway, told};
use crate::support::{
    Gateway, Held, Raw,
    raw::{ask, get as request},
};

fn admin(gateway: &Gateway) -> SocketAddr {
    gatehouse::admin::start("127.0.0.1:0".parse().unwrap(), gateway.shared()).unwrap()
}

fn purge(admin: SocketAddr, target: &str) -> (u16, String) {
    let answer = ask(admin, format!("DELETE {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
    (answer.status(), answer.text().trim().to_owned())
}

async fn fill(gateway: &Gateway) {
    for path in ["/pets/1", "/pets/1?x", "/pets/2", "/shops/1"] {
        gateway.get(path).header("host", "a.example").await;
    }
    gateway.get("/pets/1").header("host", "b.example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_named_by_path_prefix_or_host_is_forgotten_and_nothing_else() {
    let upstream = counting();
    for (query, purged) in [
        ("?path=/pets/1", 3),
        ("?path=/x/../pets/%31", 3),
        ("?prefix=/pets/", 4),
        ("?prefix=/shops", 1),
        ("?host=A.example", 4),
        ("?host=b.example&prefix=/pets", 1),
        ("?path=/pets", 0),
        ("", 5),
    ] {
        let gateway = gateway("ttl = \"60s\"", &upstream);
        let admin = admin(&gateway);
        fill(&gateway).await;
        let before = upstream.seen().len();
        assert_eq!(purge(admin, &format!("/caches/c{query}")), (200, format!("{{\"purged\":{purged}}}")), "{query}");
        fill(&gateway).await;
        assert_eq!(upstream.seen().len() - before, purged, "{query}");
        assert_eq!(purge(admin, "/caches/c"), (200, "{\"purged\":5}".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_is_misspelt_forgets_nothing() {
    let upstream = counting();
    let gateway = gateway("ttl = \"60s\"", &upstream);
    let admin = admin(&gateway);
    gateway.get("/a").await;
    assert_eq!(purge(admin, "/caches/d").0, 404);
    assert_eq!(purge(admin, "/caches/c?pth=/a").0, 400);
    for method in ["GET", "POST"] {
        assert_eq!(ask(admin, format!("{method} /caches/c HTTP/1.1\r\nhost: a\r\n\r\n")).status(), 405);
    }
    assert_eq!(told(&gateway.get("/a").await), (200, "1", "hit; ttl=60"));
    assert_eq!(ask(admin, "DELETE /metrics HTTP/1.1\r\nhost: a\r\n\r\n").status(), 405);
}

#[test]
fn what_was_asked_for_before_a_purge_or_a_change_is_not_kept_after_it() {
    let upstream = Held::start();
    let gateway = gateway("ttl = \"60s\"", &upstream);
    let admin = admin(&gateway);
    for change in [true, false] {
        let mut raw = Raw::connect(gateway.address());
        raw.send(request("/a", ""));
        upstream.arrival();
        if change {
            let mut other = Raw::connect(gateway.address());
            other.send("DELETE /a HTTP/1.1\r\nhost: a.example\r\n\r\n");
            upstream.arrival();
            upstream.release(2);
            other.response();
        } else {
            purge(admin, "/caches/c?path=/other");
            upstream.release(1);
        }
        raw.response();
        let mut next = Raw::connect(gateway.address());
        next.send(request("/a", ""));
        upstream.arrival();
        upstream.release(1);
        next.response();
        purge(admin, "/caches/c");
    }
}
