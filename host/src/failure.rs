//! What can end an exchange early. A failure knows whose fault it is and what the client and the log may be told;
//! `reply.rs` turns it into an answer.

use std::fmt;

use crate::{logs::foreign, overload::Shed};

/// Why an exchange ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The request is not acceptable as HTTP, or not by our rules; the text is public.
    BadRequest(String),
    /// The request target is longer than `limits.uri_bytes`.
    UriTooLong,
    /// The header section is larger than `limits.header_bytes` or has more than `limits.header_count` fields.
    HeadersTooLarge,
    /// The body is larger than `limits.body_bytes`, or than a body hook accepts.
    BodyTooLarge,
    /// The client sent no byte of its body for `limits.body_idle_timeout`.
    BodyTimeout,
    /// The client's body broke off.
    BodyBroken,
    /// A method that a gateway cannot forward (`CONNECT`).
    MethodNotSupported,
    /// `Expect` with anything but `100-continue`.
    ExpectationFailed,
    /// No route matches.
    RouteNotFound,
    /// A route matches but for the method. `allow` lists the methods that would.
    MethodNotAllowed {
        /// The value of `Allow`.
        allow: String,
    },
    /// An identity source of an authorizer is missing; nobody was asked.
    IdentityMissing {
        /// The plugin that declares it.
        plugin: String,
        /// Which, as written in the configuration.
        source: String,
    },
    /// All authorizers abstained.
    Unauthorized,
    /// A rate limit allows no more for now.
    RateLimited {
        /// Its name.
        limit: String,
        /// Seconds until it allows one.
        wait: u64,
    },
    /// There is too much to do.
    Overloaded {
        /// Of what.
        why: Shed,
        /// Seconds after which the client may try again.
        wait: u64,
    },
    /// A quota is used up.
    QuotaExceeded {
        /// Its name.
        quota: String,
        /// Seconds until its period ends.
        wait: u64,
    },
    /// As many exchanges as a concurrency limit lets are under way.
    ConcurrencyLimited {
        /// Its name.
        limit: String,
    },
    /// Its route asks for an API key, and it has none.
    ApiKeyMissing,
    /// Its API key is none, is disabled, or is not for its route; the text is for the log.
    ApiKeyInvalid(String),
    /// A Redis is away, and without it none may pass; its name.
    LimitsUnavailable(String),
    /// It is not what the validator of its route asks for.
    InvalidRequest {
        /// The validator's name.
        validator: String,
        /// What is wrong; public, one line.
        why: String,
    },
    /// Its body is of a type or a coding that the validator of its route does not read; the texts are public.
    UnsupportedMediaType {
        /// What is wrong.
        why: String,
        /// The value of `Accept`: what would be read.
        accept: String,
    },
    /// The client wants an answer that is kept, and none is (`only-if-cached`).
    NotCached,
    /// It has nothing that the path for the upstream could be made of, or something that no path can have.
    Unmappable,
    /// A plugin failed.
    Plugin {
        /// Its name in the configuration.
        plugin: String,
        /// How.
        fault: Fault,
    },
    /// The upstream could not be reached; the text is for the log.
    UpstreamUnreachable(String),
    /// No connection to the upstream within `connect_timeout`.
    UpstreamConnectTimeout,
    /// `max_requests` are under way, and nothing became free in time.
    UpstreamBusy,
    /// No header section from the upstream within `first_byte_timeout`.
    UpstreamTimeout,
    /// The upstream's answer broke off or was not HTTP; the text is for the log.
    UpstreamBroken(String),
    /// The upstream's body is larger than a body hook accepts.
    UpstreamBodyTooLarge,
    /// The client left before its answer was complete.
    ClientLeft,
    /// Our own fault; the text is for the log.
    Internal(String),
}

