//! The cases: each is a sentence of the contract that a language's SDK has to keep.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::subject::Subject;

/// A sentence, and what shows it.
pub(super) struct Case {
    pub(super) name: &'static str,
    show: fn(&Subject),
}

impl Case {
    /// Shows it, or tells why not.
    pub(super) fn run(&self, subject: &Subject) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(|| (self.show)(subject))).map_err(|panic| message(&*panic))
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

const fn case(name: &'static str, show: fn(&Subject)) -> Case {
    Case { name, show }
}

pub(super) const CASES: [Case; 24] = [
    case("allow, with principal, attributes and headers", allow),
    case("deny, with status, headers, body and reason", deny),
    case("abstain", abstain),
    case("an error of an authorizer", error),
    case("reads: method, path, query, parameters, cookie, bearer, client, route", reads),
    case("header values with every byte above 0x7F", bytes),
    case("header edits: set, append, remove", header_edits),
    case("a secret compared; verdicts kept under what was read", kept),
    case("a request filter's edit of everything", edit),
    case("a request filter's answer", respond),
    case("an error of a filter", filter_error),
    case("a request body, whole, with every byte", body),
    case("a request body that is answered, or fails", body_answered),
    case("a body that is not asked for streams by", no_body),
    case("a response filter's edit and answer", response),
    case("a response body in chunks, with every byte", chunks),
    case("state over chunks, and none of it in the next exchange", counted),
    case("a logger's line with outcome and attributes", log),
    case("a crash costs one request, the next is served", trap),
    case("a loop without end is ended, the next is served", looping),
    case("an instance is used again; `isolation = \"request\"` is a fresh one", reuse),
    case("outbound HTTP to a granted origin", fetch),
    case("outbound HTTP to another origin is refused; without the grant it is not loaded", not_granted),
    case("a configuration that is refused, with the reason", configuration),
];

fn allow(subject: &Subject) {
    assert_eq!(subject.get("/x/7", "").status(), 200);
    assert_eq!([subject.sent("x-principal"), subject.sent("x-plan")], ["alice", "gold"]);
    assert_eq!(subject.sent("x-verdict"), "allow");
}

fn deny(subject: &Subject) {
    let answer = subject.get("/x/7", "x-act: deny\r\n");
    assert_eq!((answer.status(), answer.text()), (402, "no money"));
    assert_eq!((answer.header("x-reason"), answer.header("www-authenticate")), (Some("money"), Some("Pay")));
    // The reason is for the log, at the level `debug`.
    subject.line("out of money");
    assert!(!answer.head.contains("out of money"));
}

fn abstain(subject: &Subject) {
    assert_eq!(subject.get("/x/7", "x-act: abstain\r\n").status(), 401);
}

fn error(subject: &Subject) {
    let answer = subject.get("/x/7", "x-act: error\r\n");
    assert_eq!(answer.status(), 500);
    assert!(!answer.text().contains("asked to fail"), "{}", answer.text());
    subject.line("the subject was asked to fail");
}

fn reads(subject: &Subject) {
    let lines =
        "x-act: echo\r\ncookie: a=1; c=choc; d=2\r\nauthorization: Bearer tok.en\r\nx-multi: 1\r\nx-multi: 2\r\n";
    assert_eq!(subject.get("/x/7?q=a%20b&q=c+d&r", lines).status(), 200);
    for (name, value) in [
        ("x-method", "GET"),
        ("x-path", "/x/7"),
        ("x-query", "q=a%20b&q=c+d&r"),
        ("x-q", "a b"),
        ("x-qs", "a b|c d"),
        ("x-p", "7"),
        ("x-scheme", "http"),
        ("x-cookie", "choc"),
        ("x-bearer", "tok.en"),
        ("x-values", "1|2"),
        ("x-client", "127.0.0.1"),
        ("x-route", "x"),
    ] {
        assert_eq!(subject.sent(name), value, "{name}");
    }
    assert_eq!(subject.get("/x/7", "x-act: echo\r\n").status(), 200);
    for name in ["x-query", "x-q", "x-cookie", "x-bearer", "x-bytes"] {
        assert_eq!(subject.sent(name), "-", "{name}");
    }
    assert_eq!([subject.sent("x-qs"), subject.sent("x-values")], ["", ""]);
}

