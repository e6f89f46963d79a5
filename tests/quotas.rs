//! Quotas: how many pass in a period of the calendar, what a client is told, and what outlives a reload and a restart.

use std::{fs, time::Duration};

use crate::support::{Gateway, Process, Reply, Start, Upstream, raw::DEADLINE, until};

const DAY: u64 = 86_400;

/// A configuration with a quota `q` of these keys on its one route; the clock of a gateway begins with Thursday, 2026-01-01.
fn text(quota: &str, more: &str) -> String {
    format!("[quotas.q]\n{quota}\n[routes.r]\nupstream = \"up\"\nquotas = [\"q\"]\n{more}")
}

fn told(reply: &Reply) -> (u16, &str, &str, Option<&str>) {
    let header = |name| reply.header(name).unwrap_or_default();
    (reply.status, header("ratelimit"), header("ratelimit-policy"), reply.header("retry-after"))
}

async fn statuses(gateway: &Gateway, requests: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..requests {
        statuses.push(gateway.get("/").await.status);
    }
    statuses
}

#[tokio::test]
async fn a_quota_is_used_up_until_its_day_ends_and_the_client_is_told() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&text("requests = 2\nper = \"day\"", ""), &upstream);
    let policy = "\"q\";q=2;w=86400";
    assert_eq!(told(&gateway.get("/").await), (200, "\"q\";r=1;t=86400", policy, None));
    gateway.pass(600);
    assert_eq!(told(&gateway.get("/").await), (200, "\"q\";r=0;t=85800", policy, None));
    let refused = gateway.get("/").await;
    assert_eq!(told(&refused), (429, "\"q\";r=0;t=85800", policy, Some("85800")));
    assert_eq!(refused.json()["code"], "quota_exceeded");
    gateway.pass(DAY - 601);
    assert_eq!(statuses(&gateway, 1).await, [429]);
    gateway.pass(1);
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429]);
    assert_eq!(gateway.metric("gatehouse_quota_exceeded_total{quota=\"q\"}"), 3);
    assert_eq!(upstream.seen().len(), 4);
}

#[tokio::test]
async fn weeks_and_months_begin_where_the_calendar_and_the_offset_say() {
    let upstream = Upstream::start();
    for (quota, days, length) in [
        ("per = \"week\"", 3, 7),
        ("per = \"week\"\noffset = 1", 4, 7),
        ("per = \"week\"\noffset = 4", 7, 7),
        ("per = \"month\"", 31, 31),
        ("per = \"month\"\noffset = 9", 9, 31),
    ] {
        let gateway = Gateway::start(&text(&format!("requests = 1\n{quota}"), ""), &upstream);
        let reply = gateway.get("/").await;
        let told = (reply.header("ratelimit"), reply.header("ratelimit-policy"));
        let standing = format!("\"q\";r=0;t={}", days * DAY);
        assert_eq!(told, (Some(&*standing), Some(&*format!("\"q\";q=1;w={}", length * DAY))), "{quota}");
        gateway.pass(days * DAY - 1);
        assert_eq!(statuses(&gateway, 1).await, [429], "{quota}");
        gateway.pass(1);
        assert_eq!(statuses(&gateway, 2).await, [200, 429], "{quota}");
    }
}

#[tokio::test]
async fn each_value_of_the_key_has_its_own_count() {
    let upstream = Upstream::start();
    let more = "[server]\nworkers = 1\ntrusted_proxies = [\"127.0.0.1\"]\n";
    let quota = "requests = 1\nper = \"month\"\nkey = \"${request.client-ip}\"";
    let gateway = Gateway::start(&text(quota, more), &upstream);
    for (client, status) in [("192.0.2.1", 200), ("192.0.2.1", 429), ("192.0.2.2", 200)] {
        assert_eq!(gateway.get("/").header("x-forwarded-for", client).await.status, status, "{client}");
    }
}

#[tokio::test]
async fn what_a_rate_limit_refuses_takes_nothing_of_a_quota() {
    let upstream = Upstream::start();
    let more = "rate_limits = [\"l\"]\n[rate_limits.l]\nrate = \"1/s\"\n";
    let gateway = Gateway::start(&text("requests = 2\nper = \"day\"", more), &upstream);
    assert_eq!(statuses(&gateway, 5).await, [200, 429, 429, 429, 429]);
    gateway.pass(1);
    let last = gateway.get("/").await;
    let standings: Vec<_> = last.headers.get_all("ratelimit").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!((last.status, standings), (200, vec!["\"l\";r=0;t=1", "\"q\";r=0;t=86399"]));
}

