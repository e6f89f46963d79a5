//! What all instances of a plugin share: its name, limits and grants, its key-value state, its lines, its counters.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{bindings::gatehouse::plugin::log::Level, http::Client, load::Surroundings, pace::Pace, stage::Stage};
use crate::{
    config::{self, Grants, PluginLimits},
    exchange::Exchange,
    lines::Lines,
    logs::foreign,
    metrics::PluginMetrics,
};

/// Longest message of a plugin in the log; the rest is cut off.
const LOG_MESSAGE: usize = 8 << 10;

/// Longest line of a plugin's `output`; a longer one is dropped, since half of a line is no line.
const OUTPUT_LINE: usize = 64 << 10;

/// Shared by all instances of a plugin.
pub(crate) struct Shared {
    pub(super) name: String,
    pub(super) limits: PluginLimits,
    pub(super) grants: Grants,
    pub(super) metrics: PluginMetrics,
    pub(super) http: Option<Client>,
    pub(super) buckets: Mutex<Buckets>,
    pub(super) output: Option<Lines>,
    /// What it has for the world outside, when it is tried on its own.
    pub(super) stage: Option<Arc<Stage>>,
    log_rate: Rate,
    output_rate: Rate,
    /// How long hooks take.
    pub(super) calls: Pace,
    /// How long making an instance takes.
    pub(super) starts: Pace,
}

/// Key-value state of a plugin: by bucket, then by key.
#[derive(Default)]
pub(super) struct Buckets {
    pub(super) by_name: HashMap<String, HashMap<String, Vec<u8>>>,
    /// Bytes of all keys and values.
    pub(super) bytes: usize,
}

impl Shared {
    pub(super) fn new(config: &config::Plugin, output: Option<Lines>, around: &Surroundings<'_>) -> Arc<Self> {
        let config::Plugin { name, limits, grants, .. } = config.clone();
        let http = (!grants.http.is_empty()).then(|| Client::new(&grants));
        Arc::new(Self {
            metrics: around.metrics.plugin(&name),
            name,
            grants,
            http,
            buckets: Mutex::default(),
            output,
            stage: around.stage.clone(),
            log_rate: Rate::new(limits.log_lines),
            output_rate: Rate::new(limits.log_lines.saturating_mul(100)),
            calls: Pace::default(),
            starts: Pace::default(),
            limits,
        })
    }

    /// Bytes that one call may hand to the host; the only large ones are bodies, which `limits.body` bounds.
    pub(super) fn most_handed_over(&self) -> usize {
        (self.limits.body as usize).saturating_add(1 << 20)
    }

    pub(super) fn log_enabled(&self, level: Level) -> bool {
        if self.stage.is_some() {
            return true;
        }
        match level {
            Level::Trace => tracing::enabled!(target: "plugin", tracing::Level::TRACE),
            Level::Debug => tracing::enabled!(target: "plugin", tracing::Level::DEBUG),
            Level::Info => tracing::enabled!(target: "plugin", tracing::Level::INFO),
            Level::Warn => tracing::enabled!(target: "plugin", tracing::Level::WARN),
            Level::Error => tracing::enabled!(target: "plugin", tracing::Level::ERROR),
        }
    }

    pub(super) fn log(&self, level: Level, message: &str, exchange: Option<&Exchange>) {
        if let Some(stage) = &self.stage {
            return stage.log(level, message);
        }
        if !self.log_enabled(level) {
            return;
        }
        if !self.log_rate.take() {
            self.metrics.dropped_lines.inc();
            return;
        }
        let message = foreign(message, LOG_MESSAGE);
        let request_id = exchange.map_or("", |exchange| exchange.id.as_str());
        let plugin = self.name.as_str();
        match level {
            Level::Trace => tracing::trace!(target: "plugin", plugin, request_id, "{message}"),
            Level::Debug => tracing::debug!(target: "plugin", plugin, request_id, "{message}"),
            Level::Info => tracing::info!(target: "plugin", plugin, request_id, "{message}"),
            Level::Warn => tracing::warn!(target: "plugin", plugin, request_id, "{message}"),
            Level::Error => tracing::error!(target: "plugin", plugin, request_id, "{message}"),
        }
    }

    /// A hook has taken so much CPU time, or has so far.
    pub(super) fn hook_took(&self, time: Duration) {
        if self.calls.took(time) {
            let plugin = self.name.as_str();
            tracing::info!(target: "plugin", plugin, "runs long ({time:?}): it is called beside the workers from now on");
        }
    }

    pub(super) fn flush(&self) {
        if let Some(output) = &self.output {
            output.flush();
        }
    }

    pub(super) fn write_line(&self, line: String) -> bool {
        if let Some(stage) = &self.stage {
            stage.output(line);
            return true;
        }
        let written = line.len() <= OUTPUT_LINE
            && self.output_rate.take()
            && self.output.as_ref().is_some_and(|output| output.write(line.into_bytes()));
        if !written {
            self.metrics.dropped_lines.inc();
        }
        written
    }
}

/// So many a second. The count is kept per second of the process's life, so a burst may take two seconds' worth.
struct Rate {
    most: u32,
    start: Instant,
    /// The second in the upper half, what it has used in the lower.
    used: AtomicU64,
}

impl Rate {
    fn new(most: u32) -> Self {
        Self { most, start: Instant::now(), used: AtomicU64::new(0) }
    }

    fn take(&self) -> bool {
        let second = self.start.elapsed().as_secs() << 32;
        let take = |used: u64| {
            let used = if used & !0xffff_ffff == second { used } else { second };
            (used & 0xffff_ffff < u64::from(self.most)).then_some(used + 1)
        };
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_gives_no_more_than_its_number_a_second() {
        let rate = Rate::new(3);
        let given = (0..100).filter(|_| rate.take()).count();
        assert!((3..=6).contains(&given), "{given}");
    }
}
