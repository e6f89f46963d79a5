//! What the keys of plans have used, for the admin address.

use serde_json::{Map, Value, json};

use super::Plan;
use crate::{
    config::{Period, Store},
    snapshot::Snapshot,
};

/// All plans, or one with its keys that have used something; None: there is no plan of that name.
pub(crate) fn report(snapshot: &Snapshot, plan: Option<&str>) -> Option<Value> {
    let mut plans = snapshot.plans.iter().enumerate();
    match plan {
        None => Some(json!({ "plans": plans.map(|(index, plan)| of_plan(snapshot, index, plan)).collect::<Vec<_>>() })),
        Some(name) => {
            let (index, plan) = plans.find(|(_, plan)| plan.config.name == name)?;
            let mut told = of_plan(snapshot, index, plan);
            told["keys"] = Value::Object(of_keys(snapshot, index, plan));
            Some(told)
        }
    }
}

fn of_plan(snapshot: &Snapshot, index: usize, plan: &Plan) -> Value {
    let mut told = json!({ "plan": plan.config.name, "keys": snapshot.keys.of_plan(index).count() });
    if let Store::Redis(name) = &plan.config.store {
        told["store"] = format!("redis.{name}").into();
    }
    if let Some(quota) = &plan.quota {
        let per = match quota.config.calendar.per {
            Period::Day => "day",
            Period::Week => "week",
            Period::Month => "month",
        };
        told["quota"] = json!({ "requests": quota.config.requests, "per": per, "ends": quota.used("").1 });
    }
    told
}

fn of_keys(snapshot: &Snapshot, index: usize, plan: &Plan) -> Map<String, Value> {
    let used = |name: &str| plan.quota.as_ref().map_or(0, |quota| quota.used(name).0);
    let most = plan.config.quota.map_or(0, |quota| quota.requests);
    let keys = snapshot.keys.of_plan(index).map(|key| (&key.name, used(&key.name))).filter(|(_, used)| *used > 0);
    let told = |used: u64| json!({ "used": used, "remaining": most.saturating_sub(used) });
    keys.map(|(name, used)| (name.to_string(), told(used))).collect()
}