#[tokio::test]
async fn of_requests_at_once_exactly_the_quota_passes_whichever_worker_takes_them() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&text("requests = 30\nper = \"day\"", "[server]\nworkers = 4\n"), &upstream);
    let mut asked = tokio::task::JoinSet::new();
    (0..200).for_each(|_| drop(asked.spawn(gateway.get("/").into_future())));
    let answers = asked.join_all().await;
    assert_eq!(answers.iter().filter(|reply| reply.status == 200).count(), 30);
    assert_eq!(upstream.seen().len(), 30);
}

#[tokio::test]
async fn a_reload_that_allows_more_goes_on_counting() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&text("requests = 1\nper = \"day\"", ""), &upstream);
    assert_eq!(statuses(&gateway, 2).await, [200, 429]);
    gateway.reload(&text("requests = 3\nper = \"day\"", ""), &upstream).unwrap();
    assert_eq!(statuses(&gateway, 3).await, [200, 200, 429]);
    gateway.reload(&text("requests = 3\nper = \"week\"", ""), &upstream).unwrap();
    assert_eq!(statuses(&gateway, 1).await, [200]);
}

#[tokio::test]
async fn a_restart_goes_on_counting_within_the_period() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("made/anew");
    let server = format!("[server]\nworkers = 1\nstate = {state:?}\n");
    let text = text("requests = 3\nper = \"day\"\nkey = \"${request.client-ip}\"", &server);
    let gateway = Gateway::start(&text, &upstream);
    assert_eq!(statuses(&gateway, 2).await, [200, 200]);
    drop(gateway);
    let kept = fs::read_to_string(state.join("quotas")).unwrap();
    assert!(!kept.contains("127.0.0.1") && kept.lines().count() == 3, "{kept}");
    let gateway = Gateway::start(&text, &upstream);
    assert_eq!(statuses(&gateway, 2).await, [200, 429]);
    // What was counted on another day does not count.
    drop(gateway);
    fs::write(state.join("quotas"), kept.replace(" 1767225600 ", " 1767139200 ")).unwrap();
    assert_eq!(statuses(&Gateway::start(&text, &upstream), 4).await, [200, 200, 200, 429]);
}

#[tokio::test]
async fn a_file_of_counts_that_is_broken_keeps_no_gateway_from_starting() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let text = text("requests = 1\nper = \"day\"", &format!("[server]\nworkers = 1\nstate = {:?}\n", folder.path()));
    for broken in ["", "gatehouse quotas 2\n", "gatehouse quotas 1\nquota q Day 0\nno number\n", "\u{0}\u{1}"] {
        fs::write(folder.path().join("quotas"), broken).unwrap();
        assert_eq!(statuses(&Gateway::start(&text, &upstream), 2).await, [200, 429], "{broken:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_has_kept_what_is_a_few_seconds_old() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let text = text("requests = 3\nper = \"month\"", &format!("[server]\nworkers = 1\nstate = {:?}\n", folder.path()));
    let process = Process::start(&text, &upstream);
    for _ in 0..2 {
        assert_eq!(process.get("/").await.status, 200);
    }
    until(DEADLINE, || fs::read_to_string(folder.path().join("quotas")).is_ok_and(|kept| kept.ends_with(" 2\n")));
    drop(process);
    let process = Process::start(&text, &upstream);
    assert_eq!([process.get("/").await.status, process.get("/").await.status], [200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_folder_the_log_says_that_a_restart_forgets() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let start = Start { log: Some(&log), ..Start::default() };
    let _process = Process::start_as(&text("requests = 3\nper = \"month\"", ""), &upstream, &start);
    assert!(fs::read_to_string(&log).unwrap().contains("a restart forgets how quotas stand"));
}

#[test]
fn two_gateways_do_not_keep_their_counts_in_one_folder() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let text = text("requests = 3\nper = \"month\"", &format!("[server]\nworkers = 1\nstate = {:?}\n", folder.path()));
    let first = Gateway::start(&text, &upstream);
    let second = Gateway::try_start(&text, &upstream).err().expect("the folder is taken");
    assert!(second.contains("another gateway has it"), "{second}");
    let elsewhere = text.replace("/tmp", "/elsewhere");
    assert!(first.reload(&elsewhere, &upstream).unwrap_err().to_string().contains("`state` cannot change"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_written_it_serves_and_counts() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let text = text("requests = 1\nper = \"month\"", &format!("[server]\nworkers = 1\nstate = {:?}\n", folder.path()));
    let process = Process::start(&text, &upstream);
    fs::create_dir(folder.path().join("quotas.new")).unwrap();
    assert_eq!(process.get("/").await.status, 200);
    process.line(|line| line.contains("cannot be kept"));
    assert_eq!(process.get("/").await.status, 429);
    fs::remove_dir(folder.path().join("quotas.new")).unwrap();
    until(DEADLINE + Duration::from_secs(5), || folder.path().join("quotas").exists());
}
