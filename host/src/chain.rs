//! The chain of a route: who is asked in which order, and what becomes of their answers.
//!
//! Invariants: an authorizer that fails never lets a request pass. A filter's answer is applied as a whole or not at
//! all. Nobody but the gateway holds the exchange between two hooks.

mod authorize;
mod request;
mod response;
mod validate;

pub(crate) use authorize::{authorize, grant};
pub(crate) use request::{on_request, retarget};
pub(crate) use response::on_response;
pub(crate) use validate::validate;

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::{
    config::OnFailure,
    exchange::Exchange,
    failure::{Failure, Fault},
    plugin::{Plugin, PluginReply, Session},
};

/// Why the chain ends before the upstream's answer is through.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A filter has answered: `by` is its index in the snapshot. Or, without one, the gateway has.
    Reply { reply: Box<PluginReply>, by: Option<usize> },
    /// An authorizer has refused; the reason is for the log.
    Denied { reply: Box<PluginReply>, reason: Option<String> },
    /// Something went wrong.
    Failure(Failure),
    /// Something went wrong when part of a body was gone already: it cannot be skipped.
    Body(Failure),
}

impl Stop {
    /// The answer to a CORS preflight.
    pub(crate) fn preflight(headers: HeaderMap) -> Self {
        let reply = PluginReply { status: StatusCode::NO_CONTENT, headers, body: Bytes::new() };
        Self::Reply { reply: Box::new(reply), by: None }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The exchange, to change between two hooks.
pub(crate) fn edit(exchange: &mut Arc<Exchange>) -> &mut Exchange {
    // Copies only if a chunk filter still holds the exchange as it was when its body began.
    Arc::make_mut(exchange)
}

/// Runs a filter's hooks: its time is counted, and a failure does what the operator chose. None: it was skipped.
async fn guarded<T>(
    exchange: &mut Arc<Exchange>,
    index: usize,
    hooks: impl AsyncFnOnce(&mut Arc<Exchange>, &Arc<Plugin>) -> Result<T, Stop>,
) -> Result<Option<T>, Stop> {
    let plugin = exchange.snapshot.plugins[index].clone();
    let started = Instant::now();
    let result = hooks(exchange, &plugin).await;
    edit(exchange).spent(index, started.elapsed());
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Stop::Failure(failure @ Failure::Plugin { .. })) if plugin.config.on_failure == OnFailure::Skip => {
            skipped(exchange, &plugin, &failure);
            Ok(None)
        }
        Err(Stop::Reply { reply, .. }) => Err(Stop::Reply { reply, by: Some(index) }),
        Err(stop) => Err(stop),
    }
}

fn skipped(exchange: &Exchange, plugin: &Plugin, failure: &Failure) {
    plugin.metrics().skipped.inc();
    let plugin = plugin.name();
    tracing::warn!(target: "plugin", plugin, request_id = exchange.id.as_str(), "skipped: {failure}");
}

/// What a plugin said, for who watches the log: `gatehouse dev` shows it.
fn said(exchange: &Exchange, plugin: &Plugin, what: impl std::fmt::Display) {
    tracing::debug!(target: "chain", request_id = exchange.id.as_str(), plugin = plugin.name(), "{what}");
}

async fn session(plugin: &Arc<Plugin>, worker: usize) -> Result<Session, Failure> {
    plugin.session(worker).await.map_err(|fault| failed(plugin, fault))
}

fn failed(plugin: &Plugin, fault: Fault) -> Failure {
    Failure::plugin(plugin.name(), fault)
}

/// Tells the loggers of an exchange that has ended.
pub(crate) async fn log(exchange: &Arc<Exchange>, worker: usize) {
    let Some(route) = exchange.route else { return };
    let snapshot = exchange.snapshot.clone();
    for &logger in &snapshot.chains[route].loggers {
        let plugin = &snapshot.plugins[logger];
        let told = async { plugin.session(worker).await?.log(exchange).await };
        if let Err(fault) = told.await {
            skipped(exchange, plugin, &failed(plugin, fault));
        }
    }
}
