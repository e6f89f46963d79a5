//! What the benches in `bench/criterion` call: the parts of a request's path, one at a time, on a gateway that was started
//! as any other. It changes nothing and decides nothing, and nobody else uses it.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use http::{HeaderMap, Method, Version, uri::PathAndQuery};

use crate::{
    exchange::{Exchange, Request},
    failure::Fault,
    plugin::{Plugin, Verdict},
    route::{Found, Lookup, Params},
    verdict,
};

pub use crate::snapshot::Snapshot;

/// The index of the route that a GET without headers takes.
pub fn route(snapshot: &Snapshot, host: &str, path: &str) -> Option<usize> {
    find(snapshot, host, path, &HeaderMap::new()).map(|(route, _)| route)
}

/// A GET as it is when its authorizers are asked. None: no route takes it.
pub fn exchange(snapshot: &Arc<Snapshot>, path: &'static str, headers: HeaderMap) -> Option<Arc<Exchange>> {
    let (route, params) = find(snapshot, "bench.example", path, &headers)?;
    let request = Request {
        method: Method::GET,
        scheme: "http",
        authority: "bench.example".into(),
        target: PathAndQuery::from_static(path),
        matched_path: None,
        version: Version::HTTP_11,
        headers,
        params,
        client: Ipv4Addr::LOCALHOST.into(),
    };
    Some(Arc::new(Exchange { route: Some(route), ..Exchange::new(snapshot.clone(), request, Vec::new()) }))
}

/// Calls the hook of the route's first authorizer, whatever its cache knows. Whether it allows.
pub async fn call(exchange: &Arc<Exchange>) -> Result<bool, Fault> {
    let mut session = authorizer(exchange).session(0).await?;
    let (verdict, _) = session.authorize(exchange, false).await?;
    Ok(matches!(verdict, Verdict::Allow(_)))
}

/// Has the verdict of the route's first authorizer. Whether its cache knew it.
pub async fn decide(exchange: &Arc<Exchange>) -> Result<bool, Fault> {
    let mut spent = Duration::ZERO;
    let decided = verdict::decide(authorizer(exchange), 0, exchange, &mut spent).await?;
    Ok(decided.cached)
}

fn authorizer(exchange: &Exchange) -> &Arc<Plugin> {
    let snapshot = &exchange.snapshot;
    let route = exchange.route.expect("`exchange` makes none without a route");
    &snapshot.plugins[snapshot.chains[route].authorizers[0]]
}

fn find(snapshot: &Snapshot, host: &str, path: &str, headers: &HeaderMap) -> Option<(usize, Params)> {
    match snapshot.router.find(&Lookup { host, method: &Method::GET, path, headers }) {
        Found::Match { route, params } => Some((route, params)),
        Found::MethodNotAllowed { .. } | Found::Nothing => None,
    }
}