fn bytes(subject: &Subject) {
    let high: Vec<u8> = (0x80..=0xff).collect();
    let head = b"GET /x/7 HTTP/1.1\r\nhost: a\r\nx-act: echo\r\nx-bytes: ";
    assert_eq!(subject.raw([head, high.as_slice(), b"\r\n\r\n"].concat()).status(), 200);
    assert_eq!(subject.sent("x-bytes"), high.into_iter().map(char::from).collect::<String>());
}

fn header_edits(subject: &Subject) {
    assert_eq!(subject.get("/x/7", "x-act: echo\r\nx-gone: 1\r\nx-appended: 0\r\n").status(), 200);
    let seen = subject.upstream.last();
    assert!(seen.header("x-gone").is_none());
    let appended: Vec<_> = seen.headers.get_all("x-appended").into_iter().collect();
    assert_eq!(appended, ["0", "1", "2"]);
}

fn kept(subject: &Subject) {
    let ask = |key: &str| subject.get("/x/7", &format!("x-act: key\r\nx-key: {key}\r\n"));
    let denied = ask("wrong");
    assert_eq!((denied.status(), denied.json()["error"].as_str()), (403, Some("unknown key")));
    assert_eq!(denied.header("content-type").map(|it| it.starts_with("application/json")), Some(true));
    assert_eq!(ask("open sesame").status(), 200);
    assert_eq!(subject.sent("x-principal"), "key-holder");
    let first = subject.sent("x-seen");
    // From the cache: the instance is not asked again. Another header of the request does not matter.
    assert_eq!(subject.get("/x/7", "x-act: key\r\nx-key: open sesame\r\nx-other: 1\r\n").status(), 200);
    assert_eq!(subject.sent("x-seen"), first);
    assert_eq!(ask("open").status(), 403);
}

fn edit(subject: &Subject) {
    let lines = "x-edit: edit\r\nx-multi: 1\r\nx-gone: 1\r\nx-set: 0\r\n";
    assert_eq!(subject.get("/x/7?old=1", lines).status(), 200);
    let seen = subject.upstream.last();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("PUT", "/edited?a=b"));
    assert_eq!([subject.sent("x-set"), subject.sent("x-note"), subject.sent("x-gone")], ["1", "edited", ""]);
    assert_eq!(seen.headers.get_all("x-multi").into_iter().collect::<Vec<_>>(), ["1", "3"]);
}

fn respond(subject: &Subject) {
    let before = subject.upstream.seen().len();
    let answer = subject.get("/x/7", "x-edit: respond\r\n");
    assert_eq!((answer.status(), answer.text()), (418, "short and stout"));
    assert_eq!(answer.header("x-teapot"), Some("yes"));
    assert_eq!(subject.upstream.seen().len(), before);
}

fn filter_error(subject: &Subject) {
    assert_eq!(subject.get("/x/7", "x-edit: error\r\n").status(), 500);
    subject.line("the filter was asked to fail");
}

/// Each byte there is.
fn every_byte() -> Vec<u8> {
    (0..=255).collect()
}

fn body(subject: &Subject) {
    let answer = subject.post("x-body: double\r\n", &every_byte());
    assert_eq!(answer.status(), 200);
    assert_eq!(subject.upstream.last().body, every_byte().repeat(2));
    assert_eq!(answer.body, every_byte().repeat(2));
    assert_eq!(subject.post("x-body: double\r\n", &[b'a'; 65536]).body.len(), 2 * 65536);
    assert_eq!(subject.post("x-body: double\r\n", &[b'a'; 65537]).status(), 413);
}

fn body_answered(subject: &Subject) {
    let answer = subject.post("x-body: respond\r\n", b"12345");
    assert_eq!((answer.status(), answer.text()), (422, "5 bytes"));
    assert_eq!(subject.post("x-body: error\r\n", b"12345").status(), 500);
    assert_eq!(subject.post("x-body: see\r\n", &every_byte()).body, every_byte());
}

