//! Bodies through plugins: whole, in pieces, held back, refused, broken off, and left alone.

use std::{
    sync::{Mutex, mpsc::channel},
    time::{Duration, Instant},
};

use crate::support::{
    Gateway, Raw, Upstream,
    raw::{DEADLINE, Message, RawUpstream, ask, get, ok},
};

/// Routes `/x` with some plugins, each a guest with its configuration and more keys, and `/free`, answered with 502.
fn with(plugins: &[(&str, &str, &str)]) -> String {
    let plugin = |(number, (guest, config, more)): (usize, &(&str, &str, &str))| {
        format!("[plugins.p{number}]\ncomponent = \"{{guests}}/{guest}.wasm\"\nconfig = {{ {config} }}\n{more}\n")
    };
    let names: Vec<String> = (0..plugins.len()).map(|number| format!("\"p{number}\"")).collect();
    let plugins: String = plugins.iter().enumerate().map(plugin).collect();
    let upstreams = "[upstreams.up]\nurl = \"http://{upstream}\"\n[upstreams.nobody]\nurl = \"http://127.0.0.1:1\"\n";
    let route = format!("[routes.x]\npath = \"/x\"\nupstream = \"up\"\nplugins = [{}]\n", names.join(", "));
    format!("{plugins}{upstreams}{route}[routes.free]\npath = \"/free\"\nupstream = \"nobody\"\n")
}

fn whole(config: &str) -> String {
    with(&[("probe-body", config, "")])
}

fn chunks(config: &str) -> String {
    with(&[("probe-chunks", config, "")])
}

/// A request with a body of known length.
fn post(body: &str) -> String {
    format!("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// The head of a request with a body of unknown length.
const POST: &str = "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";

/// The end of a body of unknown length.
const END: &str = "0\r\n\r\n";

/// A piece of a body of unknown length.
fn piece(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn code(reply: &Message) -> (u16, String) {
    (reply.status(), reply.json()["code"].as_str().unwrap().to_owned())
}

fn failed(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn an_empty_collected_body_still_tells_its_length() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&whole("request = { upper = true }"), &upstream);
    assert_eq!(ask(gateway.address(), post("")).status(), 200);
    assert_eq!(upstream.last().header("content-length"), Some("0"));
    assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200);
    assert_eq!(upstream.last().header("content-length"), None, "a GET has none to tell");
}

#[test]
fn a_whole_request_body_is_changed_whatever_its_framing() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&whole("request = { upper = true }"), &upstream);
    for request in [post("hello you"), format!("{POST}{}{}{END}", piece("hello"), piece(" you"))] {
        assert_eq!(ask(gateway.address(), request).text(), "HELLO YOU");
        let seen = upstream.last();
        assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), (Some("9"), None));
        assert_eq!(seen.header("x-body-bytes"), Some("9"));
    }
}

#[test]
fn a_request_body_longer_than_the_hook_or_the_operator_wants_never_goes_upstream() {
    let upstream = Upstream::start();
    for (config, more) in [("request = { limit = 8 }", ""), ("", "limits = { body = 8 }")] {
        let gateway = Gateway::start(&with(&[("probe-body", config, more)]), &upstream);
        for request in [post("123456789"), format!("{POST}{}{}{END}", piece("12345"), piece("6789"))] {
            assert_eq!(code(&ask(gateway.address(), request)), failed(413, "body_too_large"));
        }
        assert!(upstream.seen().is_empty());
        assert_eq!(gateway.calls("p0"), 2, "only the limit was asked for");
    }
}

#[test]
fn a_body_of_exactly_the_limit_is_taken() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&whole("request = { limit = 8, upper = true }, response = { limit = 8 }"), &upstream);
    assert_eq!(ask(gateway.address(), post("abcdefgh")).text(), "ABCDEFGH");
}

#[test]
fn a_whole_response_body_is_changed_whatever_its_framing() {
    let chunked = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}{END}", piece("hello"));
    for answer in [ok("hello"), chunked] {
        let upstream = RawUpstream::saying(answer);
        let gateway = Gateway::start(&whole("response = { upper = true }"), &upstream);
        let reply = ask(gateway.address(), get("/x", ""));
        assert_eq!((reply.status(), reply.text()), (200, "HELLO"));
        assert_eq!((reply.headers("content-length"), reply.header("transfer-encoding")), (vec!["5"], None));
        assert_eq!(reply.header("x-body-bytes"), Some("5"));
    }
}

