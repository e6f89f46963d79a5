//! `basic-auth`.

use super::{assert_failed, hits_and_misses, with};
use crate::support::{Call, Gateway, Upstream};

const README: &str = include_str!("../../plugins/basic-auth/README.md");

/// Hashing takes some 30 ms, and longer where many tests run at once.
const ENOUGH: &str = "limits = { cpu = \"5s\", time = \"10s\" }";

const ALICE: &str = "Basic YWxpY2U6czNjcmV0OsOp";
const BOB: &str = "Basic Ym9iOmh1bnRlcjI=";

/// The password of alice is `s3cret:é`, of bob `hunter2`.
fn users(plugin: &str, config: &str) -> String {
    let plugin = format!(
        r#"
        {plugin}
        [plugins.it.config]
        realm = "staff"
        {config}
        [plugins.it.config.users.alice]
        hash = "$argon2id$v=19$m=19456,t=2,p=1$WfMK3JWwaBueDnMkBMreqg$y4Zb8TxTm5UV55+OmJie40m4mNRKI0PurmvP2f+FssI"
        attributes = {{ role = "admin" }}
        [plugins.it.config.users.bob]
        hash = "$2b$10$kto2TsGpGMPzjmcAq0M5x.Ga6S3LUYMv1rz0yTT1tIWgH2/17YxOm"
        "#
    );
    with("basic-auth", &plugin, "upstream_headers = { x-user = \"${auth.principal}\", x-role = \"${auth.role}\" }")
}

fn as_user(gateway: &Gateway, credentials: &str) -> Call {
    gateway.get("/").header("authorization", credentials)
}

#[tokio::test]
async fn the_right_password_passes_whether_its_hash_is_argon2_or_bcrypt() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&users(ENOUGH, ""), &upstream);
    for (credentials, user, role) in [(ALICE, "alice", Some("admin")), (BOB, "bob", None)] {
        assert_eq!(as_user(&gateway, credentials).header("x-role", "root").await.status, 200);
        let seen = upstream.last();
        assert_eq!((seen.header("x-user"), seen.header("x-role")), (Some(user), role));
        assert_eq!(seen.header("authorization"), Some(credentials));
    }
}

#[tokio::test]
async fn wrong_unknown_malformed_and_missing_credentials_get_the_same_401() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&users(ENOUGH, ""), &upstream);
    let wrong = [
        "Basic YWxpY2U6czNjcmV0",
        "Basic YWxpY2U6aHVudGVyMg==",
        "Basic ZXZlOmh1bnRlcjI=",
        "Basic !",
        "Basic",
        "Bearer x",
    ];
    let mut replies = vec![gateway.get("/").await];
    for credentials in wrong {
        replies.push(as_user(&gateway, credentials).await);
    }
    for reply in replies {
        assert_eq!((reply.status, reply.text()), (401, ""));
        assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"staff\", charset=\"UTF-8\""));
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn the_same_credentials_are_hashed_once() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&users(ENOUGH, ""), &upstream);
    for _ in 0..20 {
        assert_eq!(as_user(&gateway, ALICE).await.status, 200);
    }
    assert_eq!((hits_and_misses(&gateway), gateway.calls("it")), ((19, 1), 1));
    assert_eq!(upstream.last().header("x-role"), Some("admin"));
    gateway.pass(300);
    as_user(&gateway, ALICE).await;
    assert_eq!(hits_and_misses(&gateway), (19, 2));
}

#[tokio::test]
async fn without_a_raised_limit_hashing_is_cut_off_with_a_504_as_the_readme_says() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&users("", ""), &upstream);
    for credentials in [ALICE, BOB] {
        assert_failed(&as_user(&gateway, credentials).await, 504, "plugin_cpu_time");
    }
    assert_eq!(as_user(&gateway, "Basic !").await.status, 401, "it goes on");
    assert!(upstream.seen().is_empty());
    assert!(README.contains("504 (`plugin_cpu_time`)"));
}

#[tokio::test]
async fn the_password_does_not_reach_the_upstream_when_it_is_not_to_be_forwarded() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&users(ENOUGH, "forward = false"), &upstream);
    for _cached in [false, true] {
        assert_eq!(as_user(&gateway, BOB).await.status, 200);
        assert_eq!((upstream.last().header("authorization"), upstream.last().header("x-user")), (None, Some("bob")));
    }
}
