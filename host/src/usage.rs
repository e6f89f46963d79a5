//! Usage plans: which API key a request has, and what the plan of that key allows. AWS calls them the same.
//!
//! Keys are known by their digests only: a value that a client sends is digested before it is looked for, so that neither a
//! dump of this process nor the time of a look-up tells anything of a value.

mod keys;
mod report;

pub(crate) use keys::Keys;
pub(crate) use report::report;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::{
    chain,
    clock::Clock,
    config::{self, KeySource, RateLimit, RouteKey, UsagePlan},
    exchange::Exchange,
    failure::Failure,
    limits::{self, Meter},
    metrics::Metrics,
    quota::Quota,
    ratelimit::Limiter,
    redis::Redis,
};

/// Buckets and counts of one plan: more than there may be keys, so that none is forgotten.
const ENTRIES: u64 = 2 * keys::MOST as u64;

/// A plan with what its keys have used.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) config: UsagePlan,
    name: Arc<str>,
    rate: Option<Arc<Limiter>>,
    route_rates: Vec<(String, Arc<Limiter>)>,
    pub(crate) quota: Option<Arc<Quota>>,
    passed: Counter,
    refused: Counter,
}

impl Plan {
    /// One that goes on with what was counted by another of the same name.
    pub(crate) fn new(
        config: &UsagePlan,
        before: Option<&Self>,
        redis: Option<Arc<Redis>>,
        metrics: &Metrics,
        clock: &Clock,
    ) -> Self {
        let limiter = |name: String, rate: &config::Rate, before: Option<&Arc<Limiter>>| {
            let &config::Rate { requests, per, burst } = rate;
            let limit =
                RateLimit { name, requests, per, burst, key: None, entries: ENTRIES, store: config.store.clone() };
            let same = before.filter(|before| before.is_same(&limit, redis.as_ref()));
            let refused = metrics.rate_limited(&config.name);
            same.cloned().unwrap_or_else(|| Arc::new(Limiter::new(limit, clock, refused, redis.clone())))
        };
        let name = &config.name;
        let rate_before = before.and_then(|before| before.rate.as_ref());
        let rate = config.rate.as_ref().map(|rate| limiter(name.clone(), rate, rate_before));
        let route_rates = (config.route_rates.iter())
            .map(|(route, rate)| {
                let before = before.and_then(|before| before.rate_on(route));
                (route.clone(), limiter(format!("{name}/{route}"), rate, before))
            })
            .collect();
        // No table has a `/` in its name.
        let quota = config.quota.as_ref().map(|quota| {
            let &config::PlanQuota { requests, calendar } = quota;
            let (name, store) = (format!("{name}/quota"), config.store.clone());
            let refused = metrics.quota_exceeded(&name);
            let quota = config::Quota { name, requests, calendar, key: None, entries: ENTRIES, store };
            Arc::new(Quota::new(
                quota,
                clock,
                refused,
                redis.clone(),
                before.and_then(|before| before.quota.as_deref()),
            ))
        });
        let [passed, refused] = metrics.usage_plan(name);
        Self { config: config.clone(), name: (&**name).into(), rate, route_rates, quota, passed, refused }
    }

    /// The rate of a route that has one of its own.
    fn rate_on(&self, route: &str) -> Option<&Arc<Limiter>> {
        self.route_rates.iter().find(|(name, _)| name == route).map(|(_, limiter)| limiter)
    }

    /// What counts its requests on a route; None where its keys may not be used. The rate is asked before the quota, so that
    /// a request that comes too fast costs nothing of it.
    fn meters_on(&self, route: &str) -> Option<Vec<Meter>> {
        if self.config.routes.as_ref().is_some_and(|routes| !routes.iter().any(|name| name == route)) {
            return None;
        }
        let rate = self.rate_on(route).or(self.rate.as_ref()).cloned().map(Meter::Rate);
        Some(rate.into_iter().chain(self.quota.clone().map(Meter::Quota)).collect())
    }
}

/// That the requests of a route have to have an API key.
#[derive(Debug)]
pub(crate) struct KeyRule {
    config: RouteKey,
    /// What counts the requests of each plan; None for one whose keys may not be used here.
    meters: Vec<Option<Vec<Meter>>>,
}

impl KeyRule {
    pub(crate) fn new(config: &RouteKey, route: &str, plans: &[Arc<Plan>]) -> Self {
        Self { config: config.clone(), meters: plans.iter().map(|plan| plan.meters_on(route)).collect() }
    }

    /// Whether the request itself tells the key, not an authorizer.
    pub(crate) fn is_of_client(&self) -> bool {
        matches!(self.config.source, KeySource::Header(_))
    }
}

/// Finds the key of a request, and takes from its plan.
pub(crate) async fn admit(rule: &KeyRule, worker: usize, exchange: &mut Arc<Exchange>) -> Result<(), Failure> {
    let snapshot = exchange.snapshot.clone();
    let key = identify(rule, &snapshot.keys, exchange)?;
    let plan = &snapshot.plans[key.plan];
    let names = &snapshot.keys.attributes;
    let edited = chain::edit(exchange);
    edited.set_attribute(names[0].clone(), key.name.clone());
    edited.set_attribute(names[1].clone(), plan.name.clone());
    let Some(meters) = &rule.meters[key.plan] else {
        let why = format!("the plan `{}` of the API key `{}` is not for this route", plan.name, key.name);
        return Err(Failure::ApiKeyInvalid(why));
    };
    let asked: Vec<_> = meters.iter().map(|meter| (meter, String::from(&*key.name))).collect();
    let taken = limits::take(&asked, worker, exchange).await;
    if taken.is_ok() { &plan.passed } else { &plan.refused }.inc();
    taken
}

/// The key of a request. Its header goes no further, unless it is to.
fn identify<'k>(rule: &KeyRule, keys: &'k Keys, exchange: &mut Arc<Exchange>) -> Result<&'k keys::Key, Failure> {
    let invalid = |why: &str| Failure::ApiKeyInvalid(why.to_owned());
    let found = match &rule.config.source {
        KeySource::Attribute(name) => {
            let name = exchange.attribute(name).filter(|name| !name.is_empty()).ok_or(Failure::ApiKeyMissing)?;
            keys.by_name(name).ok_or_else(|| invalid("the authorizer names an API key that there is not"))
        }
        KeySource::Header(name) => {
            let headers = &exchange.request.headers;
            let mut values = headers.get_all(name).iter();
            let value = values.next().filter(|value| !value.is_empty()).ok_or(Failure::ApiKeyMissing)?;
            let found = match values.next() {
                Some(_) => Err(invalid("there are several API keys")),
                None => keys.by_value(value.as_bytes()).ok_or_else(|| invalid("there is no such API key")),
            };
            if !rule.config.forward {
                chain::edit(exchange).request.headers.remove(name);
            }
            found
        }
    };
    found.and_then(|key| match key.enabled {
        true => Ok(key),
        false => Err(invalid(&format!("the API key `{}` is disabled", key.name))),
    })
}
