//! Routes with several upstreams: how many requests go to each, and which ones always go to the same.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;

use crate::support::{Gateway, Process, Raw, Upstream};

/// An upstream that answers with its name.
fn named(name: &'static str) -> Upstream {
    Upstream::answering(move |_| Response::new(Full::new(Bytes::from_static(name.as_bytes()))))
}

/// A configuration with upstreams `stable` and `next` of these weights, and a route with these keys.
fn text([stable, next]: [&Upstream; 2], weights: [u32; 2], keys: &str) -> String {
    format!(
        "[upstreams.stable]\nurl = \"http://{}\"\n[upstreams.next]\nurl = \"http://{}\"\n\
        [routes.r]\nupstream = {{ stable = {}, next = {} }}\n{keys}",
        stable.address(),
        next.address(),
        weights[0],
        weights[1],
    )
}

/// Where each of so many users is sent.
async fn users(gateway: &Gateway, count: u32) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    for user in 0..count {
        let reply = gateway.get("/").header("x-user", &format!("user-{user}")).await;
        assert_eq!(reply.status, 200);
        found.insert(user, reply.text().to_owned());
    }
    found
}

fn next(users: &BTreeMap<u32, String>) -> Vec<u32> {
    users.iter().filter(|(_, upstream)| *upstream == "next").map(|(user, _)| *user).collect()
}

#[tokio::test]
async fn users_stay_where_they_are_and_a_growing_weight_only_takes_more() {
    let upstreams = [&named("stable"), &named("next")];
    let sticky = "split.sticky = \"header:x-user\"";
    let gateway = Gateway::start(&text(upstreams, [95, 5], sticky), upstreams[0]);
    let first = users(&gateway, 400).await;
    assert_eq!(users(&gateway, 400).await, first, "who has been at one stays there");
    // 20 are expected of 400; three times the deviation of the binomial distribution is 13.
    assert!((7..=33).contains(&next(&first).len()), "{}", next(&first).len());
    let mut before = next(&first);
    for weights in [[80, 20], [50, 50], [500, 1500], [0, 1]] {
        gateway.reload(&text(upstreams, weights, sticky), upstreams[0]).unwrap();
        let now = next(&users(&gateway, 400).await);
        assert!(before.iter().all(|user| now.contains(user)), "who was there already has left at {weights:?}");
        let expected = 400 * weights[1] / (weights[0] + weights[1]);
        // Four times the deviation of the binomial distribution.
        assert!(expected.abs_diff(now.len() as u32) <= 40, "{weights:?}: {} for {expected}", now.len());
        before = now;
    }
    assert_eq!(before.len(), 400);
    // And back: those of the beginning, in another process too.
    let other = Gateway::start(&text(upstreams, [95, 5], sticky), upstreams[0]);
    assert_eq!(users(&other, 400).await, first);
}

#[tokio::test]
async fn chance_decides_where_nothing_is_sticky() {
    let upstreams = [&named("stable"), &named("next")];
    let gateway = Gateway::start(&text(upstreams, [3, 1], ""), upstreams[0]);
    for _ in 0..400 {
        assert_eq!(gateway.get("/").await.status, 200);
    }
    let found = upstreams[1].seen().len();
    // 100 are expected; the deviation is 8.7, and six times that is not to be met.
    assert!((48..=152).contains(&found), "{found}");
    assert_eq!(upstreams[0].seen().len() + found, 400);
    let count = |upstream| {
        gateway.metric(&format!("gatehouse_split_requests_total{{route=\"r\",upstream=\"{upstream}\",status=\"2xx\"}}"))
    };
    assert_eq!((count("stable"), count("next")), (400 - found as u64, found as u64));
}

#[tokio::test]
async fn a_weight_of_0_gets_only_who_asks_for_it_by_the_header() {
    let upstreams = [&named("stable"), &named("next")];
    let gateway = Gateway::start(&text(upstreams, [1, 0], "split.header = \"x-upstream\""), upstreams[0]);
    for _ in 0..50 {
        assert_eq!(gateway.get("/").await.text(), "stable");
    }
    assert_eq!(gateway.get("/").header("x-upstream", "next").await.text(), "next");
    for other in ["stable", "NEXT", "up", "", "next,stable"] {
        assert_eq!(gateway.get("/").header("x-upstream", other).await.text(), "stable", "{other}");
    }
    // Where no such header is configured, nobody chooses.
    gateway.reload(&text(upstreams, [1, 0], ""), upstreams[0]).unwrap();
    assert_eq!(gateway.get("/").header("x-upstream", "next").await.text(), "stable");
}

