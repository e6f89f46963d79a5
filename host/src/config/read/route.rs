//! `[routes.NAME]`: what it matches, its chain and its upstream.

use std::ops::Range;

use http::Method;
use toml::de::DeValue;

use super::{
    address, cache,
    duplicate::Seen,
    header::{self, Scope},
    mapping, mirror,
    path::{name, path},
    server::min_rate,
    split, target,
    timeouts::timeouts,
    usage,
    websocket::websocket,
};
use crate::config::{
    Cache, Combine, KeySource, Match, Priority, Route, RouteKey, Segment, Split, Target, Template,
    problem::{Problem, quoted, suggestion},
    value::{Entry, Node, Table},
};

/// What a route can refer to, in the order of the configuration's vectors.
pub(super) struct Names<'a> {
    pub(super) upstreams: Vec<&'a str>,
    pub(super) plugins: Vec<&'a str>,
    pub(super) rate_limits: Vec<&'a str>,
    pub(super) quotas: Vec<&'a str>,
    pub(super) concurrency_limits: Vec<&'a str>,
    pub(super) cors: Vec<&'a str>,
    pub(super) validators: Vec<&'a str>,
    /// Upstreams that HTTP/2 is spoken to.
    pub(super) http2: Vec<&'a str>,
    pub(super) caches: Vec<&'a str>,
}

/// The keys of limits that have one, by table and name.
type Keys<'a> = [((&'static str, &'a str), &'a Template)];

pub(super) fn routes(
    entries: Vec<Entry<'_>>,
    names: &Names<'_>,
    (keys, caches): (&Keys<'_>, &[Cache]),
    uri_bytes: usize,
) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    // The routes that can be compared, each by its index and where it is.
    let mut seen: Seen<(usize, usize)> = Seen::default();
    for entry in &entries {
        let Ok(table) = entry.node.table() else {
            continue;
        };
        let context = entry.node.context;
        let before = context.reported();
        let route = Reader { entry, names, keys, caches, uri_bytes, before }.route(table);
        if context.reported() == before
            && let Some((index, at)) = seen.add(&route.matches, (routes.len(), entry.at.start))
        {
            let (other, line) = (&routes[index].name, context.source.line(at));
            let message = format!("route `{}` repeats route `{other}` (line {line})", route.name);
            let help = "a request would match both; change `host`, `methods`, `path` or `headers`";
            context.report(Problem::at(entry.at.clone(), message).help(help));
        }
        routes.push(route);
    }
    routes
}

struct Reader<'r, 'a> {
    entry: &'r Entry<'a>,
    names: &'r Names<'a>,
    keys: &'r Keys<'r>,
    caches: &'r [Cache],
    uri_bytes: usize,
    /// How many problems there were before this route.
    before: usize,
}