/// How a plugin failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It returned `err`.
    Error(String),
    /// It trapped.
    Trap {
        /// Why.
        why: String,
        /// The functions that it was in, the innermost first.
        stack: Vec<String>,
    },
    /// It used up `limits.cpu`.
    CpuTime,
    /// It used up `limits.time`.
    WallTime,
    /// It made more than `limits.host_calls` host calls in one hook.
    HostCalls,
    /// It handed more than `limits.host_bytes` to the host in one hook.
    HostBytes,
    /// What it returned cannot be used: a header, a status, a path.
    Invalid(String),
    /// No instance could be had: all of `limits.instances` are busy.
    Busy,
    /// No instance could be made.
    Start(String),
    /// It has failed so often in a row that it rests for a while.
    Resting,
}

/// All codes.
pub const CODES: [&str; 41] = [
    "bad_request",
    "uri_too_long",
    "headers_too_large",
    "body_too_large",
    "body_timeout",
    "body_broken",
    "method_not_supported",
    "expectation_failed",
    "route_not_found",
    "method_not_allowed",
    "identity_missing",
    "unauthorized",
    "rate_limited",
    "overloaded",
    "invalid_request",
    "unsupported_media_type",
    "not_cached",
    "mapping_failed",
    "upstream_unreachable",
    "upstream_connect_timeout",
    "upstream_busy",
    "upstream_timeout",
    "upstream_broken",
    "upstream_body_too_large",
    "client_left",
    "internal",
    "plugin_error",
    "plugin_trap",
    "plugin_cpu_time",
    "plugin_timeout",
    "plugin_host_calls",
    "plugin_host_bytes",
    "plugin_invalid",
    "plugin_busy",
    "plugin_start",
    "plugin_resting",
    "quota_exceeded",
    "concurrency_limited",
    "api_key_missing",
    "api_key_invalid",
    "limits_unavailable",
];

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The client's.
    Client,
    /// A plugin's.
    Plugin,
    /// The upstream's.
    Upstream,
    /// The gateway's.
    Gateway,
}

impl Failure {
    /// A failed plugin.
    pub fn plugin(name: &str, fault: Fault) -> Self {
        Self::Plugin { plugin: name.to_owned(), fault }
    }

