//! Who has a key.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use super::{ALICE, BOB, CAROL, gateway, outcome, text, with};
use crate::support::{Gateway, Process, Upstream};

const PROBE: &str = "[plugins.probe]\ncomponent = \"{guests}/probe.wasm\"\ncache = { ttl = \"0s\" }\n";

#[tokio::test]
async fn without_a_key_that_is_good_nothing_reaches_the_upstream() {
    let upstream = Upstream::start();
    let disabled = format!("[api_keys.carol]\nsha256 = \"{}\"\nplan = \"gold\"\nenabled = false\n", CAROL.1);
    let gateway = gateway("", &disabled, &upstream);
    assert_eq!(outcome(&gateway.get("/a").await), (403, "api_key_missing".to_owned()));
    for bad in ["guess", CAROL.0, ALICE.1, "alice", &ALICE.0[1..]] {
        assert_eq!(outcome(&with(&gateway, "/a", bad).await), (403, "api_key_invalid".to_owned()), "{bad}");
    }
    assert_eq!(outcome(&with(&gateway, "/a", "").await), (403, "api_key_missing".to_owned()));
    let twice = gateway.get("/a").header("x-api-key", ALICE.0).header("x-api-key", BOB.0).await;
    assert_eq!(outcome(&twice), (403, "api_key_invalid".to_owned()));
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(with(&gateway, "/a", ALICE.0).await.status, 200);
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn plugins_logs_and_the_upstream_get_the_names_and_not_the_key() {
    let upstream = Upstream::start();
    let more = format!(
        "plugins = [\"probe\"]\nupstream_headers = {{ x-key = \"${{api_key.name}} ${{usage_plan.name}}\" }}\n{PROBE}"
    );
    let process = Process::start(&text("", &more), &upstream);
    let reply = process.get("/a").header("x-api-key", ALICE.0).header("x-key", "eve").await;
    assert_eq!(reply.status, 200);
    let seen = upstream.last();
    assert_eq!((seen.header("x-key"), seen.header("x-api-key")), (Some("alice gold"), None));
    let line = process.access_line("/a");
    let attributes = line["attributes"].as_str().unwrap();
    assert!(attributes.contains("\"api_key.name\":\"alice\"") && attributes.contains("\"usage_plan.name\":\"gold\""));
    assert!(!line.to_string().contains(ALICE.0));
}

#[tokio::test]
async fn a_key_goes_on_where_it_is_to_and_comes_from_where_it_is_said() {
    let upstream = Upstream::start();
    let forward = text("", "").replace("\"required\"", "{ from = \"header:X-Token\", forward = true }");
    let gateway = Gateway::start(&forward, &upstream);
    assert_eq!(outcome(&with(&gateway, "/a", ALICE.0).await), (403, "api_key_missing".to_owned()));
    assert_eq!(gateway.get("/a").header("x-token", ALICE.0).await.status, 200);
    assert_eq!(upstream.last().header("x-token"), Some(ALICE.0));
}

#[tokio::test]
async fn an_authorizer_may_say_whose_key_counts() {
    let upstream = Upstream::start();
    let more = format!(
        "plugins = [\"probe\"]\n{PROBE}config.authorize = {{ principal = \"alice\", verdict_header = \"x-verdict\" }}\n"
    );
    let text = text("quota = { requests = 1, per = \"day\" }", &more);
    let gateway = Gateway::start(&text.replace("\"required\"", "{ from = \"auth.principal\" }"), &upstream);
    let denied = gateway.get("/a").header("x-verdict", "deny").await;
    assert_eq!(denied.status, 403);
    assert_eq!(gateway.get("/a").await.status, 200);
    assert_eq!(outcome(&gateway.get("/a").await), (429, "quota_exceeded".to_owned()));
    let nobody = text.replace("\"required\"", "{ from = \"auth.principal\" }").replace("\"alice\"", "\"eve\"");
    let gateway = Gateway::start(&nobody, &upstream);
    assert_eq!(outcome(&gateway.get("/a").await), (403, "api_key_invalid".to_owned()));
    let silent = text.replace("\"required\"", "{ from = \"auth.key\" }");
    assert_eq!(outcome(&Gateway::start(&silent, &upstream).get("/a").await), (403, "api_key_missing".to_owned()));
}

#[tokio::test]
async fn keys_of_files_are_read_and_read_again() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let (keys, value) = (folder.path().join("gold.keys"), folder.path().join("value"));
    fs::write(&keys, format!("# partners\ncarol {}\n", CAROL.1)).unwrap();
    fs::write(&value, "dave-2026-0123456789\n").unwrap();
    let more = format!("[api_keys.dave]\nplan = \"gold\"\nvalue_file = {value:?}\n");
    let gateway =
        gateway(&format!("quota = {{ requests = 2, per = \"day\" }}\nkeys_file = {keys:?}"), &more, &upstream);
    for key in [ALICE.0, CAROL.0, "dave-2026-0123456789"] {
        assert_eq!(with(&gateway, "/a", key).await.status, 200, "{key}");
    }
    fs::write(&keys, format!("carol {}\neve {} disabled\n", CAROL.1, "0".repeat(64))).unwrap();
    fs::write(&value, "erin-2026-0123456789\n").unwrap();
    gateway.reload_files().unwrap();
    let statuses = [
        with(&gateway, "/a", CAROL.0).await.status,
        with(&gateway, "/a", CAROL.0).await.status,
        with(&gateway, "/a", "dave-2026-0123456789").await.status,
        with(&gateway, "/a", "erin-2026-0123456789").await.status,
    ];
    assert_eq!(statuses, [200, 429, 403, 200]);
    // What is wrong changes nothing.
    for (broken, why) in [
        (format!("carol {}\nfrank abc\n", CAROL.1), "line 2: a digest has 64 hexadecimal digits"),
        (format!("carol {}\n", ALICE.1), "line 1: the API key `alice` has the same value"),
        (format!("alice {}\n", CAROL.1), "line 1: there are two API keys `alice`"),
    ] {
        fs::write(&keys, broken).unwrap();
        let problems = gateway.reload_files().unwrap_err().to_string();
        assert!(problems.contains(why) && problems.contains("keys_file"), "{problems}");
    }
    fs::write(&keys, "").unwrap();
    fs::write(&value, "short").unwrap();
    assert!(gateway.reload_files().unwrap_err().to_string().contains("16 to 1024 printable ASCII characters"));
    // Another value, but the same name: it is dave's third.
    assert_eq!(with(&gateway, "/a", "erin-2026-0123456789").await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_keys_is_watched() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("gold.keys");
    fs::write(&keys, "").unwrap();
    let process = Process::start(&text(&format!("keys_file = {keys:?}"), ""), &upstream);
    assert_eq!(process.get("/a").header("x-api-key", CAROL.0).await.status, 403);
    fs::write(&keys, format!("carol {}\n", CAROL.1)).unwrap();
    process.line(|line| line.contains("loaded the configuration"));
    assert_eq!(process.get("/a").header("x-api-key", CAROL.0).await.status, 200);
}

#[tokio::test]
async fn a_hundred_thousand_keys_load_and_are_told_apart() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("gold.keys");
    let lines: Vec<String> = (0..100_000).map(|number| format!("partner-{number} {number:064x}")).collect();
    fs::write(&keys, lines.join("\n") + &format!("\ncarol {}\n", CAROL.1)).unwrap();
    let gateway = gateway(&format!("quota = {{ requests = 1, per = \"day\" }}\nkeys_file = {keys:?}"), "", &upstream);
    let statuses = [with(&gateway, "/a", CAROL.0).await.status, with(&gateway, "/a", CAROL.0).await.status];
    assert_eq!((statuses, with(&gateway, "/a", ALICE.0).await.status), ([200, 429], 200));
}

