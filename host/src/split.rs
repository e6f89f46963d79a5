//! Which of a route's several upstreams a request goes to.
//!
//! By weighted rendezvous hashing of what is sticky, which needs no memory and is the same in all processes: when a weight
//! grows, requests only come to that upstream, and those that it had stay. Without a key chance decides.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use prometheus_client::metrics::counter::Counter;

use crate::{
    chain,
    config::{self, Config, Sticky},
    exchange::Exchange,
    metrics::Metrics,
    template,
    upstream::{hash, rendezvous},
};

/// The attribute that tells the choice.
const ATTRIBUTE: &str = "upstream.name";

/// What an upstream answered, for its counters: by the status's first digit, and none.
const RESULTS: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// The upstreams of a route.
#[derive(Debug)]
pub(crate) struct Split {
    ways: Vec<Way>,
    sticky: Sticky,
    header: Option<HeaderName>,
    attribute: Arc<str>,
}

#[derive(Debug)]
struct Way {
    /// Into [`Config::upstreams`].
    index: usize,
    name: Arc<str>,
    hash: u64,
    weight: u32,
    /// Parallel to [`RESULTS`].
    results: [Counter; 6],
}

/// A choice that was made.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    way: usize,
    /// Its name.
    pub(crate) name: Arc<str>,
    /// The cookie that the client gets for it.
    pub(crate) cookie: Option<HeaderValue>,
}

impl Split {
    pub(crate) fn new(split: &config::Split, config: &Config, route: &str, metrics: &Metrics) -> Self {
        let way = |&(index, weight): &(usize, u32)| {
            let name = &*config.upstreams[index].name;
            let results = RESULTS.map(|result| metrics.split(route, name, result));
            Way { index, name: name.into(), hash: hash(name), weight, results }
        };
        Self {
            ways: split.upstreams.iter().map(way).collect(),
            sticky: split.sticky.clone(),
            header: split.header.clone(),
            attribute: ATTRIBUTE.into(),
        }
    }

    /// Chooses, and tells of it; the upstream's index.
    fn choose(&self, exchange: &mut Exchange) -> usize {
        let mut cookie = None;
        let way = self.asked_for(&exchange.request.headers).unwrap_or_else(|| {
            let key = self.key(exchange, &mut cookie).unwrap_or_else(|| hash(exchange.id.as_str()));
            rendezvous(key, self.ways.iter().map(|way| (way.hash, way.weight))).unwrap_or(0)
        });
        let Way { index, name, .. } = &self.ways[way];
        exchange.set_attribute(self.attribute.clone(), name.clone());
        exchange.outcome.chosen = Some(Box::new(Chosen { way, name: name.clone(), cookie }));
        *index
    }

    /// The one that a header names.
    fn asked_for(&self, headers: &HeaderMap) -> Option<usize> {
        let name = headers.get(self.header.as_ref()?)?;
        self.ways.iter().position(|way| name.as_bytes() == way.name.as_bytes())
    }

    /// What makes it sticky; none where the request has nothing of it.
    fn key(&self, exchange: &Exchange, new: &mut Option<HeaderValue>) -> Option<u64> {
        match &self.sticky {
            Sticky::No => None,
            Sticky::Key(key) => template::key(key, exchange).map(|text| hash(&*text)),
            Sticky::Cookie { name, max_age } => {
                let kept = exchange.cookie(name).and_then(|value| value.parse::<u16>().ok());
                let ticket = kept.unwrap_or_else(|| hash(exchange.id.as_str()) as u16);
                if kept.is_none() {
                    let age = max_age.map(|age| format!("; Max-Age={}", age.as_secs())).unwrap_or_default();
                    let secure = if exchange.request.scheme == "https" { "; Secure" } else { "" };
                    let cookie = format!("{name}={ticket}; Path=/{age}; HttpOnly; SameSite=Lax{secure}");
                    *new = HeaderValue::try_from(cookie).ok();
                }
                Some(hash(&ticket))
            }
        }
    }
}

/// The upstream that a request goes to; `only` where its route has no other.
pub(crate) fn choose(exchange: &mut Arc<Exchange>, route: usize, only: usize) -> usize {
    if exchange.snapshot.chains[route].split.is_none() {
        return only;
    }
    let snapshot = exchange.snapshot.clone();
    snapshot.chains[route].split.as_ref().map_or(only, |split| split.choose(chain::edit(exchange)))
}

/// Counts what the chosen one has answered; none: nothing.
pub(crate) fn count(exchange: &Exchange, route: usize, status: Option<StatusCode>) {
    if let (Some(chosen), Some(split)) = (&exchange.outcome.chosen, &exchange.snapshot.chains[route].split) {
        let result = status.map_or(RESULTS.len(), |status| usize::from(status.as_u16() / 100)) - 1;
        split.ways[chosen.way].results[result.min(RESULTS.len() - 1)].inc();
    }
}
