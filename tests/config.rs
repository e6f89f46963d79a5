//! Golden files for configurations: each `tests/config/NAME.toml` is broken, and `NAME.err` is what the operator reads.
//!
//! `GATEHOUSE_BLESS=1` writes the `.err` files anew; their difference is then for a reader to judge. `full.toml` is the
//! one that loads.

use std::{
    collections::BTreeSet,
    env, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use gatehouse::config::{
    Combine, Config, Forwarded, Identity, Isolation, LogFormat, OnFailure, Output, Part, Route, Segment, Source,
    Target, Timeouts,
};

const MINIMAL: &str = "[listeners.web]\naddress = '127.0.0.1:0'\n[upstreams.app]\nurl = 'http://localhost:3000'\n\
    [routes.all]\nupstream = 'app'\n";

fn folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = package.ancestors().map(|folder| folder.join("tests/config"));
    folders.into_iter().find(|folder| folder.is_dir()).expect("tests/config is in this repository")
}

/// The names of the files with that extension, without it.
fn names(extension: &str) -> BTreeSet<String> {
    let files = fs::read_dir(folder()).expect("it is a folder").map(|file| file.expect("it can be listed").path());
    let files = files.filter(|file| file.extension().is_some_and(|found| found == extension));
    files.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).filter(|name| name != "full").collect()
}

fn source(name: &str) -> Source {
    let text = fs::read_to_string(folder().join(name)).expect("it is UTF-8");
    Source::new(name, &text)
}