#[tokio::test]
async fn a_cookie_keeps_who_has_nothing_else_and_holds_nothing_but_a_number() {
    let upstreams = [&named("stable"), &named("next")];
    let keys = "split = { cookie = \"canary\", cookie_max_age = \"24h\" }";
    let gateway = Gateway::start(&text(upstreams, [1, 1], keys), upstreams[0]);
    let mut seen = Vec::new();
    for _ in 0..40 {
        let reply = gateway.get("/").await;
        let cookie = reply.header("set-cookie").unwrap().to_owned();
        let (pair, rest) = cookie.split_once(';').unwrap();
        assert_eq!(rest, " Path=/; Max-Age=86400; HttpOnly; SameSite=Lax");
        pair.strip_prefix("canary=").unwrap().parse::<u16>().unwrap();
        let again = gateway.get("/").header("cookie", &format!("a=b; {pair}")).await;
        assert_eq!((again.text(), again.header("set-cookie")), (reply.text(), None));
        seen.push((pair.to_owned(), reply.text().to_owned()));
    }
    assert!(["stable", "next"].iter().all(|name| seen.iter().any(|(_, found)| found == name)), "{seen:?}");
    // What is none of ours is replaced.
    for bad in ["canary=next", "canary=99999", "canary=-1", "canary="] {
        let reply = gateway.get("/").header("cookie", bad).await;
        assert!(reply.header("set-cookie").is_some_and(|cookie| cookie.starts_with("canary=")), "{bad}");
    }
    // Those that are at `next` are there still when it gets more.
    gateway.reload(&text(upstreams, [1, 3], keys), upstreams[0]).unwrap();
    for (pair, _) in seen.iter().filter(|(_, found)| found == "next") {
        assert_eq!(gateway.get("/").header("cookie", pair).await.text(), "next");
    }
}

#[tokio::test]
async fn the_cookie_is_set_where_the_upstream_fails_too_and_that_is_counted() {
    let up = named("stable");
    let text = format!(
        "[upstreams.stable]\nurl = \"http://{}\"\n[upstreams.gone]\nurl = \"http://127.0.0.1:1\"\n\
        [routes.r]\nupstream = {{ stable = 0, gone = 1 }}\nsplit.cookie = \"c\"",
        up.address()
    );
    let gateway = Gateway::start(&text, &up);
    let reply = gateway.get("/").await;
    assert_eq!((reply.status, reply.header("set-cookie").is_some()), (502, true));
    assert_eq!(gateway.metric("gatehouse_split_requests_total{route=\"r\",upstream=\"gone\",status=\"none\"}"), 1);
}

#[tokio::test]
async fn a_route_names_the_choice_to_its_plugins_and_its_answers() {
    let upstreams = [&named("stable"), &named("next")];
    let keys = "split.sticky = \"${path.id}-${query.q}\"\npath = \"/a/{id}\"\nresponse.headers.set = { x-variant = \"${upstream.name}\" }";
    let gateway = Gateway::start(&text(upstreams, [1, 1], keys), upstreams[0]);
    let mut all = Vec::new();
    for id in 0..40 {
        let reply = gateway.get(&format!("/a/{id}?q=1")).await;
        assert_eq!(reply.header("x-variant"), Some(reply.text()));
        all.push(reply.text().to_owned());
    }
    assert!(all.contains(&"stable".to_owned()) && all.contains(&"next".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_goes_where_its_handshake_does() {
    let stable = named("stable");
    let next = crate::support::RawUpstream::start(|raw| {
        let asked = raw.request().unwrap();
        let key = asked.header("sec-websocket-key").unwrap().to_owned();
        let accept = gatehouse_accept(&key);
        raw.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
        ));
        raw.send("hi");
    });
    let text = text([&stable, &next], [1, 0], "websocket = true\nsplit.header = \"x-upstream\"");
    let gateway = Gateway::start(&text, &stable);
    let mut client = Raw::connect(gateway.address());
    client.send(
        "GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nx-upstream: next\r\n\r\n",
    );
    client.until("hi");
    assert_eq!(stable.seen().len(), 0);
}

/// RFC 6455 section 1.3: the accept of its example.
fn gatehouse_accept(key: &str) -> &'static str {
    assert_eq!(key, "dGhlIHNhbXBsZSBub25jZQ==");
    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_line_says_which_one_it_was() {
    let upstreams = [&named("stable"), &named("next")];
    let process = Process::start(&text(upstreams, [0, 1], ""), upstreams[0]);
    assert_eq!(process.get("/a").await.text(), "next");
    let line = process.access_line("/a");
    assert_eq!(line["upstream"], "next");
    assert!(line["attributes"].as_str().is_some_and(|attributes| attributes.contains("\"upstream.name\":\"next\"")));
}
