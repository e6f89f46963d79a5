//! More than can be served: new requests are refused early, what is under way goes on, and the operator is answered.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use tokio::{task::JoinSet, time::timeout};

use super::all;
use crate::support::{
    Gateway, Held, Http2, Process, Raw, Reply, Upstream,
    raw::{DEADLINE, ask, get},
};

const PLUGIN: &str = "[plugins.first]\ncomponent = \"{guests}/bench-authorizer.wasm\"\n";

fn shed(reason: &str) -> String {
    format!("gatehouse_shed_total{{reason=\"{reason}\"}}")
}

fn is_refusal(answer: &Reply) -> bool {
    answer.status == 503 && answer.json()["code"] == "overloaded"
}

#[test]
fn at_the_limit_requests_are_refused_and_those_under_way_are_all_served() {
    let upstream = Held::start();
    let gateway = Gateway::start(&all("[overload]\nmax_requests = 3\nretry_after = \"7s\"\n"), &upstream);
    let mut under_way: Vec<Raw> = (0..3).map(|_| Raw::connect(gateway.address())).collect();
    for client in &mut under_way {
        client.send(get("/", ""));
        upstream.arrival();
    }
    assert_eq!(gateway.metric("gatehouse_requests_under_way"), 3);
    for count in 1..=50 {
        let answer = ask(gateway.address(), get("/", "connection: close\r\n"));
        assert_eq!((answer.status(), answer.json()["code"].as_str()), (503, Some("overloaded")));
        assert_eq!(answer.header("retry-after"), Some("7"));
        assert_eq!(gateway.metric(&shed("requests")), count);
    }
    upstream.release(3);
    assert!(under_way.iter_mut().all(|client| client.response().status() == 200));
    // There is room again, and the kept connections have it too.
    upstream.release(3);
    for client in &mut under_way {
        assert_eq!(client.send(get("/", "")).response().status(), 200);
    }
    assert_eq!(gateway.metric("gatehouse_requests_under_way"), 0);
}