#[test]
fn a_response_body_longer_than_the_hook_wants_is_not_passed_on() {
    let chunked =
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}{}{END}", piece("12345"), piece("6789"));
    for answer in [ok("123456789"), chunked] {
        let upstream = RawUpstream::saying(answer);
        let gateway = Gateway::start(&whole("response = { limit = 8 }"), &upstream);
        let reply = ask(gateway.address(), get("/x", ""));
        assert_eq!(code(&reply), failed(502, "upstream_body_too_large"));
    }
}

#[test]
fn a_body_that_is_rejected_is_answered_by_the_plugin() {
    let upstream = Upstream::start();
    let config = "request = { reject = \"virus\" }, response = { reject = \"secret\" }";
    let gateway = Gateway::start(&whole(config), &upstream);
    let reply = ask(gateway.address(), post("a virus"));
    assert_eq!((reply.status(), reply.text()), (422, "rejected"));
    assert!(upstream.seen().is_empty());
    let reply = ask(gateway.address(), post("a secret"));
    assert_eq!((reply.status(), reply.text()), (422, "rejected"));
    assert_eq!(ask(gateway.address(), post("fine")).text(), "fine");
}

#[test]
fn a_body_hook_that_fails_refuses_or_leaves_the_body_as_it_was() {
    let upstream = Upstream::start();
    for way in ["request", "response"] {
        let config = format!("{way} = {{ fail = \"no\" }}");
        let gateway = Gateway::start(&whole(&config), &upstream);
        assert_eq!(code(&ask(gateway.address(), post("hello"))), failed(500, "plugin_error"), "{way}");
        let text = with(&[("probe-body", &config, "on_failure = \"skip\"")]);
        let gateway = Gateway::start(&text, &upstream);
        let reply = ask(gateway.address(), post("hello"));
        assert_eq!((reply.status(), reply.text(), reply.header("content-length")), (200, "hello", Some("5")), "{way}");
    }
}

#[test]
fn a_filter_without_body_hooks_leaves_a_large_body_as_it_is() {
    let upstream = Upstream::start();
    let header = "on_request = { set_headers = { x-a = \"1\" } }, on_response = { set_headers = { x-b = \"2\" } }";
    let off = "request = { off = true }, response = { off = true }";
    let gateway = Gateway::start(&with(&[("probe", header, ""), ("probe-body", off, "")]), &upstream);
    let body: String = (0..1_000_000).map(|number| format!("{number:09}\n")).collect();
    let reply = ask(gateway.address(), post(&body));
    assert_eq!((reply.status(), reply.header("x-b"), reply.body.len()), (200, Some("2"), 10_000_000));
    assert!(reply.body == body.as_bytes() && upstream.last().body == body.as_bytes());
}

#[test]
fn filters_see_a_request_in_the_order_of_the_chain_and_a_response_in_reverse() {
    let chain = |way: &str| {
        let (upper, swap) = (format!("{way} = {{ upper = true }}"), format!("{way} = {{ replace = {{ A = \"b\" }} }}"));
        with(&[("probe-body", &upper, ""), ("probe-chunks", &swap, "")])
    };
    let upstream = Upstream::start();
    let gateway = Gateway::start(&chain("request"), &upstream);
    assert_eq!(ask(gateway.address(), post("aA")).text(), "bb");
    assert_eq!(upstream.last().body, "bb");
    let gateway = Gateway::start(&chain("response"), &upstream);
    assert_eq!(ask(gateway.address(), post("aA")).text(), "AB");
    assert_eq!(upstream.last().body, "aA");
}