fn valid(text: &str) -> Config {
    Config::parse(Source::new("gatehouse.toml", text)).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_broken_configuration_is_explained_word_for_word() {
    let bless = env::var_os("GATEHOUSE_BLESS").is_some();
    let mut wrong = Vec::new();
    for name in names("toml") {
        let file = folder().join(format!("{name}.err"));
        let found = match Config::parse(source(&format!("{name}.toml"))) {
            Ok(_) => format!("{name}.toml loads, although it should not\n"),
            Err(problems) => format!("{problems}\n"),
        };
        if bless {
            fs::write(&file, &found).expect("tests/config can be written to");
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}.err has\n{expected}\nbut found was\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_broken_configuration_has_its_explanation_and_the_reverse() {
    assert_eq!(names("toml"), names("err"));
    assert!(names("toml").len() >= 45);
}

#[test]
fn the_full_configuration_loads() {
    let config = Config::parse(source("full.toml")).unwrap_or_else(|problems| panic!("{problems}"));

    assert_eq!((config.server.workers, config.server.forwarded), (4, Forwarded::Both));
    assert!(config.server.trusted_proxies[0].contains(IpAddr::from([10, 1, 2, 3])));
    assert!(!config.server.trusted_proxies[1].contains(IpAddr::from([10, 1, 2, 3])));
    assert_eq!((config.log.format, config.log.access), (LogFormat::Json, true));
    assert_eq!(config.admin.map(|address| address.port()), Some(9090));
    assert_eq!(config.upstreams[0].connect_timeout, Duration::from_millis(500));

    let keys = &config.plugins[0];
    assert_eq!((keys.name.as_str(), keys.isolation, keys.on_failure), ("keys", Isolation::Request, OnFailure::Deny));
    assert_eq!(keys.config["tenants"][1]["name"], "globex");
    assert_eq!(keys.limits.memory, 32 << 20);
    assert_eq!(keys.cache.identity[1], Identity::Query("key".to_owned()));
    assert_eq!(config.plugins[1].grants.output, Some(Output::File("/var/log/gatehouse/audit.log".into())));

    let pet = &config.routes[0];
    assert_eq!(
        (pet.plugins.as_slice(), pet.authorize, &pet.target),
        ([0, 1].as_slice(), Combine::Any, &Target::Upstream(0))
    );
    assert_eq!(pet.matches.path.as_ref().map(|path| path[1].clone()), Some(Segment::Param("id".to_owned())));
    assert_eq!(pet.upstream_headers[0].1.parts, [Part::Attribute("auth.principal".to_owned())]);
    assert_eq!(pet.body_bytes, Some(1 << 20));
    let body = config.validators[pet.validate.expect("a validator")].body.as_ref().expect("a rule for bodies");
    assert_eq!((body.schema.as_path(), body.required, body.bytes), (Path::new("pet.schema.json"), false, 256 << 10));
    let times = |route: &Route| route.websocket.map(|it| (it.idle_timeout.as_secs(), it.max_time.as_secs()));
    assert_eq!((times(pet), times(&config.routes[1])), (Some((300, 43_200)), None));
    let minutes = |time: Option<Duration>| time.map(|time| time.as_secs() / 60);
    let Timeouts { first_byte, idle, total, body_idle } = pet.timeouts;
    assert_eq!([first_byte, idle, total, body_idle].map(minutes), [Some(2), Some(60), Some(180), Some(60)]);
    assert_eq!(config.routes[1].timeouts, Timeouts::default());
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = valid(&format!("{MINIMAL}[plugins.p]\ncomponent = 'p.wasm'\n"));
    assert_eq!(config.limits.header_bytes, 16 << 10);
    assert_eq!(config.limits.body_bytes, 10 << 20);
    assert_eq!(config.server.via, "gatehouse");
    assert_eq!(config.upstreams[0].first_byte_timeout, Duration::from_secs(30));
    assert_eq!(config.plugins[0].limits.cpu, Duration::from_millis(10));
    assert_eq!(config.plugins[0].cache.ttl, Duration::from_secs(300));
    assert_eq!(config.plugins[0].config, serde_json::json!({}));
    assert!(config.routes[0].matches.path.is_none() && config.routes[0].plugins.is_empty());
}

#[test]
fn a_default_gives_way_to_a_lower_maximum() {
    let plugin = "[plugins.p]\ncomponent = 'p.wasm'\nlimits = { time = '5ms' }\ncache = { max_ttl = '30s' }\n";
    let config = valid(&format!("{MINIMAL}{plugin}"));
    assert_eq!(config.plugins[0].limits.cpu, Duration::from_millis(5));
    assert_eq!(config.plugins[0].cache.ttl, Duration::from_secs(30));
}

#[test]
fn relative_paths_are_relative_to_the_configuration() {
    let text = format!("{MINIMAL}[plugins.p]\ncomponent = 'p.wasm'\n[plugins.q]\ncomponent = '/opt/q.wasm'\n");
    let config = Config::parse(Source::new("/etc/gatehouse/gatehouse.toml", &text)).expect("it is valid");
    assert_eq!(config.plugins[0].component, Path::new("/etc/gatehouse/p.wasm"));
    assert_eq!(config.plugins[1].component, Path::new("/opt/q.wasm"));
}

#[test]
fn everything_keeps_the_order_of_the_text() {
    let config = valid(
        "[routes.z]\nupstream = 'u'\n[listeners.b]\naddress = '[::1]:0'\n[routes.a]\npath = '/a'\n\
        upstream = 'u'\n[listeners.a]\naddress = '[::1]:0'\n[upstreams.u]\nurl = 'http://u'\n",
    );
    assert_eq!(config.routes.iter().map(|route| route.name.as_str()).collect::<Vec<_>>(), ["z", "a"]);
    assert_eq!(config.listeners.iter().map(|listener| listener.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
}

#[test]
fn a_route_with_methods_stands_beside_one_for_any_method() {
    let config = valid(&format!("{MINIMAL}[routes.get]\nmethods = ['GET']\nupstream = 'app'\n"));
    assert_eq!(config.routes.len(), 2);
}

#[test]
fn a_route_repeats_the_first_before_it_that_takes_one_of_its_methods() {
    let text = "[routes.a]\npath = '/a'\nmethods = ['GET', 'PUT']\nupstream = 'app'\n\
        [routes.b]\npath = '/a'\nmethods = ['POST']\nupstream = 'app'\n\
        [routes.c]\npath = '/a'\nmethods = ['DELETE', 'POST', 'PUT']\nupstream = 'app'\n\
        [routes.d]\npath = '/a'\nmethods = ['DELETE']\nupstream = 'app'\n";
    let problems = Config::parse(Source::new("g.toml", &format!("{MINIMAL}{text}"))).expect_err("c and d repeat");
    let text = problems.to_string();
    assert!(text.contains("route `c` repeats route `a` (line 7)"), "{text}");
    assert!(text.contains("route `d` repeats route `c` (line 15)"), "{text}");
    assert_eq!(text.matches("repeats").count(), 2);
}

/// Compared in pairs they would take minutes; it is a fraction of a second.
#[test]
fn ten_thousand_routes_are_read_at_once() {
    let routes: String = (0..10_000)
        .map(|i| format!("[routes.r{i}]\npath = '/{i}/{{id}}'\nmethods = ['GET', 'PUT']\nupstream = 'app'\n"))
        .collect();
    let started = Instant::now();
    assert_eq!(valid(&format!("{MINIMAL}{routes}")).routes.len(), 10_001);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_path_ends_in_an_empty_literal_where_it_ends_in_a_slash() {
    let literal = |text: &str| Segment::Literal(text.to_owned());
    for (path, expected) in [
        ("/", vec![literal("")]),
        ("/a", vec![literal("a")]),
        ("/a/", vec![literal("a"), literal("")]),
        ("/{b}/", vec![Segment::Param("b".to_owned()), literal("")]),
        ("/a%2B/{c+}", vec![literal("a%2B"), Segment::Greedy("c".to_owned())]),
    ] {
        let config = valid(&format!("{MINIMAL}path = '{path}'\n"));
        assert_eq!(config.routes[0].matches.path, Some(expected), "{path}");
    }
}

#[test]
fn a_problem_of_the_loader_is_positioned_in_the_same_text() {
    let config = valid(&format!("{MINIMAL}[plugins.p]\ncomponent = 'p.wasm'\nconfig = {{ a = 1, b = [2, 33] }}\n"));
    let at = |path: &[&str]| &config.source.text[config.source.locate(path)];
    assert_eq!(at(&["plugins", "p", "component"]), "'p.wasm'");
    assert_eq!(at(&["plugins", "p", "config", "b", "1"]), "33");
    assert_eq!(at(&["plugins", "p", "config", "c"]), "{ a = 1, b = [2, 33] }");
    assert_eq!(at(&["plugins", "p", "grants", "http"]), "[plugins.p]");
}

#[test]
fn a_file_that_is_not_there_is_a_sentence() {
    let problems = Config::load(Path::new("no-such-folder/gatehouse.toml")).expect_err("it is not there");
    assert_eq!(problems.to_string(), "no-such-folder/gatehouse.toml: there is no such file");
    let problems = Config::load(&folder()).expect_err("it is a folder");
    assert!(problems.to_string().ends_with("config: this is a folder, not a file"), "{problems}");
}

#[test]
fn an_empty_file_lacks_a_listener_and_a_route() {
    let problems = Config::parse(Source::new("gatehouse.toml", "")).expect_err("nothing is in it");
    let expected = "gatehouse.toml: there are no listeners: add a table `[listeners.NAME]` with an `address`\n\
        gatehouse.toml: there are no routes: add a table `[routes.NAME]` with an `upstream`";
    assert_eq!(problems.to_string(), expected);
}