#[test]
fn the_limit_is_of_all_workers_and_all_connections() {
    let upstream = Held::start();
    let server = "[server]\nworkers = 2\ndrain_timeout = \"1s\"\n";
    let gateway = Gateway::start(&all(&format!("{server}[overload]\nmax_requests = 8\n")), &upstream);
    let mut under_way: Vec<Raw> = (0..8).map(|_| Raw::connect(gateway.address())).collect();
    for client in &mut under_way {
        client.send(get("/", ""));
        upstream.arrival();
    }
    for _ in 0..20 {
        assert_eq!(ask(gateway.address(), get("/", "connection: close\r\n")).status(), 503);
    }
    upstream.release(8);
    assert!(under_way.iter_mut().all(|client| client.response().status() == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_one_connection_count_each() {
    let upstream = Held::start();
    let gateway = Gateway::start(&all("[overload]\nmax_requests = 3\n"), &upstream);
    let client = Http2::connect(gateway.address()).await;
    let mut asked = JoinSet::new();
    for _ in 0..10 {
        let sent = client.request("GET", "/");
        let sender = client.clone_sender();
        asked.spawn(async move { sender.send(sent).await.unwrap().status().as_u16() });
    }
    let mut statuses = Vec::new();
    while statuses.len() < 7 {
        statuses.push(timeout(DEADLINE, asked.join_next()).await.unwrap().unwrap().unwrap());
    }
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    upstream.release(3);
    while let Some(status) = timeout(DEADLINE, asked.join_next()).await.unwrap() {
        assert_eq!(status.unwrap(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_works_on_what_is_refused_and_what_is_critical_is_served() {
    let upstream = Held::start();
    let text = format!(
        "[overload]\nmax_requests = 1\n{PLUGIN}[routes.all]\nupstream = \"up\"\n\
         [routes.plugin]\npath = \"/plugin\"\nupstream = \"up\"\nplugins = [\"first\"]\n\
         [routes.health]\npath = \"/health\"\npriority = \"critical\"\nrespond = {{ status = 200, body = \"well\" }}\n"
    );
    let gateway = Gateway::start(&text, &upstream);
    let mut first = Raw::connect(gateway.address());
    first.send(get("/", ""));
    upstream.arrival();
    for _ in 0..5 {
        assert!(is_refusal(&gateway.get("/plugin").await));
        assert_eq!(gateway.get("/health").await.text(), "well");
    }
    assert_eq!(gateway.calls("first"), 0);
    upstream.release(1);
    assert_eq!(first.response().status(), 200);
}

#[test]
fn the_admin_address_answers_while_all_else_is_refused() {
    let upstream = Held::start();
    let process = Process::start(&all("[overload]\nmax_requests = 1\n[admin]\naddress = \"127.0.0.1:0\"\n"), &upstream);
    let mut first = Raw::connect(process.address());
    first.send(get("/", ""));
    upstream.arrival();
    // Ten clients that never stop asking.
    let address = process.address();
    let askers: Vec<_> = (0..10)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Raw::connect(address);
                (0..200).filter(|_| client.send(get("/", "")).response().status() == 503).count()
            })
        })
        .collect();
    let mut worst = Duration::ZERO;
    while askers.iter().any(|asker| !asker.is_finished()) {
        let begun = Instant::now();
        assert_eq!(ask(process.admin(), get("/readyz", "connection: close\r\n")).status(), 200);
        worst = worst.max(begun.elapsed());
    }
    let refused: usize = askers.into_iter().map(|asker| asker.join().unwrap()).sum();
    println!("{refused} requests were refused; the admin address took {worst:?} at the most");
    assert_eq!(refused, 2_000);
    assert_eq!(process.metric(&shed("requests")), 2_000);
    assert!(worst < Duration::from_secs(1), "{worst:?}");
    upstream.release(1);
    assert_eq!(first.response().status(), 200);
}

#[test]
fn beyond_its_memory_it_serves_a_few_at_a_time() {
    let upstream = Held::start();
    // Any process has more.
    let gateway = Gateway::start(&all("[overload]\nmax_memory = \"1MiB\"\n"), &upstream);
    let seen = Instant::now();
    let mut under_way = Vec::new();
    let refused = loop {
        let mut client = Raw::connect(gateway.address());
        client.send(get("/", ""));
        match client.quiet(Duration::from_millis(100)) {
            true => under_way.push(client),
            false => break client.response(),
        }
        assert!(seen.elapsed() < DEADLINE, "{} are under way", under_way.len());
    };
    assert_eq!((refused.status(), refused.json()["code"].as_str()), (503, Some("overloaded")));
    assert!(gateway.metric(&shed("memory")) > 0 && under_way.len() >= 8);
    assert!(gateway.metric("gatehouse_memory_bytes") > 1 << 20);
    upstream.release(under_way.len() + 1);
    assert!(under_way.iter_mut().all(|client| client.response().status() == 200));
    assert_eq!(ask(gateway.address(), get("/", "connection: close\r\n")).status(), 200);
}

/// Asks on several streams at once until it is told to stop; tells what the answers were.
async fn ask_and_ask(client: Http2, until: Instant) -> Vec<u16> {
    let mut statuses = Vec::new();
    while Instant::now() < until {
        let mut asked = JoinSet::new();
        for _ in 0..200 {
            let (sender, request) = (client.clone_sender(), client.request("GET", "/"));
            asked.spawn(async move {
                let answer = sender.send(request).await.unwrap();
                let status = answer.status().as_u16();
                answer.into_body().collect().await.unwrap();
                status
            });
        }
        while let Some(answered) = asked.join_next().await {
            statuses.push(answered.unwrap());
        }
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stays_late_refuses_some_and_stops_when_it_is_in_time() {
    let upstream = Upstream::start();
    let text = "[overload]\nmax_delay = \"2ms\"\n[log]\naccess = false\n[routes.all]\nrespond = { body = \"hello\" }\n\
        [routes.health]\npath = \"/health\"\npriority = \"critical\"\nrespond = { status = 200, body = \"well\" }\n";
    let gateway = Gateway::start(text, &upstream);
    let until = Instant::now() + Duration::from_secs(4);
    let mut askers = JoinSet::new();
    for _ in 0..30 {
        askers.spawn(ask_and_ask(Http2::connect(gateway.address()).await, until));
    }
    let mut pressure = false;
    while Instant::now() < until {
        assert_eq!(gateway.get("/health").await.text(), "well");
        let text = gateway.shared().metrics.text();
        let line = text.lines().find_map(|line| line.strip_prefix("gatehouse_overload_pressure ")).unwrap();
        pressure |= line.parse::<f64>().unwrap() > 0.0;
    }
    let statuses: Vec<u16> = askers.join_all().await.into_iter().flatten().collect();
    let refused = statuses.iter().filter(|status| **status == 503).count();
    println!("{refused} of {} requests were refused", statuses.len());
    assert!(statuses.iter().all(|status| [200, 503].contains(status)));
    assert!(pressure && refused > 0 && refused < statuses.len());
    assert_eq!(gateway.metric(&shed("delay")), refused as u64);
    // What is late is only a question of the bound; now the worker is in time, and two seconds later all is served.
    gateway.reload(&text.replace("2ms", "1m"), &upstream).unwrap();
    let end = Instant::now() + DEADLINE;
    while !gateway.shared().metrics.text().contains("gatehouse_overload_pressure 0.0\n") {
        assert!(Instant::now() < end, "it refuses for ever");
        tokio::task::yield_now().await;
    }
    assert_eq!(gateway.get("/").await.status, 200);
}
