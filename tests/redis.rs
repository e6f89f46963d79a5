//! Limits in Redis: gateways side by side share them exactly, and one that is away delays nobody.

mod away;
mod script;
mod shared;

use crate::support::Redis;

/// A configuration with a limit in a Redis.
fn text(redis: &Redis, more: &str, limits: &str) -> String {
    format!(
        "[redis.main]\nurl = \"redis://{}/2\"\n{more}\n{limits}\n[routes.r]\npath = \"/{{rest+}}\"\nupstream = \"up\"\n",
        redis.address()
    )
}

const RATE: &str = "[rate_limits.l]\nrate = \"1/h\"\nburst = 40\nstore = \"redis.main\"\n";
const QUOTA: &str = "[quotas.q]\nrequests = 40\nper = \"month\"\nstore = \"redis.main\"\n";