impl<'a> Reader<'_, 'a> {
    fn route(&self, mut table: Table<'a>) -> Route {
        let matches = Match {
            host: table.optional("host", host),
            methods: table.optional("methods", methods),
            path: table.optional("path", |node| self.path(node)),
            headers: table.optional("headers", header::matched).unwrap_or_default(),
        };
        let plugins = table.optional("plugins", |node| self.plugins(node)).unwrap_or_default();
        let combine = [("any", Combine::Any), ("all", Combine::All)];
        let api_key = table.optional("api_key", |node| self.api_key(node, &plugins));
        let scope = Scope {
            chain: plugins.iter().filter_map(|index| self.names.plugins.get(*index).copied()).collect(),
            api_key: api_key.is_some(),
            params: matches.path.iter().flatten().filter_map(name).collect(),
            sound: self.entry.node.context.reported() == self.before,
        };
        let upstream_headers = table.optional("upstream_headers", |node| header::upstream(node, &scope));
        let mut limits_of = |key, kind, names: &[&str]| -> Vec<usize> {
            table.optional(key, |node| self.limits(node, (key, kind), names, &scope)).unwrap_or_default()
        };
        let rate_limits = limits_of("rate_limits", "rate limit", &self.names.rate_limits);
        let quotas = limits_of("quotas", "quota", &self.names.quotas);
        let concurrency_limits = limits_of("concurrency_limits", "concurrency limit", &self.names.concurrency_limits);
        let split = split::split(&mut table, &self.names.upstreams, &scope);
        let target = self.target(&mut table, &scope, split.as_ref());
        let mut limits = table.section("limits");
        let body_bytes = limits.optional("body_bytes", |node| node.size(0..=1 << 40));
        let body_min_rate = limits.optional("body_min_rate", min_rate);
        let priorities = [("normal", Priority::Normal), ("critical", Priority::Critical)];
        limits.finish(&[("body", "it is called `body_bytes`"), ("timeout", "write `timeouts = { ... }`")]);
        let websocket = table.optional("websocket", |node| {
            let read = websocket(node, &matches, &target)?;
            match &target {
                Target::Upstream(upstream) if read.is_some() && self.speak_http2(*upstream, split.as_ref()) => {
                    let problem = node.problem("no WebSocket is opened to an upstream over HTTP/2");
                    Err(problem.help("give it an upstream with `protocol = \"http1\"`"))
                }
                _ => Ok(read),
            }
        });
        let websocket = websocket.flatten();
        let timeouts = table.optional("timeouts", |node| timeouts(node, &target)).unwrap_or_default();
        let cache = table.optional("cache", |node| {
            cache::of_route(node, &self.names.caches, self.caches, &scope, (&matches, &target))
        });
        let mirror = table.optional("mirror", |node| mirror::mirror(node, self.names, &target));
        let request = table.optional("request", |node| mapping::request(node, &scope, &target));
        let response = table.optional("response", |node| mapping::response(node, &scope, &target));
        let route = Route {
            name: self.entry.name.to_owned(),
            matches,
            plugins,
            authorize: table.optional("authorize", |node| node.choice(&combine)).unwrap_or(Combine::All),
            target,
            upstream_headers: upstream_headers.unwrap_or_default(),
            cors: table.optional("cors", |node| refer_in(node, "CORS policy", "cors", &self.names.cors)),
            rate_limits,
            quotas,
            concurrency_limits,
            api_key,
            validate: table.optional("validate", |node| refer(node, "validator", &self.names.validators)),
            body_bytes,
            body_min_rate,
            priority: table.optional("priority", |node| node.choice(&priorities)).unwrap_or(Priority::Normal),
            cache,
            compression: table.optional("compression", Node::boolean),
            websocket,
            timeouts,
            split: split.map(Box::new),
            mirror: mirror.flatten().map(Box::new),
            request: request.map(Box::new),
            response: response.map(Box::new),
        };
        table.finish(&[
            ("method", "it is called `methods`"),
            ("hosts", "it is called `host`; a second host is a second route"),
            ("paths", "it is called `path`; a second path is a second route"),
            ("uri", "it is called `path`"),
            ("prefix", "it is called `path`; `{rest+}` at its end matches the rest"),
            ("filters", "it is called `plugins`"),
            ("authorizer", "it is called `plugins`; how several combine is `authorize`"),
            ("authorizers", "it is called `plugins`; how several combine is `authorize`"),
            ("chain", "it is called `plugins`"),
            ("middlewares", "it is called `plugins`"),
            ("return", "it is called `respond`"),
            ("mock", "it is called `respond`"),
            ("canary", "write `upstream = { STABLE = 95, NEXT = 5 }`; what is sticky is `split`"),
            ("upstreams", "write `upstream = { STABLE = 95, NEXT = 5 }`"),
            ("weight", "write `upstream = { STABLE = 95, NEXT = 5 }`"),
            ("shadow", "it is called `mirror`"),
            ("strip_prefix", "write `[routes.NAME.request] path = \"/${path.rest}\"`, with `{rest+}` in `path`"),
            ("rewrite", "it is the `path` of `[routes.NAME.request]`"),
            ("request_headers", "they are the `headers` of `[routes.NAME.request]`"),
            ("response_headers", "they are the `headers` of `[routes.NAME.response]`"),
            ("backend", "it is called `upstream`"),
            ("service", "it is called `upstream`"),
            ("target", "it is called `upstream`"),
            ("url", "it belongs in `[upstreams.NAME]`"),
            ("body_bytes", "write `limits = { body_bytes = ... }`"),
            ("timeout", "it is called `timeouts`"),
            ("idle_timeout", "write `timeouts = { idle = ... }`"),
            ("first_byte_timeout", "write `timeouts = { first_byte = ... }`"),
            ("rate_limit", "it is called `rate_limits`"),
            ("throttle", "it is called `rate_limits`"),
            ("quota", "it is called `quotas`"),
            ("concurrency_limit", "it is called `concurrency_limits`"),
            ("usage_plan", "write `api_key = \"required\"`; a plan says its `routes`"),
            ("usage_plans", "write `api_key = \"required\"`; a plan says its `routes`"),
            ("validator", "it is called `validate`"),
            ("schema", "it is the `body` of `[validators.NAME]`"),
            ("compress", "it is called `compression`"),
            ("gzip", "it is called `compression`"),
            ("caching", "it is called `cache`"),
            ("ttl", "write `cache = { name = \"NAME\", ttl = ... }`"),
            ("websockets", "it is called `websocket`"),
            ("ws", "it is called `websocket`"),
            ("upgrade", "it is called `websocket`"),
        ]);
        route
    }

    fn path(&self, node: Node<'a>) -> Result<Vec<Segment>, Problem> {
        let segments = path(node)?;
        // A parameter catches at least one byte.
        let shortest: usize = segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => 1 + text.len(),
                Segment::Param(_) | Segment::Greedy(_) => 2,
            })
            .sum();
        if shortest > self.uri_bytes {
            let problem = node.problem("this route can never match: its path is longer than `limits.uri_bytes`");
            node.context.report(problem.help(format!("it takes at least {shortest} bytes")));
        }
        Ok(segments)
    }

    /// One of the three. What is reported may be anything.
    fn target(&self, table: &mut Table<'a>, scope: &Scope<'_>, split: Option<&Split>) -> Target {
        let given: Vec<_> = ["redirect", "respond"].into_iter().filter_map(|key| table.node(key)).collect();
        let Some(first) = given.first() else {
            let upstream = table.required("upstream", "\"NAME\"", |node| match node.value.get_ref() {
                DeValue::Table(_) => Ok(split.and_then(|split| split.upstreams.first()).map_or(0, |(first, _)| *first)),
                _ => self.upstream(node),
            });
            return Target::Upstream(upstream.unwrap_or_default());
        };
        for extra in given.iter().skip(1).copied().chain(table.node("upstream")) {
            let message = format!("there is already a `{}`", first.name);
            let help = "a route has an `upstream`, a `redirect` or a `respond`";
            table.report(Problem::at(extra.value.span(), message).help(help));
        }
        let redirect = table.optional("redirect", |node| target::redirect(node, scope)).flatten();
        let respond = table.optional("respond", target::respond);
        let target = redirect.map(Target::Redirect).or(respond.map(Target::Respond));
        target.unwrap_or(Target::Upstream(0))
    }

    fn upstream(&self, node: Node<'a>) -> Result<usize, Problem> {
        refer(node, "upstream", &self.names.upstreams)
    }

    /// Whether HTTP/2 is spoken to an upstream, or to another of several.
    fn speak_http2(&self, upstream: usize, split: Option<&Split>) -> bool {
        let others = split.iter().flat_map(|split| &split.upstreams).map(|(index, _)| *index);
        let mut names = others.chain([upstream]).filter_map(|index| self.names.upstreams.get(index));
        names.any(|name| self.names.http2.contains(name))
    }

    fn plugins(&self, node: Node<'a>) -> Result<Vec<usize>, Problem> {
        let mut chain: Vec<usize> = Vec::new();
        node.list(|node| {
            let found = refer(node, "plugin", &self.names.plugins)?;
            if chain.contains(&found) {
                let problem = node.problem(format!("plugin `{}` is already in this chain", self.names.plugins[found]));
                return Err(problem.help("for two configurations of one component, define two plugins"));
            }
            chain.push(found);
            Ok(found)
        })
    }
}

