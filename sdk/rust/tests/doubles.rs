//! The SDK as a plugin's author meets it natively: traits, builders, doubles.

use std::{cell::Cell, time::Duration};

use gatehouse_plugin::{
    Source, clock, http,
    keyvalue::Bucket,
    log::Level,
    output,
    prelude::*,
    quoted, random,
    test::{Exchange, Gateway, start},
};

/// Several hooks and a state of its own.
struct Many {
    greeting: String,
    calls: Cell<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    greeting: String,
}

impl Plugin for Many {
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        if config.greeting.is_empty() {
            Err("the greeting is empty")?;
        }
        Ok(Self { greeting: config.greeting, calls: Cell::new(0) })
    }
}

impl Authorizer for Many {
    fn authorize(&self, request: &Request) -> Result<Verdict> {
        self.calls.set(self.calls.get() + 1);
        let number: u32 = request.header("x-number").ok_or("no number")?.parse()?;
        Verdict::allow(number.to_string()).max_age(self.calls.get()).into()
    }
}

impl RequestFilter for Many {
    fn on_request(&self, _request: &Request) -> Result<RequestAction> {
        RequestEdit::new().set_header("x-greeting", &self.greeting).into()
    }
}

impl Logger for Many {
    fn log(&self, request: &Request, response: &Response, outcome: &Outcome) -> Result<()> {
        info!("{} {}", request.path(), response.status());
        output::write_line(&outcome.duration().as_millis().to_string());
        Ok(())
    }
}

export!(Many: authorizer, request_filter, logger);

/// Has no configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Authorizer for Nothing {
    fn authorize(&self, _request: &Request) -> Result<Verdict> {
        Ok(Verdict::Abstain)
    }
}

fn many() -> Result<Many> {
    start(json!({ "greeting": "hello" }))
}

#[test]
fn a_plugin_keeps_its_state_between_exchanges() -> Result<()> {
    let plugin = many()?;
    for call in 1..3 {
        let verdict = Exchange::get("/").header("X-Number", "7").authorize(&plugin)?;
        assert_eq!(verdict, Verdict::allow("7").max_age(call).into());
    }
    Ok(())
}

#[test]
fn whatever_can_be_displayed_becomes_an_error() -> Result<()> {
    let error = |exchange: Exchange| {
        exchange.authorize(&many()?).map(|_| ()).map_err(String::from).err().ok_or("no error".into())
    };
    let missing: Result<String> = error(Exchange::get("/"));
    assert_eq!(missing?, "no number");
    assert_eq!(error(Exchange::get("/").header("x-number", "x"))?, "invalid digit found in string");
    Ok(())
}

#[test]
fn a_configuration_is_refused_in_words() {
    let refused = |config| start::<Many>(config).err().map(|it| it.text().to_owned());
    assert_eq!(refused(json!({ "greeting": "" })).as_deref(), Some("the greeting is empty"));
    assert_eq!(refused(json!({})).as_deref(), Some("missing field `greeting`"));
    assert!(refused(json!({ "greeting": "x", "color": 1 })).is_some_and(|it| it.starts_with("unknown field `color`")));
    assert!(start::<Nothing>(json!({})).is_ok());
    assert!(start::<Nothing>(json!({ "color": 1 })).is_err());
}

#[test]
fn reads_are_recorded_once_each() {
    let exchange =
        Exchange::get("/p?a=1").header("cookie", "c=d; e=f").path_param("id", "5").attribute("auth.principal", "al");
    exchange.run(|request| {
        assert_eq!(request.path(), "/p");
        assert_eq!(request.query_param("a").as_deref(), Some("1"));
        assert_eq!(request.query_param("a").as_deref(), Some("1"));
        assert_eq!(request.cookie("e").as_deref(), Some("f"));
        assert_eq!(request.path_param("id").as_deref(), Some("5"));
        assert_eq!(request.attribute("auth.principal").as_deref(), Some("al"));
    });
    assert_eq!(exchange.reads(), ["attribute:auth.principal", "cookie:e", "path", "path-param:id", "query-param:a"]);
}

#[test]
fn reads_are_those_of_the_contract() {
    Exchange::get("/?a=%41+%zz&b&a=%E2%82%AC%ff").header("x", "1").header("X", "2").run(|request| {
        assert_eq!(request.query_params("a"), ["A %zz", "€\u{fffd}"]);
        assert_eq!(request.query_param("b").as_deref(), Some(""));
        assert_eq!(request.query_param("c"), None);
        assert_eq!(request.header("x").as_deref(), Some("1, 2"));
        assert_eq!(request.header_values("X"), ["1", "2"]);
        assert_eq!(request.header("y"), None);
        assert_eq!(request.headers().len(), 2);
    });
}

