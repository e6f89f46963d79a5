//! Paths: no spelling gets around the guard of `/admin/{rest+}`, and all parties see the same one.

use std::collections::HashMap;

use Fate::{Guarded, Open, Refused};

use crate::support::{
    Gateway, Process, Upstream,
    raw::{ask, get},
};

/// What becomes of a request.
enum Fate {
    /// The guard is asked, and refuses.
    Guarded,
    /// It reaches the upstream as this target.
    Open(&'static str),
    /// 400.
    Refused,
}

/// All that the guard knows is how to refuse, and how to tell what it saw.
const GUARDED: &str = "\
[plugins.guard]
component = \"{guests}/probe.wasm\"
config = { authorize = { verdict = \"deny\" } }
limits = { log_lines = 10000 }
[plugins.seer]
component = \"{guests}/probe.wasm\"
limits = { log_lines = 10000 }
[routes.admin]
path = \"/admin/{rest+}\"
plugins = [\"guard\"]
upstream = \"up\"
[routes.open]
path = \"/{rest+}\"
plugins = [\"seer\"]
upstream = \"up\"
";

const SPELLINGS: [(&str, Fate); 94] = [
    ("/admin/x", Guarded),
    ("/admin/x/", Guarded),
    ("/admin/x?y=1", Guarded),
    ("/admin/x?/../../open", Guarded),
    ("//admin/x", Guarded),
    ("///admin//x", Guarded),
    ("/admin//x", Guarded),
    ("/./admin/x", Guarded),
    ("/admin/./x", Guarded),
    ("/a/../admin/x", Guarded),
    ("/a/./../admin/x", Guarded),
    ("/a//../admin/x", Guarded),
    ("/a/b/../../admin/x", Guarded),
    ("/admin/../admin/x", Guarded),
    ("/admin/x/../y", Guarded),
    ("/%2e/admin/x", Guarded),
    ("/%2E/admin/x", Guarded),
    ("/a/%2e%2e/admin/x", Guarded),
    ("/a/%2E%2e/admin/x", Guarded),
    ("/a/%2e%2E/admin/x", Guarded),
    ("/a/.%2e/admin/x", Guarded),
    ("/a/%2e./admin/x", Guarded),
    ("/admin/%2e/x", Guarded),
    ("/%61dmin/x", Guarded),
    ("/admi%6e/x", Guarded),
    ("/admi%6E/x", Guarded),
    ("/%61%64%6d%69%6e/x", Guarded),
    ("/admin/..x", Guarded),
    ("/admin/.../x", Guarded),
    ("/admin/x;y=1", Guarded),
    ("/admin/;/x", Guarded),
    ("/admin/%252e%252e/x", Guarded),
    ("/admin/%252fx", Guarded),
    ("/admin/%20", Guarded),
    ("http://a.example/admin/x", Guarded),
    ("http://a.example//admin/x", Guarded),
    ("HTTP://A.EXAMPLE/a/../%61dmin/x", Guarded),
    ("http://b.example:8080/./admin/x", Guarded),
    ("/open", Open("/open")),
    ("/open?a=/admin/x", Open("/open?a=/admin/x")),
    ("/admin", Open("/admin")),
    ("/admin/", Open("/admin/")),
    ("/admin//", Open("/admin/")),
    ("/admin/x/..", Open("/admin/")),
    ("/admin/../x", Open("/x")),
    ("/admin/x/../../y", Open("/y")),
    ("/admin/%2e%2e/x", Open("/x")),
    ("/ADMIN/x", Open("/ADMIN/x")),
    ("/Admin/x", Open("/Admin/x")),
    ("/%41dmin/x", Open("/Admin/x")),
    ("/admin;x/y", Open("/admin;x/y")),
    ("/;/admin/x", Open("/;/admin/x")),
    ("/;x=1/admin/x", Open("/;x=1/admin/x")),
    ("/admin%3b/x", Open("/admin%3B/x")),
    ("/admin%20/x", Open("/admin%20/x")),
    ("/admin./x", Open("/admin./x")),
    ("/.admin/x", Open("/.admin/x")),
    ("/..admin/x", Open("/..admin/x")),
    ("/.../admin/x", Open("/.../admin/x")),
    ("/%252e%252e/admin/x", Open("/%252e%252e/admin/x")),
    ("/a/%252e%252e/admin/x", Open("/a/%252e%252e/admin/x")),
    ("/%2561dmin/x", Open("/%2561dmin/x")),
    ("/%252fadmin/x", Open("/%252fadmin/x")),
    ("/%ef%bc%8fadmin/x", Open("/%EF%BC%8Fadmin/x")),
    ("/%c3%a4dmin/x", Open("/%C3%A4dmin/x")),
    ("/[admin]/x", Open("/%5Badmin%5D/x")),
    ("/..", Refused),
    ("/../admin/x", Refused),
    ("//../admin/x", Refused),
    ("/%2e%2e/admin/x", Refused),
    ("/a/../../admin/x", Refused),
    ("/admin%2fx", Refused),
    ("/admin%2Fx", Refused),
    ("/a/..%2fadmin/x", Refused),
    ("/%2fadmin/x", Refused),
    ("/admin%5cx", Refused),
    ("/a%5C..%5Cadmin/x", Refused),
    ("/a/..;/admin/x", Refused),
    ("/a/.;/../admin/x", Refused),
    ("/a/..;x=1/admin/x", Refused),
    ("/a/..%3b/admin/x", Refused),
    ("/a/%2e%2e;/admin/x", Refused),
    ("/admin/x%00", Refused),
    ("/admin%00/x", Refused),
    ("/admin%0d%0a/x", Refused),
    ("/%c0%ae%c0%ae/admin/x", Refused),
    ("/a/%c0%ae%c0%ae/admin/x", Refused),
    ("/%c0%afadmin/x", Refused),
    ("/%e0%80%afadmin/x", Refused),
    ("/%c1%a1dmin/x", Refused),
    ("/%u0061dmin/x", Refused),
    ("/%zz/admin/x", Refused),
    ("/ädmin/x", Refused),
    ("*", Refused),
];

/// Whether an upstream that decodes once, takes `\` for `/`, merges slashes and resolves dots serves what is guarded.
fn reads_as_guarded(target: &str) -> bool {
    let path = target.split(['?', '#']).next().unwrap();
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    segments.len() > 1 && segments[0] == b"admin"
}

#[test]
fn each_spelling_of_a_path_has_one_fate() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(GUARDED, &upstream);
    for (target, fate) in SPELLINGS {
        let answer = ask(gateway.address(), get(target, ""));
        match fate {
            Guarded => assert_eq!(answer.status(), 403, "{target}"),
            Open(path) => {
                assert_eq!(answer.status(), 200, "{target}");
                assert_eq!(upstream.last().target, path, "{target}");
            }
            Refused => {
                assert_eq!(answer.status(), 400, "{target}");
                assert_eq!(answer.json()["code"], "bad_request", "{target}");
            }
        }
    }
    assert_eq!(upstream.seen().iter().find(|seen| reads_as_guarded(&seen.target)).map(|seen| &seen.target), None);
}

#[test]
fn what_hyper_itself_does_not_take_for_a_target_is_refused_too() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(GUARDED, &upstream);
    let fragments = ["/admin/x#/../../open", "/open#/admin/x", "/open#"];
    let others = ["\\admin/x", "/admin\\x", "/a\\..\\admin/x", "admin/x", "/admin/x y", "/admin\t/x", "/\u{7f}", ""];
    for target in fragments.into_iter().chain(others) {
        let answer = ask(gateway.address(), get(target, ""));
        assert_eq!(answer.status(), 400, "{target:?}");
    }
    assert!(upstream.seen().is_empty());
}

/// Every way in front of, inside and behind the name, in all combinations.
#[test]
fn none_of_thousands_of_spellings_gets_around_the_guard() {
    let before =
        "/ // /./ /%2e/ /a/../ /a/%2e%2E/ /a/.%2e/ /a//../ /a/..;/ /%2f /%5c /%252f /;/ /%00/ /a%2f../ /%c0%af";
    let name = "admin %61dmin admi%6E %2561dmin ADMIN admin. admin; admin%20 admin%00 %c1%a1dmin ädmin";
    let behind = "/x //x /./x /%2e/x /../admin/x /y/../x %2fx %5cx ;/x /;x /..;/x /%252e%252e/x /../x /.%2e/x /x/..";
    let upstream = Upstream::start();
    let gateway = Gateway::start(GUARDED, &upstream);
    let mut fates = HashMap::new();
    for before in before.split(' ') {
        for name in name.split(' ') {
            for behind in behind.split(' ') {
                let target = format!("{before}{name}{behind}");
                *fates.entry(ask(gateway.address(), get(&target, "")).status()).or_insert(0) += 1;
            }
        }
    }
    let past: Vec<_> = upstream.seen().into_iter().filter(|seen| reads_as_guarded(&seen.target)).collect();
    assert!(past.is_empty(), "{past:?}");
    let of = |status| fates.get(&status).copied().unwrap_or(0);
    assert_eq!(of(400) + of(403) + of(404) + of(200), 16 * 11 * 15, "{fates:?}");
    assert!(of(400) > 100 && of(403) > 100 && of(200) > 100, "{fates:?}");
}

#[test]
fn the_plugin_and_the_upstream_see_the_path_that_was_matched() {
    let upstream = Upstream::start();
    let process = Process::start(GUARDED, &upstream);
    for (target, fate) in SPELLINGS {
        let answer = ask(process.address(), get(target, ""));
        let expected = match fate {
            Guarded => None,
            Open(path) => Some(path.split('?').next().unwrap()),
            Refused => continue,
        };
        let id = format!("\"request_id\":\"{}\"", answer.header("x-request-id").unwrap());
        let line = process.line(|line| line.contains("\"target\":\"plugin\"") && line.contains(&id));
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let seen: serde_json::Value = serde_json::from_str(line["message"].as_str().unwrap()).unwrap();
        match expected {
            Some(path) => assert_eq!(seen["path"], path, "{target}"),
            None => assert!(reads_as_guarded(seen["path"].as_str().unwrap()), "{target}: {seen}"),
        }
    }
}