impl<'a> Reader<'_, 'a> {
    /// The limits of a table that the route names.
    fn limits(
        &self,
        node: Node<'a>,
        (table, kind): (&'static str, &str),
        names: &[&str],
        scope: &Scope<'_>,
    ) -> Result<Vec<usize>, Problem> {
        let mut found: Vec<usize> = Vec::new();
        node.list(|node| {
            let index = refer_in(node, kind, table, names)?;
            if found.contains(&index) {
                return Err(node.problem(format!("{} is already in this list", quoted(names[index]))));
            }
            found.push(index);
            let key = self.keys.iter().find(|(place, _)| *place == (table, names[index]));
            let parts = key.map_or(&[][..], |(_, key)| &key.parts);
            match parts.iter().find_map(|part| header::check(part, scope).err()) {
                Some((message, help)) if scope.sound => {
                    Err(node.problem(format!("its key cannot be known here: {message}")).help(help))
                }
                _ => Ok(index),
            }
        })
    }

    /// Where the key is what an authorizer says, there has to be one.
    fn api_key(&self, node: Node<'a>, plugins: &[usize]) -> Result<RouteKey, Problem> {
        let key = usage::route_key(node)?;
        let sound = self.entry.node.context.reported() == self.before;
        if matches!(key.source, KeySource::Attribute(_)) && plugins.is_empty() && sound {
            let problem = node.problem("this route has no plugin that could say which key it is");
            return Err(problem.help("add `plugins = [...]`"));
        }
        Ok(key)
    }
}

