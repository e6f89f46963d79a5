//! Authorizing: each authorizer of the route is asked in order, until the answer is clear.

use std::{sync::Arc, time::Duration};

use super::{Stop, edit, failed, said};
use crate::{
    config::{Combine, Identity},
    exchange::{self, Exchange},
    failure::Failure,
    plugin::{Denial, Grant, Plugin, Verdict},
    template, verdict,
};

/// What one authorizer said.
enum Said {
    Allow(Arc<Verdict>),
    Deny(Arc<Verdict>),
    Abstain,
}

/// Asks the authorizers of the route. `Ok` means that the request may pass.
///
/// `all`: the first that does not allow decides; at least one must allow. `any`: the first that allows decides; when
/// none does, the answer is the first refusal. When all abstain, it is 401. One that fails refuses.
pub(crate) async fn authorize(exchange: &mut Arc<Exchange>, route: usize, worker: usize) -> Result<(), Stop> {
    if exchange.snapshot.chains[route].authorizers.is_empty() {
        return Ok(());
    }
    let snapshot = exchange.snapshot.clone();
    let chain = &snapshot.chains[route];
    let mut cached = true;
    let mut allowed = false;
    let mut refusal = None;
    for &index in &chain.authorizers {
        let plugin = &snapshot.plugins[index];
        let mut asking = Asking { worker, cached: &mut cached, spent: Duration::ZERO };
        let answer = asking.ask(plugin, exchange).await;
        // A verdict from the cache took no time of the plugin's.
        let spent = asking.spent;
        if !spent.is_zero() {
            edit(exchange).spent(index, spent);
        }
        match (answer, chain.combine) {
            (Ok(Said::Abstain), _) => {}
            (Ok(Said::Allow(verdict)), combine) => {
                if let Verdict::Allow(grant) = &*verdict {
                    self::grant(edit(exchange), grant);
                }
                allowed = true;
                if combine == Combine::Any {
                    break;
                }
            }
            (refused, Combine::All) => {
                refusal = Some(refused);
                allowed = false;
                break;
            }
            (refused, Combine::Any) => refusal = refusal.or(Some(refused)),
        }
    }
    edit(exchange).outcome.verdict = Some(exchange::Verdict { allow: allowed, cached });
    match (allowed, refusal) {
        (true, _) => Ok(()),
        (false, None) => Err(Failure::Unauthorized.into()),
        (false, Some(Err(failure))) => Err(failure.into()),
        (false, Some(Ok(said))) => Err(denied(said)),
    }
}

/// Asking one authorizer.
struct Asking<'a> {
    worker: usize,
    /// Whether all so far were answered by their caches.
    cached: &'a mut bool,
    spent: Duration,
}

impl Asking<'_> {
    async fn ask(&mut self, plugin: &Arc<Plugin>, exchange: &Arc<Exchange>) -> Result<Said, Failure> {
        if let Some(missing) = plugin.config.cache.identity.iter().find(|identity| !is_present(identity, exchange)) {
            said(exchange, plugin, format_args!("not asked: {missing} is missing"));
            return Err(Failure::IdentityMissing { plugin: plugin.name().to_owned(), source: missing.to_string() });
        }
        let decided = verdict::decide(plugin, self.worker, exchange, &mut self.spent).await;
        *self.cached &= decided.as_ref().is_ok_and(|decided| decided.cached);
        let decided = decided.map_err(|fault| {
            said(exchange, plugin, &fault);
            failed(plugin, fault)
        })?;
        let kept = if decided.cached { " (cached)" } else { "" };
        said(exchange, plugin, format_args!("{}{kept}", decided.verdict));
        Ok(match *decided.verdict {
            Verdict::Allow(_) => Said::Allow(decided.verdict),
            Verdict::Deny(_) => Said::Deny(decided.verdict),
            Verdict::Abstain => Said::Abstain,
        })
    }
}

/// As in AWS: an identity source must be there and not empty.
fn is_present(identity: &Identity, exchange: &Exchange) -> bool {
    match identity {
        // As it stands, without a copy.
        Identity::Header(name) => exchange.request.headers.get(name).is_some_and(|value| !value.is_empty()),
        _ => template::field(identity, exchange).is_some_and(|value| !value.is_empty()),
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

/// Applies what an authorizer has granted.
pub(crate) fn grant(exchange: &mut Exchange, grant: &Grant) {
    for (name, value) in &grant.attributes {
        exchange.set_attribute(name.clone(), value.clone());
    }
    grant.edits.iter().cloned().for_each(|edit| edit.apply(&mut exchange.request.headers));
}

fn denied(said: Said) -> Stop {
    match said {
        Said::Deny(verdict) => match &*verdict {
            Verdict::Deny(Denial { reply, reason, .. }) => {
                Stop::Denied { reply: Box::new(reply.clone()), reason: reason.clone() }
            }
            Verdict::Allow(_) | Verdict::Abstain => Failure::Unauthorized.into(),
        },
        Said::Allow(_) | Said::Abstain => Failure::Unauthorized.into(),
    }
}