#[test]
fn a_head_request_has_no_body_to_filter() {
    let upstream = RawUpstream::saying("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    for text in [whole("response = { upper = true }"), chunks("response = { replace = { a = \"b\" } }")] {
        let gateway = Gateway::start(&text, &upstream);
        let mut client = Raw::connect(gateway.address());
        let reply = client.send("HEAD /x HTTP/1.1\r\nhost: a\r\n\r\n").response_to_head();
        assert_eq!(reply.status(), 200);
        assert_ne!(reply.header("content-length"), Some("0"), "a GET would have a body");
    }
}

/// An upstream that hands on what it reads, piece by piece, and answers when the text has come.
fn reading(text: &'static str) -> (RawUpstream, std::sync::mpsc::Receiver<String>) {
    let (sender, pieces) = channel();
    let sender = Mutex::new(sender);
    let upstream = RawUpstream::start(move |raw| {
        sender.lock().unwrap().send(raw.until(text)).unwrap();
        sender.lock().unwrap().send(raw.until(END)).unwrap();
        let _ = raw.try_send(ok("read"));
    });
    (upstream, pieces)
}

#[test]
fn pieces_go_on_changed_while_the_rest_is_still_to_come() {
    let (upstream, pieces) = reading("one");
    let gateway = Gateway::start(&chunks("request = { replace = { e = \"e\", y = \"\" } }"), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(POST).send(piece("yoyne"));
    assert!(pieces.recv_timeout(DEADLINE).unwrap().contains("transfer-encoding: chunked"));
    client.send(piece("twyo")).send(END);
    assert!(pieces.recv_timeout(DEADLINE).unwrap().contains("two"));
    assert_eq!(client.response().text(), "read");
}

#[test]
fn what_a_filter_holds_back_keeps_the_head_from_going_upstream() {
    let (upstream, pieces) = reading("0123456789");
    let gateway = Gateway::start(&chunks("request = { hold = 10 }"), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(POST).send(piece("01234"));
    // When the worker has answered this one, it has seen the first piece.
    assert_eq!(ask(gateway.address(), get("/free", "")).status(), 502);
    assert_eq!(upstream.connections(), 0);
    client.send(piece("56789"));
    assert!(pieces.recv_timeout(DEADLINE).unwrap().ends_with("0123456789"));
    assert_eq!(client.send(END).response().text(), "read");
}

#[test]
fn a_filter_that_answers_before_anything_went_on_is_heard() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&chunks("request = { hold = 100, reject = \"virus\" }"), &upstream);
    let reply = ask(gateway.address(), format!("{POST}{}{}{END}", piece("fine"), piece("virus")));
    assert_eq!((reply.status(), reply.text()), (422, "rejected"));
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_filter_that_answers_or_fails_too_late_breaks_the_request_off() {
    for (config, why) in [("reject = \"virus\"", "plugin_invalid"), ("fail = \"no\"", "plugin_error")] {
        let (sender, messages) = channel();
        let sender = Mutex::new(sender);
        let upstream = RawUpstream::start(move |raw| {
            let first = raw.until("fine");
            sender.lock().unwrap().send(first).unwrap();
            sender.lock().unwrap().send(String::from_utf8(raw.rest()).unwrap()).unwrap();
        });
        let gateway = Gateway::start(&chunks(&format!("request = {{ {config} }}")), &upstream);
        let mut client = Raw::connect(gateway.address());
        client.send(POST).send(piece("fine"));
        messages.recv_timeout(DEADLINE).unwrap();
        let reply = client.send(piece("virus")).send(END).response();
        assert_eq!(code(&reply), failed(500, why));
        assert!(!messages.recv_timeout(DEADLINE).unwrap().contains(END), "the upstream was told that it is whole");
        assert_eq!(gateway.metric("gatehouse_plugin_faults_total{plugin=\"p0\"}"), 1);
    }
}

#[test]
fn a_message_without_a_body_is_one_empty_last_piece() {
    let upstream = Upstream::answering(|_| http::Response::default());
    let gateway = Gateway::start(&chunks("request = { replace = { a = \"b\" } }"), &upstream);
    assert_eq!(ask(gateway.address(), get("/x", "")).status(), 200);
    assert_eq!(gateway.calls("p0"), 2, "one for the request, one for the response");
    assert_eq!(upstream.last().header("transfer-encoding"), None);
    let gateway = Gateway::start(&chunks("request = { fail = \"at the last piece\" }"), &upstream);
    assert_eq!(code(&ask(gateway.address(), get("/x", ""))), failed(500, "plugin_error"));
}

#[test]
fn a_response_is_changed_while_the_rest_is_still_to_come() {
    let (sender, go_on) = channel::<()>();
    let go_on = Mutex::new(go_on);
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc");
        go_on.lock().unwrap().recv().unwrap();
        raw.send("abc");
    });
    let gateway = Gateway::start(&chunks("response = { replace = { a = \"long\" } }"), &upstream);
    let mut client = Raw::connect(gateway.address());
    let first = client.send(get("/x", "")).until("longbc");
    assert!(first.contains("transfer-encoding: chunked") && !first.contains("content-length"), "{first}");
    sender.send(()).unwrap();
    assert!(client.until(END).contains("longbc"));
}

