//! Two gateways, one limit.

use super::{QUOTA, RATE, text};
use crate::support::{Gateway, Process, Redis, Upstream, tls::Authority};
use crate::usage::ALICE;

/// How many of requests at once pass, of two gateways in processes of their own.
async fn passed(text: &str, key: Option<&str>, upstream: &Upstream) -> usize {
    let gateways = [Process::start(text, upstream), Process::start(text, upstream)];
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..160 {
        let mut call = gateways[number % 2].get("/a");
        if let Some(key) = key {
            call = call.header("x-api-key", key);
        }
        asked.spawn(call.into_future());
    }
    let answers = asked.join_all().await;
    assert!(answers.iter().all(|reply| [200, 429].contains(&reply.status)));
    answers.iter().filter(|reply| reply.status == 200).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_let_pass_together_exactly_what_one_limit_says() {
    let upstream = Upstream::start();
    let server = "[server]\nworkers = 2\n[admin]\naddress = \"127.0.0.1:0\"\n";
    let plan = format!(
        "[usage_plans.p]\nquota = {{ requests = 40, per = \"day\" }}\nstore = \"redis.main\"\n\
        [api_keys.alice]\nsha256 = \"{}\"\nplan = \"p\"\n",
        ALICE.1
    );
    for (limit, of_route, key) in [
        (RATE, "rate_limits = [\"l\"]\n", None),
        (QUOTA, "quotas = [\"q\"]\n", None),
        (&*plan, "api_key = \"required\"\n", Some(ALICE.0)),
    ] {
        let redis = Redis::start();
        let text = text(&redis, "timeout = \"5s\"", limit) + of_route + server;
        assert_eq!(passed(&text, key, &upstream).await, 40, "{limit}");
        let keys = redis.ask(&["INFO", "keyspace"]);
        assert!(keys.contains("db2:keys=1,expires=1"), "{keys}");
    }
    assert_eq!(upstream.seen().len(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_limits_are_one_step_and_what_one_refuses_takes_nothing_of_the_others() {
    let (upstream, redis) = (Upstream::start(), Redis::start());
    let limits = "[rate_limits.l]\nrate = \"1/h\"\nburst = 2\nstore = \"redis.main\"\n\
        [quotas.q]\nrequests = 5\nper = \"month\"\nstore = \"redis.main\"\n";
    let of_route = "rate_limits = [\"l\"]\nquotas = [\"q\"]\n";
    let gateway = Gateway::start(&(text(&redis, "timeout = \"5s\"", limits) + of_route), &upstream);
    let mut told = Vec::new();
    for _ in 0..4 {
        let reply = gateway.get("/a").await;
        let standings: Vec<_> = reply.headers.get_all("ratelimit").iter().collect();
        let standing = |index: usize| {
            standings.get(index).map(|value| value.to_str().unwrap().split(';').nth(1).unwrap().to_owned())
        };
        told.push((reply.status, standing(0).unwrap(), standing(1)));
    }
    let told: Vec<_> = told.iter().map(|(status, rate, quota)| (*status, &**rate, quota.as_deref())).collect();
    assert_eq!(told, [(200, "r=1", Some("r=4")), (200, "r=0", Some("r=3")), (429, "r=0", None), (429, "r=0", None)]);
    assert_eq!(gateway.metric("gatehouse_redis_decisions_total{redis=\"main\",result=\"answered\"}"), 4);
    let refused = gateway.get("/a").await;
    assert!((3590..=3600).contains(&refused.header("retry-after").unwrap().parse::<u64>().unwrap()));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"l\";q=2;w=7200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_the_password_and_tells_nobody() {
    let upstream = Upstream::start();
    let redis = Redis::start_with(&["--requirepass", "p@ss/word"]);
    let limits = "[rate_limits.l]\nrate = \"1/h\"\nstore = \"redis.main\"\n";
    let text = text(&redis, "timeout = \"5s\"\nwhen_away = \"closed\"", limits) + "rate_limits = [\"l\"]\n";
    let with = |password: &str| text.replace("redis://", &format!("redis://:{password}@"));
    let gateway = Gateway::start(&with("p%40ss%2Fword"), &upstream);
    assert_eq!([gateway.get("/a").await.status, gateway.get("/a").await.status], [200, 429]);
    let process = Process::start(&with("wrong"), &upstream);
    assert_eq!(process.get("/a").await.status, 503);
    let line = process.line(|line| line.contains("redis is away"));
    assert!(line.contains("AuthenticationFailed") && !line.contains("wrong@"), "{line}");
    let broken = Gateway::try_start(&with("secret").replace("/2\"", "/two\""), &upstream).err().unwrap();
    assert!(broken.contains("a database is a number"), "{broken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_its_certificate_is_verified() {
    let (upstream, authority) = (Upstream::start(), Authority::new("redis"));
    authority.issue("redis", &["localhost"]);
    let redis = Redis::start_tls(&authority);
    let limits = "[rate_limits.l]\nrate = \"1/h\"\nstore = \"redis.main\"\n";
    let with = |authority: &Authority| {
        let more = format!("timeout = \"5s\"\nwhen_away = \"closed\"\nca = {:?}", authority.file("ca.pem"));
        let text = text(&redis, &more, limits).replace("redis://127.0.0.1", "rediss://localhost");
        text + "rate_limits = [\"l\"]\n"
    };
    let gateway = Gateway::start(&with(&authority), &upstream);
    assert_eq!([gateway.get("/a").await.status, gateway.get("/a").await.status], [200, 429]);
    assert_eq!(Gateway::start(&with(&Authority::new("other")), &upstream).get("/a").await.status, 503);
}