#[test]
fn lines_go_to_the_gateway_of_the_exchange() -> Result<()> {
    let exchange = Exchange::get("/p").status(204).took(Duration::from_millis(3), None);
    exchange.log(&many()?)?;
    assert_eq!(exchange.gateway().log(), [(Level::Info, "/p 204".to_owned())]);
    assert_eq!(exchange.gateway().output(), ["3"]);
    Ok(())
}

#[test]
fn the_gateway_has_time_randomness_state_and_servers() -> Result<()> {
    let gateway = Gateway::new().at(100).server(|request| match request.url.as_str() {
        "http://a/" => Ok(http::Response::new(200, "hi")),
        _ => Err("refused")?,
    });
    gateway.run(|| {
        assert_eq!(clock::now(), Duration::from_secs(100));
        gateway.pass(Duration::from_secs(1));
        assert_eq!(clock::now(), Duration::from_secs(101));
        assert_eq!(random::bytes(5).len(), 5);
        assert_ne!(random::number(), random::number());
        assert_eq!(http::get("http://a/")?.body, b"hi");
        assert!(http::get("http://b/").is_err());
        Bucket::open("b")?.set("k", b"41")?;
        assert_eq!(Bucket::open("b")?.increment("k", 1)?, 42);
        assert_eq!(Bucket::open("b")?.get("k")?.as_deref(), Some(&b"42"[..]));
        assert_eq!(Bucket::open("b")?.keys()?, ["k"]);
        assert!(!Bucket::open("c")?.exists("k")?);
        Ok(())
    })
}

#[test]
fn edits_are_built_in_order() -> Result<()> {
    let edit = RequestEdit::new().set_header("a", "1").remove_header("b").append_header("c", "2");
    let names: Vec<_> = edit.headers.iter().map(|it| format!("{it:?}")).collect();
    assert!(names[0].contains("Set") && names[1].contains("Remove") && names[2].contains("Append"));
    let reply = Reply::new(200).json(json!({ "a": [1] }));
    assert_eq!((reply.headers.len(), reply.body.as_slice()), (1, &br#"{"a":[1]}"#[..]));
    let action = Exchange::get("/").on_request(&many()?)?;
    assert_eq!(action, RequestEdit::new().set_header("x-greeting", "hello").into());
    Ok(())
}

#[test]
fn credentials_are_found_where_they_are_said_to_be() -> Result<()> {
    let read = |source: &str, exchange: Exchange| -> Result<Option<String>> {
        let source = Source::deserialize(json!(source))?;
        Ok(exchange.run(|request| source.read(request)))
    };
    let exchange = Exchange::get("/?k=q").header("authorization", "bearer  t").header("cookie", "k=c").header("k", "");
    assert_eq!(read("authorization:Bearer", exchange.clone())?.as_deref(), Some("t"));
    assert_eq!(read("authorization:Basic", exchange.clone())?, None);
    assert_eq!(read("query:k", exchange.clone())?.as_deref(), Some("q"));
    assert_eq!(read("cookie:k", exchange.clone())?.as_deref(), Some("c"));
    assert_eq!(read("header:k", exchange.clone())?, None);
    assert!(read("body:k", exchange).is_err());
    Ok(())
}

#[test]
fn secrets_are_the_same_only_if_they_are_not_empty() {
    assert!(same_secret("a", "a"));
    assert!(!same_secret("a", "b") && !same_secret("a", "aa") && !same_secret("", ""));
    assert_eq!(quoted(r#"a"\"#), r#""a\"\\""#);
}

#[test]
#[should_panic(expected = "outside of an exchange")]
fn a_read_outside_of_an_exchange_says_so() {
    Gateway::new().run(|| Exchange::get("/").run(|request| Gateway::new().run(|| request.path())));
}

#[test]
fn a_bearer_token_is_found_and_nothing_else_is_taken_for_one() {
    struct Bearer;
    impl Authorizer for Bearer {
        fn authorize(&self, request: &Request) -> Result<Verdict> {
            Verdict::allow(request.bearer().unwrap_or_else(|| "none".to_owned())).into()
        }
    }
    for (value, token) in [("Bearer abc", "abc"), ("bearer  a.b ", "a.b"), ("Basic abc", "none"), ("Bearer", "none")] {
        let verdict = Exchange::get("/").header("authorization", value).authorize(&Bearer).expect("it decides");
        assert_eq!(verdict, Verdict::allow(token).into(), "{value}");
    }
}