#[test]
fn a_response_filter_answers_in_time_or_breaks_the_response_off() {
    let upstream = RawUpstream::saying(ok("a secret"));
    let gateway = Gateway::start(&chunks("response = { reject = \"secret\" }"), &upstream);
    let reply = ask(gateway.address(), get("/x", ""));
    assert_eq!((reply.status(), reply.text()), (422, "rejected"));

    let (sender, go_on) = channel::<()>();
    let go_on = Mutex::new(go_on);
    let upstream = RawUpstream::start(move |raw| {
        raw.request();
        raw.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfine");
        go_on.lock().unwrap().recv().unwrap();
        raw.send("secret");
    });
    let gateway = Gateway::start(&chunks("response = { reject = \"secret\" }"), &upstream);
    let mut client = Raw::connect(gateway.address());
    client.send(get("/x", "")).until("fine");
    sender.send(()).unwrap();
    assert!(!String::from_utf8(client.rest()).unwrap().contains(END));
    assert_eq!(gateway.metric("gatehouse_failures_total{code=\"plugin_invalid\"}"), 1);
}

#[test]
fn an_instance_whose_body_broke_off_is_not_used_again() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&chunks("request = { hold = 100 }"), &upstream);
    let mut leaving = Raw::connect(gateway.address());
    leaving.send(POST).send(piece("of somebody else"));
    assert_eq!(ask(gateway.address(), get("/free", "")).status(), 502);
    leaving.shut();
    leaving.rest();
    assert_eq!(ask(gateway.address(), post("mine")).text(), "mine");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn an_instance_whose_body_it_answered_in_the_middle_is_not_used_again() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&chunks("request = { hold = 100, reject = \"virus\" }"), &upstream);
    let reply = ask(gateway.address(), format!("{POST}{}{}{END}", piece("of somebody else"), piece("virus")));
    assert_eq!(reply.status(), 422);
    assert_eq!(ask(gateway.address(), post("mine")).text(), "mine");
}

#[test]
fn an_instance_whose_response_broke_off_is_not_used_again() {
    let upstream = RawUpstream::start(|raw| {
        let short = raw.request().is_some_and(|request| request.target() == "/x?short");
        let text =
            if short { "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nof somebody else".into() } else { ok("mine") };
        let _ = raw.try_send(text);
    });
    let gateway = Gateway::start(&chunks("response = { hold = 1000 }"), &upstream);
    assert_eq!(ask(gateway.address(), get("/x?short", "")).status(), 502);
    assert_eq!(ask(gateway.address(), get("/x", "")).text(), "mine");
}

#[test]
fn a_request_waits_for_the_instance_that_is_with_anothers_body() {
    let upstream = Upstream::start();
    for guest in ["probe-body", "probe-chunks"] {
        let limits = "limits = { instances = 1, time = \"5s\" }";
        let gateway = Gateway::start(&with(&[(guest, "response = {}", limits)]), &upstream);
        let (mut slow, mut next) = (Raw::connect(gateway.address()), Raw::connect(gateway.address()));
        slow.send(POST).send(piece("slow"));
        ask(gateway.address(), get("/free", ""));
        next.send(post("next"));
        ask(gateway.address(), get("/free", ""));
        let started = Instant::now();
        slow.send(END);
        assert_eq!((slow.response().text(), next.response().text()), ("slow", "next"), "{guest}");
        assert!(started.elapsed() < Duration::from_secs(2), "{guest}: {:?}", started.elapsed());
    }
}
