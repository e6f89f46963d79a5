//! Two requests share a verdict exactly when they agree on all that its authorizer read, as the contract's reads show it.

use std::{
    hash::Hasher,
    net::IpAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use http::{HeaderValue, Version, uri::PathAndQuery};

use super::VerdictCache;
use crate::{
    clock::Clock,
    config::{self, Config, Source},
    exchange::{Exchange, Field, Request, isomorphic_decode},
    fuzz::{
        Seen,
        text::{headers, paragraphs, text, unescaped},
    },
    metrics::Metrics,
    plugin::{Grant, Reads, Verdict},
    query,
    route::{Found, Lookup},
    snapshot::Snapshot,
};

/// Two routes, one of them with parameters.
const CONFIGURATION: &str = "listeners.a.address = '127.0.0.1:0'\nupstreams.u.url = 'http://u'\nroutes.any.upstream = 'u'\n\
    routes.item = { path = '/item/{id}/{rest+}', upstream = 'u' }\n";

static SNAPSHOT: LazyLock<Arc<Snapshot>> = LazyLock::new(|| {
    let config = Config::parse(Source::new("gatehouse.toml", CONFIGURATION)).expect("it is a valid configuration");
    let loaded = Snapshot::load(config, None, &Metrics::default(), &Clock::default());
    Arc::new(loaded.expect("it has no plugins that could fail"))
});

/// Fields in lines (`header authorization`, `query`), then two requests, each `METHOD scheme version authority client
/// target` and lines of headers and attributes (`@name=value`). Empty lines are between them.
pub(crate) fn verdict(bytes: &[u8]) -> Seen {
    let text = text(bytes);
    let mut parts = paragraphs(&text);
    let mut fields: Vec<Field> = Vec::new();
    for field in parts.next().unwrap_or_default().into_iter().take(16).filter_map(field) {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    let mut request = || exchange(&parts.next()?);
    let (Some(one), Some(other)) = (request(), request()) else { return Seen::Refused };
    let agree = |fields: &[Field]| fields.iter().all(|field| reads(field, &one) == reads(field, &other));
    for field in &fields {
        let same = material(field, &one) == material(field, &other);
        assert_eq!(same, agree(std::slice::from_ref(field)), "{field:?} of {:?} and {:?}", one.request, other.request);
    }
    let materials = |exchange: &Exchange| fields.iter().flat_map(|field| material(field, exchange)).collect::<Vec<_>>();
    assert_eq!(materials(&one) == materials(&other), agree(&fields), "{fields:?}");
    kept(&fields, &one, &other, agree);
    Seen::accepted(one.route == other.route && agree(&fields))
}

/// Keeps a verdict about the one under all fields, and one about the other under all but the first.
fn kept(fields: &[Field], one: &Exchange, other: &Exchange, agree: impl Fn(&[Field]) -> bool) {
    let cache = cache();
    let lasting = |fields: &[Field]| !fields.contains(&Field::Volatile);
    let fewer = fields.get(1..).unwrap_or_default();
    let same_route = one.route == other.route;
    let keep = |exchange: &Exchange, fields: &[Field], who: &str| {
        let reads = Reads::On { fields: fields.to_vec(), outside: false };
        assert_eq!(cache.keep(exchange, &allow(who), reads), lasting(fields));
    };
    let found = |exchange: &Exchange| cache.find(exchange).ok();
    keep(one, fields, "one");
    assert_eq!(found(one), lasting(fields).then(|| allow("one")));
    let shared = same_route && lasting(fields) && agree(fields);
    assert_eq!(found(other), shared.then(|| allow("one")), "{fields:?}");
    keep(other, fewer, "other");
    match found(other) {
        Some(verdict) if verdict == allow("one") => assert!(shared, "{fields:?}"),
        Some(_) => assert!(lasting(fewer)),
        None => assert!(!lasting(fewer)),
    }
}

fn cache() -> VerdictCache {
    let config = config::VerdictCache {
        ttl: Duration::from_secs(300),
        max_ttl: Duration::from_secs(3600),
        denial_ttl: Duration::from_secs(60),
        entries: 100,
        identity: Vec::new(),
    };
    VerdictCache::new(&config, Clock::default()).expect("it is not turned off")
}

fn allow(who: &str) -> Arc<Verdict> {
    let attributes = vec![("auth.principal".into(), who.into())];
    Arc::new(Verdict::Allow(Grant { attributes, edits: Vec::new(), max_age: None }))
}

fn field(line: &str) -> Option<Field> {
    let (kind, name) = line.split_once(' ').unwrap_or((line, ""));
    let name = unescaped(name);
    Some(match kind {
        "method" => Field::Method,
        "path" => Field::Path,
        "query" => Field::Query,
        "query-param" => Field::QueryParam(name),
        "path-param" => Field::PathParam(name),
        "scheme" => Field::Scheme,
        "authority" => Field::Authority,
        "protocol" => Field::Protocol,
        "header" => Field::Header(name.to_ascii_lowercase()),
        "headers" => Field::Headers,
        "cookie" => Field::Cookie(name),
        "client-ip" => Field::ClientIp,
        "attribute" => Field::Attribute(name),
        "attributes" => Field::Attributes,
        "id" => Field::Volatile,
        _ => return None,
    })
}

fn exchange(lines: &[&str]) -> Option<Exchange> {
    let (first, rest) = lines.split_first()?;
    let mut words = first.splitn(6, ' ');
    let mut word = || words.next();
    let method = word()?.parse().ok()?;
    let scheme = if word()? == "https" { "https" } else { "http" };
    let version = match word()? {
        "1.0" => Version::HTTP_10,
        "2" => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
    let authority = word()?.into();
    let client: IpAddr = word()?.parse().ok()?;
    let target = PathAndQuery::try_from(word()?).ok()?;
    let headers = headers(rest.iter().copied());
    let lookup = Lookup { host: "a", method: &method, path: target.path(), headers: &headers };
    let Found::Match { route, params } = SNAPSHOT.router.find(&lookup) else { return None };
    let request = Request { method, scheme, authority, target, matched_path: None, version, headers, params, client };
    let mut exchange = Exchange { route: Some(route), ..Exchange::new(SNAPSHOT.clone(), request, Vec::new()) };
    for (name, value) in rest.iter().filter_map(|line| line.strip_prefix('@')?.split_once('=')) {
        exchange.set_attribute(unescaped(name).into(), unescaped(value).into());
    }
    Some(exchange)
}

/// What the contract's reads of a field return.
fn reads(field: &Field, exchange: &Exchange) -> Vec<Option<String>> {
    let request = &exchange.request;
    let text = |value: &HeaderValue| Some(isomorphic_decode(value.as_bytes()));
    let one = |value: Option<&str>| vec![value.map(str::to_owned)];
    match field {
        Field::Method => one(Some(request.method.as_str())),
        Field::Path => one(Some(request.target.path())),
        Field::Query => one(request.target.query()),
        Field::QueryParam(name) => {
            query::all(request.target.query().unwrap_or_default(), name).into_iter().map(Some).collect()
        }
        Field::PathParam(name) => one(exchange.path_param(name)),
        Field::Scheme => one(Some(request.scheme)),
        Field::Authority => one(Some(&request.authority)),
        Field::Protocol => vec![Some(format!("{:?}", request.version))],
        Field::Header(name) => request.headers.get_all(name).iter().map(text).collect(),
        Field::Headers => {
            request.headers.iter().flat_map(|(name, value)| [Some(name.to_string()), text(value)]).collect()
        }
        Field::Cookie(name) => one(exchange.cookie(name).as_deref()),
        Field::ClientIp => vec![Some(request.client.to_string())],
        Field::Attribute(name) => one(exchange.attribute(name)),
        Field::Attributes => {
            let both = exchange.attributes.iter().flat_map(|(name, value)| [name, value]);
            both.map(|text| Some(text.to_string())).collect()
        }
        Field::Volatile => vec![Some(exchange.id.to_string())],
    }
}

/// What goes into the key for a field.
fn material(field: &Field, exchange: &Exchange) -> Vec<u8> {
    struct Collect(Vec<u8>);
    impl Hasher for Collect {
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }

        fn finish(&self) -> u64 {
            unreachable!("nobody asks for a hash")
        }
    }
    let mut collect = Collect(Vec::new());
    exchange.hash_field(field, &mut collect);
    collect.0
}
