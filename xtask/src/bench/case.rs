//! What is measured: groups of cases that are compared with one another, each a peer and what is asked of it.
//!
//! A case more is a line here. The first case of a group is what the others' ratios are to; it is nginx wherever nginx
//! can do the same.

use super::token;

/// Cases that are measured in the same rounds.
#[derive(Debug)]
pub(super) struct Group {
    /// In tables, results and `--case`.
    pub(super) name: &'static str,
    /// For people.
    pub(super) what: &'static str,
    /// Whether a target depends on it: the others are measured in every second round.
    pub(super) target: bool,
    pub(super) cores: Cores,
    pub(super) cases: &'static [Case],
}

/// Where the load and the upstream run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cores {
    /// Beside the proxy, on the other core.
    Apart,
    /// On both, as the proxy.
    Shared,
}

/// A case.
#[derive(Debug)]
pub(super) struct Case {
    /// Unique in its group.
    pub(super) name: &'static str,
    /// The name of its peer.
    pub(super) peer: &'static str,
    /// The path that is asked for.
    pub(super) path: &'static str,
    pub(super) load: Load,
    /// The host that is asked for, if it is not the peer's address.
    pub(super) host: Option<&'static str>,
    /// The value of the header `authorization` that is sent.
    pub(super) authorization: &'static str,
    /// What one request shows before anything is measured.
    pub(super) proof: Proof,
    /// For people.
    pub(super) what: &'static str,
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// HTTP/1.1 over 32 kept connections, always the same request.
    Same,
    /// The same, for so many routes in turn.
    Routes(&'static str),
    /// The same in halves, each with a wrk of its own: one for the case's peer, one for this peer, at the same time.
    Pair(&'static str),
    /// HTTP/2 with prior knowledge: 4 connections with 100 streams each.
    Http2,
}

/// What must be seen of a peer, so that nobody measures an error page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// 200.
    Answers,
    /// And 401 with another `authorization`.
    Denies,
    /// And a header `x-user` that arrives at the upstream.
    DeniesAndAdds,
}

impl Case {
    /// Whether a peer must run for it.
    pub(super) fn needs(&self, peer: &str) -> bool {
        self.peer == peer || matches!(self.load, Load::Pair(other) if other == peer)
    }
}

/// What is the same in most cases.
const USUAL: Case = Case {
    name: "",
    peer: "",
    path: "/plain",
    load: Load::Same,
    host: None,
    authorization: token::BEARER,
    proof: Proof::Answers,
    what: "",
};

const NGINX: Case = Case { name: "nginx", peer: "nginx", what: "a plain proxy", ..USUAL };
const HAPROXY: Case = Case { name: "HAProxy", peer: "haproxy", what: "a plain proxy", ..USUAL };
const BARE: Case =
    Case { name: "bare hyper", peer: "bare", what: "no routes, time-outs or headers of its own", ..USUAL };
const PLAIN: Case = Case { name: "gatehouse", peer: "gatehouse", what: "a route without plugins", ..USUAL };
const ENVOY: Case = Case { name: "Envoy", peer: "envoy", what: "a plain proxy", ..USUAL };
const PINGORA: Case = Case { name: "Pingora", peer: "pingora", what: "a plain proxy over the library", ..USUAL };
const LUA: Case = extended("nginx + Lua", "nginx-lua", "a handler in Lua checks a header and adds one");

/// All groups, in the order of the report.
pub(super) const GROUPS: [Group; 11] = [
    Group {
        name: "plugins",
        what: "`authorization` must begin with `Bearer `, a header `x-user` is added, the outcome is looked at",
        target: true,
        cores: Cores::Apart,
        cases: &[
            NGINX,
            LUA,
            BARE,
            PLAIN,
            plugins("1 plugin", "/one", Proof::Denies, "an authorizer, its verdict cache off"),
            plugins("2 plugins", "/two", Proof::DeniesAndAdds, "and a filter that adds a request header"),
            plugins("3 plugins", "/three", Proof::DeniesAndAdds, "and a logger"),
            plugins("cache hit", "/cached", Proof::Denies, "the authorizer, its verdict cache on"),
            plugins("fresh instance", "/fresh", Proof::Denies, "the authorizer, a new instance for each request"),
        ],
    },
    Group {
        name: "proxies",
        what: "the same request through other proxies; their extensions check a header and add one",
        target: false,
        cores: Cores::Apart,
        cases: &[
            NGINX,
            HAPROXY,
            PINGORA,
            ENVOY,
            extended("Envoy + Lua", "envoy-lua", "a handler in Lua"),
            extended("Envoy + 1 filter", "envoy-wasm", "a proxy-wasm filter in V8"),
            extended("Envoy + 3 filters", "envoy-wasm-3", "three proxy-wasm filters, each in a VM of its own"),
            PLAIN,
            plugins("3 plugins", "/three", Proof::DeniesAndAdds, "an authorizer, a filter and a logger"),
        ],
    },
    Group {
        name: "jwt",
        what: "the shipped plugin jwt",
        target: false,
        cores: Cores::Apart,
        cases: &[
            NGINX,
            PLAIN,
            jwt("ES256", "/jwt", token::ES256, "each request's signature is checked"),
            jwt("ES256, cached", "/jwt-cached", token::ES256, "the verdict is kept"),
            jwt("HS256", "/jwt", token::HS256, "each request's signature is checked"),
            jwt("HS256, cached", "/jwt-cached", token::HS256, "the verdict is kept"),
        ],
    },
    Group {
        name: "languages",
        what: "an authorizer in an interpreted language: a Lambda function that looks up a token",
        target: false,
        cores: Cores::Apart,
        cases: &[
            NGINX,
            Case { peer: "languages", ..PLAIN },
            language("Python", "/orders/python", "each request is a call"),
            language("Python, cached", "/orders/python-cached", "the verdict is kept"),
            language("JavaScript", "/orders/javascript", "each request is a call"),
            language("JavaScript, cached", "/orders/javascript-cached", "the verdict is kept"),
        ],
    },
    Group {
        name: "1 KiB",
        what: "a body of 1 KiB from the upstream",
        target: false,
        cores: Cores::Apart,
        cases: &bodies("/large-buffers/bytes/1KiB", "/bytes/1KiB"),
    },
    Group {
        name: "16 KiB",
        what: "a body of 16 KiB from the upstream",
        target: true,
        cores: Cores::Apart,
        cases: &bodies("/large-buffers/bytes/16KiB", "/bytes/16KiB"),
    },
    Group {
        name: "1 MiB",
        what: "a body of 1 MiB from the upstream",
        target: true,
        cores: Cores::Apart,
        cases: &bodies("/large-buffers/bytes/1MiB", "/bytes/1MiB"),
    },
    Group {
        name: "HTTP/2",
        what: "cleartext with prior knowledge, 4 connections with 100 streams each",
        target: false,
        cores: Cores::Apart,
        cases: &[http2(NGINX), http2(HAPROXY), http2(ENVOY), http2(PLAIN)],
    },
    Group {
        name: "routes",
        what: "a table of 10,001 routes, of which one is for a host of its own",
        target: true,
        cores: Cores::Apart,
        cases: &[
            Case { host: Some("one-route.bench"), ..routes("1 route", "1", "a host of one route") },
            routes("10,000 routes", "1", "one of a host of 10,000"),
            routes("in turn", "10000", "all of a host of 10,000, which no cache of the processor holds"),
        ],
    },
    Group {
        name: "many plugins",
        what: "a request through three plugins, of which there are more",
        target: false,
        cores: Cores::Apart,
        cases: &[
            plugins("3 plugins", "/three", Proof::DeniesAndAdds, "of ten that are loaded"),
            Case { peer: "1000-plugins", ..plugins("1,000 plugins", "/chain-300", Proof::DeniesAndAdds, "of so many") },
        ],
    },
    Group {
        name: "workers",
        what: "the gateway and the load, two of wrk with 16 connections each, on both cores",
        target: true,
        cores: Cores::Shared,
        cases: &[
            pair("1 worker", "1-worker", "1-worker", "one process"),
            pair(
                "2 gateways",
                "1-worker",
                "another-worker",
                "the first of two processes of one worker, which share nothing",
            ),
            pair("2 workers", "2-workers", "2-workers", "one process"),
        ],
    },
];

const fn extended(name: &'static str, peer: &'static str, what: &'static str) -> Case {
    Case { name, peer, proof: Proof::DeniesAndAdds, what, ..USUAL }
}

const fn plugins(name: &'static str, path: &'static str, proof: Proof, what: &'static str) -> Case {
    Case { name, peer: "gatehouse", path, proof, what, ..USUAL }
}

const fn jwt(name: &'static str, path: &'static str, authorization: &'static str, what: &'static str) -> Case {
    Case { authorization, ..plugins(name, path, Proof::Denies, what) }
}

const fn language(name: &'static str, path: &'static str, what: &'static str) -> Case {
    Case { peer: "languages", ..plugins(name, path, Proof::Denies, what) }
}

/// The first path is that behind larger buffers.
const fn bodies(tuned: &'static str, path: &'static str) -> [Case; 5] {
    let large = Case { name: "nginx, large buffers", path: tuned, what: "16 of 16 KiB for each connection", ..NGINX };
    [Case { path, ..NGINX }, large, Case { path, ..HAPROXY }, Case { path, ..BARE }, Case { path, ..PLAIN }]
}

const fn routes(name: &'static str, count: &'static str, what: &'static str) -> Case {
    Case { name, peer: "routes", path: "/service-0/items/7", load: Load::Routes(count), what, ..USUAL }
}

const fn pair(name: &'static str, peer: &'static str, other: &'static str, what: &'static str) -> Case {
    Case { name, peer, load: Load::Pair(other), what, ..USUAL }
}

const fn http2(case: Case) -> Case {
    Case { load: Load::Http2, ..case }
}
