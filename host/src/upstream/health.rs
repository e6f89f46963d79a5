//! Endpoints are looked at beside requests, on a thread of their own: what a busy worker would see late.

use std::{
    sync::{Arc, LazyLock, Weak, atomic::Ordering},
    thread,
};

use http::{HeaderMap, Method};
use tokio::{
    runtime::LocalRuntime,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::spawn_local,
    time::{Instant, sleep, timeout},
};

use super::{
    balance::Balancer,
    connection::{Connection, Lost},
    endpoint::Endpoint,
    head::Asked,
    http2,
};
use crate::{
    config::{HealthCheck, Protocol},
    descriptors::Upstreams,
};

/// What is to be looked at. It ends with the last snapshot that has the endpoint.
struct Watched {
    upstream: String,
    endpoint: Weak<Endpoint>,
    check: HealthCheck,
    descriptors: Upstreams,
}

static WATCHED: LazyLock<UnboundedSender<Watched>> = LazyLock::new(|| {
    let (sender, receiver) = unbounded_channel();
    let spawned = thread::Builder::new().name("health".into()).spawn(|| run(receiver));
    if let Err(error) = spawned {
        tracing::error!("no endpoint is checked, there is no thread for it: {error}");
    }
    sender
});

fn run(mut watched: UnboundedReceiver<Watched>) {
    match LocalRuntime::new() {
        Ok(runtime) => runtime.block_on(async move {
            while let Some(watched) = watched.recv().await {
                spawn_local(watch(watched));
            }
        }),
        Err(error) => tracing::error!("no endpoint is checked: {error}"),
    }
}

/// Looks at those endpoints from now on that nobody looks at yet.
pub(crate) fn start(upstream: &str, balancer: &Balancer, descriptors: &Upstreams) {
    for endpoint in balancer.endpoints() {
        let Some(check) = endpoint.check.clone() else { continue };
        if endpoint.is_checked.swap(true, Ordering::Relaxed) {
            continue;
        }
        let upstream = upstream.to_owned();
        // The thread is there for as long as the process is, or was never there, which it has said.
        let _ = WATCHED.send(Watched {
            upstream,
            endpoint: Arc::downgrade(endpoint),
            check,
            descriptors: descriptors.clone(),
        });
    }
}

async fn watch(watched: Watched) {
    let Watched { upstream, endpoint, check, descriptors } = watched;
    let mut in_a_row = None;
    while let Some(endpoint) = endpoint.upgrade() {
        let looked = timeout(check.timeout, look(&endpoint, &check, &descriptors)).await;
        let looked = looked.unwrap_or_else(|_| Err(format!("no answer within {:?}", check.timeout)));
        let is_well = looked.is_ok();
        let enough = if is_well { check.healthy } else { check.unhealthy };
        let differs = is_well != endpoint.is_well();
        // The first check counts at once: nothing else is known.
        let count = if differs { in_a_row.map_or(enough, |count: u32| count + 1) } else { 0 };
        let turns = differs && count >= enough;
        in_a_row = Some(if turns { 0 } else { count });
        if turns {
            endpoint.set_well(is_well);
            let (upstream, endpoint) = (&*upstream, &*endpoint.name);
            match looked {
                Ok(()) => tracing::info!(upstream, endpoint, "is well again and gets requests"),
                Err(why) => tracing::warn!(upstream, endpoint, "is not well and gets no requests: {why}"),
            }
        }
        drop(endpoint);
        sleep(check.interval).await;
    }
}

async fn look(endpoint: &Endpoint, check: &HealthCheck, descriptors: &Upstreams) -> Result<(), String> {
    if let (Protocol::Http2, Some(path)) = (endpoint.protocol, &check.path) {
        let opened = http2::Channel::open(endpoint, check.timeout, descriptors).await;
        let channel = opened.map_err(|failure| failure.to_string())?;
        let until = Instant::now() + check.timeout;
        return is_well(http2::look(&channel, endpoint, path, until).await?);
    }
    let opened = Connection::open(endpoint, check.timeout, check.timeout, descriptors).await;
    let mut connection = opened.map_err(|failure| failure.to_string())?;
    let Some(path) = &check.path else { return Ok(()) };
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nuser-agent: gatehouse-health\r\naccept: */*\r\nconnection: close\r\n\r\n",
        endpoint.name
    );
    connection.write_head(head.as_bytes()).await.map_err(lost)?;
    let asked = Asked { method: &Method::GET, upgrades: false };
    let answer = connection.answer(asked, HeaderMap::new(), &mut None, check.timeout).await.map_err(lost)?;
    is_well(answer.status.as_u16())
}

fn is_well(status: u16) -> Result<(), String> {
    match status {
        200..=399 => Ok(()),
        status => Err(format!("it answers {status}")),
    }
}

fn lost(lost: Lost) -> String {
    match lost {
        Lost::Unsent(why) | Lost::Unanswered(why) => why,
        Lost::Failed(failure) => failure.to_string(),
    }
}