/// The index of the table that a string names.
pub(super) fn refer(node: Node<'_>, kind: &str, names: &[&str]) -> Result<usize, Problem> {
    refer_in(node, kind, &format!("{kind}s"), names)
}

pub(super) fn refer_in(node: Node<'_>, kind: &str, tables: &str, names: &[&str]) -> Result<usize, Problem> {
    refer_by(node.text()?, node.value.span(), kind, tables, names)
}

/// As `refer_in`, of a name at a place.
pub(super) fn refer_by(
    text: &str,
    at: Range<usize>,
    kind: &str,
    tables: &str,
    names: &[&str],
) -> Result<usize, Problem> {
    names.iter().position(|other| *other == text).ok_or_else(|| {
        let problem = Problem::at(at, format!("there is no {kind} {}", quoted(text)));
        if names.is_empty() {
            problem.help(format!("add a table `[{tables}.NAME]`"))
        } else {
            problem.help(suggestion(text, names))
        }
    })
}

fn host(node: Node<'_>) -> Result<String, Problem> {
    let text = node.text()?;
    if text == "*" {
        return Err(node.problem("`*` is not a host").help("a route without `host` takes any"));
    }
    address::host(text, true).map_err(|problem| node.within(problem))
}

pub(super) fn methods(node: Node<'_>) -> Result<Vec<Method>, Problem> {
    let mut seen: Vec<&str> = Vec::new();
    let methods = node.list(|node| {
        let text = node.text()?;
        let upper = text.to_ascii_uppercase();
        let method = Method::from_bytes(upper.as_bytes()).ok().filter(|_| upper == text).ok_or_else(|| {
            let problem = node.problem(format!("{} is not a method", quoted(text)));
            match Method::from_bytes(upper.as_bytes()) {
                Ok(_) => problem.help(format!("methods are case-sensitive: `{upper}`")),
                Err(_) => problem.help("a token such as `GET`; a route without `methods` takes any"),
            }
        })?;
        if method == Method::CONNECT {
            return Err(node.problem("`CONNECT` has no path to route by").help("leave it out"));
        }
        if seen.contains(&text) {
            return Err(node.problem(format!("`{text}` is already in this list")));
        }
        seen.push(text);
        Ok(method)
    })?;
    match (node.value.get_ref(), methods.is_empty()) {
        (DeValue::Array(items), true) if items.is_empty() => {
            Err(node.problem("this route can never match: no method is allowed").help("leave `methods` out for any"))
        }
        _ => Ok(methods),
    }
}
