//! `[routes.NAME]`: what it matches, its chain and its upstream.

use std::ops::Range;

use http::Method;
use toml::de::DeValue;

use super::{
    address,
    duplicate::Seen,
    header::{self, Scope},
    mapping, mirror,
    path::{name, path},
    split, target,
    websocket::websocket,
};
use crate::config::{
    Combine, Match, RateLimit, Route, Segment, Split, Target,
    problem::{Problem, quoted, suggestion},
    value::{Entry, Node, Table},
};

/// What a route can refer to, in the order of the configuration's vectors.
pub(super) struct Names<'a> {
    pub(super) upstreams: Vec<&'a str>,
    pub(super) plugins: Vec<&'a str>,
    pub(super) rate_limits: Vec<&'a str>,
    pub(super) cors: Vec<&'a str>,
    pub(super) validators: Vec<&'a str>,
}

pub(super) fn routes(
    entries: Vec<Entry<'_>>,
    names: &Names<'_>,
    rate_limits: &[RateLimit],
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
        let route = Reader { entry, names, rate_limits, uri_bytes, before }.route(table);
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
    rate_limits: &'r [RateLimit],
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
        let scope = Scope {
            chain: plugins.iter().filter_map(|index| self.names.plugins.get(*index).copied()).collect(),
            params: matches.path.iter().flatten().filter_map(name).collect(),
            sound: self.entry.node.context.reported() == self.before,
        };
        let upstream_headers = table.optional("upstream_headers", |node| header::upstream(node, &scope));
        let rate_limits = table.optional("rate_limits", |node| self.rate_limits(node, &scope)).unwrap_or_default();
        let split = split::split(&mut table, &self.names.upstreams, &scope);
        let target = self.target(&mut table, &scope, split.as_ref());
        let mut limits = table.section("limits");
        let body_bytes = limits.optional("body_bytes", |node| node.size(0..=1 << 40));
        limits.finish(&[("body", "it is called `body_bytes`"), ("timeout", "time-outs belong to the upstream")]);
        let websocket = table.optional("websocket", |node| websocket(node, &matches, &target)).flatten();
        let mirror = table.optional("mirror", |node| mirror::mirror(node, &self.names.upstreams, &target));
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
            validate: table.optional("validate", |node| refer(node, "validator", &self.names.validators)),
            body_bytes,
            websocket,
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
            ("timeout", "time-outs belong to the upstream"),
            ("rate_limit", "it is called `rate_limits`"),
            ("throttle", "it is called `rate_limits`"),
            ("validator", "it is called `validate`"),
            ("schema", "it is the `body` of `[validators.NAME]`"),
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
    fn rate_limits(&self, node: Node<'a>, scope: &Scope<'_>) -> Result<Vec<usize>, Problem> {
        let mut found: Vec<usize> = Vec::new();
        node.list(|node| {
            let index = refer_in(node, "rate limit", "rate_limits", &self.names.rate_limits)?;
            if found.contains(&index) {
                return Err(node.problem(format!("{} is already in this list", quoted(self.names.rate_limits[index]))));
            }
            found.push(index);
            let limit = self.rate_limits.iter().find(|limit| limit.name == self.names.rate_limits[index]);
            let parts = limit.and_then(|limit| limit.key.as_ref()).map_or(&[][..], |key| &key.parts);
            match parts.iter().find_map(|part| header::check(part, scope).err()) {
                Some((message, help)) if scope.sound => {
                    Err(node.problem(format!("its key cannot be known here: {message}")).help(help))
                }
                _ => Ok(index),
            }
        })
    }
}

/// The index of the table that a string names.
pub(super) fn refer(node: Node<'_>, kind: &str, names: &[&str]) -> Result<usize, Problem> {
    refer_in(node, kind, &format!("{kind}s"), names)
}

fn refer_in(node: Node<'_>, kind: &str, tables: &str, names: &[&str]) -> Result<usize, Problem> {
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