    /// The stable code: in the reply, in logs, in metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::UriTooLong => "uri_too_long",
            Self::HeadersTooLarge => "headers_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyBroken => "body_broken",
            Self::MethodNotSupported => "method_not_supported",
            Self::ExpectationFailed => "expectation_failed",
            Self::RouteNotFound => "route_not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::IdentityMissing { .. } => "identity_missing",
            Self::Unauthorized => "unauthorized",
            Self::RateLimited { .. } => "rate_limited",
            Self::Overloaded { .. } => "overloaded",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::ConcurrencyLimited { .. } => "concurrency_limited",
            Self::ApiKeyMissing => "api_key_missing",
            Self::ApiKeyInvalid(_) => "api_key_invalid",
            Self::LimitsUnavailable(_) => "limits_unavailable",
            Self::InvalidRequest { .. } => "invalid_request",
            Self::UnsupportedMediaType { .. } => "unsupported_media_type",
            Self::NotCached => "not_cached",
            Self::Unmappable => "mapping_failed",
            Self::Plugin { fault, .. } => fault.code(),
            Self::UpstreamUnreachable(_) => "upstream_unreachable",
            Self::UpstreamConnectTimeout => "upstream_connect_timeout",
            Self::UpstreamBusy => "upstream_busy",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamBroken(_) => "upstream_broken",
            Self::UpstreamBodyTooLarge => "upstream_body_too_large",
            Self::ClientLeft => "client_left",
            Self::Internal(_) => "internal",
        }
    }

    /// Whose fault it is.
    pub fn party(&self) -> Party {
        match self {
            Self::BadRequest(_)
            | Self::UriTooLong
            | Self::HeadersTooLarge
            | Self::BodyTooLarge
            | Self::BodyTimeout
            | Self::BodyBroken
            | Self::MethodNotSupported
            | Self::ExpectationFailed
            | Self::RouteNotFound
            | Self::MethodNotAllowed { .. }
            | Self::IdentityMissing { .. }
            | Self::Unauthorized
            | Self::RateLimited { .. }
            | Self::QuotaExceeded { .. }
            | Self::ConcurrencyLimited { .. }
            | Self::ApiKeyMissing
            | Self::ApiKeyInvalid(_)
            | Self::InvalidRequest { .. }
            | Self::UnsupportedMediaType { .. }
            | Self::NotCached
            | Self::Unmappable
            | Self::ClientLeft => Party::Client,
            Self::Plugin { .. } => Party::Plugin,
            Self::UpstreamUnreachable(_)
            | Self::UpstreamConnectTimeout
            | Self::UpstreamBusy
            | Self::UpstreamTimeout
            | Self::UpstreamBroken(_)
            | Self::UpstreamBodyTooLarge => Party::Upstream,
            Self::Overloaded { .. } | Self::Internal(_) | Self::LimitsUnavailable(_) => Party::Gateway,
        }
    }

    /// What the client is told: never a text from a plugin or an upstream.
    pub fn public(&self) -> String {
        match self {
            Self::BadRequest(why) => why.clone(),
            Self::UriTooLong => "the request target is too long".into(),
            Self::HeadersTooLarge => "the header section is too large".into(),
            Self::BodyTooLarge => "the request body is too large".into(),
            Self::BodyTimeout => "the request body did not arrive in time".into(),
            Self::BodyBroken => "the request body broke off".into(),
            Self::MethodNotSupported => "this method is not supported".into(),
            Self::ExpectationFailed => "only `100-continue` can be expected".into(),
            Self::RouteNotFound => "no route matches this request".into(),
            Self::MethodNotAllowed { allow } => format!("this path supports {allow}"),
            Self::IdentityMissing { .. } | Self::Unauthorized => "this request carries no accepted credentials".into(),
            Self::RateLimited { wait, .. } => format!("too many requests: the next may come in {wait} s"),
            Self::Overloaded { wait, .. } => format!("the gateway has too much to do: try again in {wait} s"),
            Self::QuotaExceeded { wait, .. } => format!("the quota is used up: the next period begins in {wait} s"),
            Self::ConcurrencyLimited { .. } => "too many requests at the same time".into(),
            Self::ApiKeyMissing => "this request has no API key".into(),
            Self::ApiKeyInvalid(_) => "this API key is not accepted here".into(),
            Self::LimitsUnavailable(_) => "the limits of this route cannot be looked up".into(),
            Self::InvalidRequest { why, .. } | Self::UnsupportedMediaType { why, .. } => why.clone(),
            Self::NotCached => "no answer to this request is kept".into(),
            Self::Unmappable => "no path for the upstream can be made of this request".into(),
            Self::Plugin { .. } => "a plugin of the gateway failed".into(),
            Self::UpstreamUnreachable(_) => "the upstream cannot be reached".into(),
            Self::UpstreamConnectTimeout | Self::UpstreamTimeout => "the upstream did not answer in time".into(),
            Self::UpstreamBusy => "the upstream is busy".into(),
            Self::UpstreamBroken(_) => "the upstream's answer is not usable".into(),
            Self::UpstreamBodyTooLarge => "the upstream's answer is too large".into(),
            Self::ClientLeft => "the client left".into(),
            Self::Internal(_) => "the gateway failed".into(),
        }
    }

    /// Whether the client does not speak as it must: then it is not known where its next request begins, and an HTTP/1
    /// connection ends with the answer.
    pub(crate) fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::BadRequest(_)
                | Self::UriTooLong
                | Self::HeadersTooLarge
                | Self::MethodNotSupported
                | Self::ExpectationFailed
                | Self::BodyBroken
        )
    }

    /// Whether sending the same request again may go better.
    pub fn retryable(&self) -> bool {
        match self {
            Self::UpstreamUnreachable(_)
            | Self::UpstreamConnectTimeout
            | Self::UpstreamBusy
            | Self::Overloaded { .. }
            | Self::ConcurrencyLimited { .. }
            | Self::LimitsUnavailable(_) => true,
            Self::Plugin { fault, .. } => matches!(fault, Fault::Busy | Fault::Resting),
            _ => false,
        }
    }
}