#[test]
fn a_value_in_the_environment_that_is_not_set_is_told_with_its_name() {
    let upstream = Upstream::start();
    let more = "[api_keys.dave]\nplan = \"gold\"\nvalue_env = \"GATEHOUSE_TEST_NOT_SET\"\n";
    let problems = Gateway::try_start(&text("", more), &upstream).err().expect("it is not set");
    assert!(problems.contains("`GATEHOUSE_TEST_NOT_SET` is not set"), "{problems}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_make_a_key_that_works() {
    let upstream = Upstream::start();
    let made = Process::command(&["key", "new"]).output().unwrap();
    let made = String::from_utf8(made.stdout).unwrap();
    let quoted: Vec<&str> = made.split('"').collect();
    let (value, digest) = (quoted[1], quoted[3]);
    assert_eq!((value.len(), digest.len()), (40, 64), "{made}");
    let mut digested = Process::command(&["key", "digest"]);
    let mut digested = digested.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    digested.stdin.take().unwrap().write_all(format!("{value}\n").as_bytes()).unwrap();
    let output = digested.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("sha256 = \"{digest}\"\n"));
    let gateway = gateway("", &format!("[api_keys.new]\nsha256 = \"{digest}\"\nplan = \"gold\"\n"), &upstream);
    assert_eq!(with(&gateway, "/a", value).await.status, 200);
    let twice: &mut Command = &mut Process::command(&["key", "new"]);
    assert_ne!(String::from_utf8(twice.output().unwrap().stdout).unwrap(), made);
}