fn no_body(subject: &Subject) {
    let long = vec![b'x'; 300_000];
    assert_eq!(subject.post("", &long).body, long);
}

fn response(subject: &Subject) {
    let answer = subject.get("/x/7", "x-answer: edit\r\n");
    assert_eq!((answer.status(), answer.text()), (203, "hello"));
    assert_eq!((answer.header("x-upstream-status"), answer.header("x-gone")), (Some("200"), None));
    let answer = subject.get("/x/7", "x-answer: replace\r\n");
    assert_eq!((answer.status(), answer.text()), (503, "replaced"));
    assert_eq!(subject.get("/x/7", "").header("x-gone"), Some("1"));
}

fn chunks(subject: &Subject) {
    let sent: Vec<u8> = every_byte().repeat(1000);
    let answer = subject.post("x-chunks: upper\r\n", &sent);
    assert_eq!((answer.status(), answer.body.len()), (200, sent.len()));
    assert!(answer.body == sent.to_ascii_uppercase(), "some bytes are others");
    assert!(subject.post("x-chunks: no\r\n", &sent).body == sent, "some bytes are others");
}

fn counted(subject: &Subject) {
    for length in [200_000, 0, 7] {
        let answer = subject.post("x-chunks: count\r\n", &vec![b'x'; length]);
        // Without a body the upstream says `hello`.
        assert_eq!(answer.text(), if length == 0 { 5 } else { length }.to_string());
    }
}

fn log(subject: &Subject) {
    subject.get("/x/7", "x-answer: replace\r\n");
    subject.line("subject: 503 alice -");
    subject.get("/x/7", "x-edit: error\r\n");
    subject.line("subject: 500 alice plugin_error");
}

fn trap(subject: &Subject) {
    assert_eq!(subject.post("x-body: trap\r\n", b"x").status(), 500);
    subject.line("plugin_trap");
    assert_eq!(subject.get("/x/7", "").status(), 200);
}

fn looping(subject: &Subject) {
    assert_eq!(subject.get("/x/7", "x-act: loop\r\n").status(), 504);
    assert_eq!(subject.get("/x/7", "").status(), 200);
}

fn reuse(subject: &Subject) {
    let seen = |path: &str| {
        assert_eq!(subject.get(path, "").status(), 200);
        subject.sent("x-seen").parse::<u32>().expect("a number")
    };
    // An exchange that is not logged yet has one instance, the next then has another.
    let most = (0..20).map(|_| seen("/x/7")).max();
    assert!(most >= Some(5), "{most:?} calls of one instance after 20 requests");
    assert_eq!([seen("/fresh/7"), seen("/fresh/7")], [1, 1]);
}

fn fetch(subject: &Subject) {
    assert_eq!(subject.get("/x/7", "x-act: fetch\r\n").status(), 200);
    assert_eq!(subject.sent("x-fetched"), "200 from subject");
    assert_eq!(subject.granted.last().target, "/hello");
}

fn not_granted(subject: &Subject) {
    let before = subject.granted.seen().len();
    let answer = subject.get("/elsewhere/7", "x-act: fetch\r\n");
    assert_eq!((answer.status(), answer.text()), (503, "fetch failed"));
    assert_eq!(subject.granted.seen().len(), before);
    let output = subject.check("{ secret = \"s\" }", "{}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("wasi:http/outgoing-handler"), "{said}");
}

fn configuration(subject: &Subject) {
    for (config, names) in [
        ("{}", "secret"),
        ("{ secret = \"\" }", "secret"),
        ("{ secret = 7 }", "secret"),
        ("{ secret = \"s\", colour = \"red\" }", "colour"),
    ] {
        let output = subject.check(config, "{ http = [\"http://127.0.0.1:1\"] }");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(names), "{config}: {said}");
        assert!(said.contains("gatehouse.toml:"), "{said}");
    }
}