/// What the log is told.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdentityMissing { plugin, source } => {
                write!(f, "`{source}`, asked for by plugin `{plugin}`, is missing")
            }
            Self::Unauthorized => f.write_str("all authorizers abstained"),
            Self::RateLimited { limit, .. } => write!(f, "more requests than the rate limit `{limit}` allows"),
            Self::Overloaded { why, .. } => write!(f, "overloaded: too much of `{}`", why.name()),
            Self::QuotaExceeded { quota, .. } => write!(f, "the quota `{quota}` is used up"),
            Self::ConcurrencyLimited { limit } => write!(f, "as many requests as `{limit}` lets are under way"),
            Self::ApiKeyInvalid(why) => f.write_str(why),
            Self::LimitsUnavailable(redis) => write!(f, "the redis `{redis}` is away"),
            Self::InvalidRequest { validator, why } => write!(f, "refused by the validator `{validator}`: {why}"),
            Self::Plugin { plugin, fault } => write!(f, "plugin `{plugin}` {fault}"),
            Self::UpstreamBusy => f.write_str("as many requests as `max_requests` and `max_pending` let are under way"),
            Self::UpstreamUnreachable(why) => write!(f, "cannot reach the upstream: {why}"),
            Self::UpstreamBroken(why) => write!(f, "the upstream's answer: {why}"),
            Self::Internal(why) => f.write_str(why),
            other => f.write_str(&other.public()),
        }
    }
}

impl std::error::Error for Failure {}

impl Fault {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Error(_) => "plugin_error",
            Self::Trap { .. } => "plugin_trap",
            Self::CpuTime => "plugin_cpu_time",
            Self::WallTime => "plugin_timeout",
            Self::HostCalls => "plugin_host_calls",
            Self::HostBytes => "plugin_host_bytes",
            Self::Invalid(_) => "plugin_invalid",
            Self::Busy => "plugin_busy",
            Self::Start(_) => "plugin_start",
            Self::Resting => "plugin_resting",
        }
    }

    /// Whether it counts towards a crash loop: the instance is gone, not just unhappy.
    pub fn is_crash(&self) -> bool {
        match self {
            Self::Trap { .. } | Self::CpuTime | Self::WallTime | Self::HostCalls | Self::HostBytes | Self::Start(_) => {
                true
            }
            Self::Error(_) | Self::Invalid(_) | Self::Busy | Self::Resting => false,
        }
    }
}

/// The longest text of a plugin in a message about its fault.
const TEXT: usize = 2 << 10;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(text) => write!(f, "returned an error: {}", foreign(text, TEXT)),
            Self::Trap { why, stack } => {
                let at = if stack.is_empty() { "" } else { ", in " };
                write!(f, "trapped: {}{at}{}", foreign(why, TEXT), foreign(&stack.join(" < "), TEXT))
            }
            Self::CpuTime => f.write_str("used up its CPU time (`limits.cpu`)"),
            Self::WallTime => f.write_str("used up its time (`limits.time`)"),
            Self::HostCalls => f.write_str("made too many host calls in one hook (`limits.host_calls`)"),
            Self::HostBytes => f.write_str("handed too many bytes to the host in one hook (`limits.host_bytes`)"),
            Self::Invalid(text) => write!(f, "returned something unusable: {}", foreign(text, TEXT)),
            Self::Busy => f.write_str("has no free instance (`limits.instances`)"),
            Self::Start(text) => write!(f, "could not start an instance: {}", foreign(text, TEXT)),
            Self::Resting => f.write_str("rests after crashing repeatedly"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn every_code_is_listed_and_told_of() {
        // Each is written where a failure gets it: `Self::NAME => "CODE",`.
        let codes = include_str!("failure.rs").lines().filter_map(|line| {
            let (_, code) = line.trim().strip_prefix("Self::")?.split_once(" => \"")?;
            code.strip_suffix("\",")
        });
        assert_eq!(codes.collect::<Vec<_>>().len(), CODES.len());
        let page = include_str!("../../docs/configuration.md");
        for code in CODES {
            assert!(include_str!("failure.rs").contains(&format!(" => \"{code}\",")), "{code}");
            assert!(page.contains(&format!("| `{code}` |")), "{code} is not in docs/configuration.md");
        }
    }
}
