//! Latencies of a phase, and what is asked of them.

use std::time::Duration;

/// Microseconds, in no order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    /// Notes one.
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time.as_micros().try_into().unwrap_or(u32::MAX));
    }

    /// Takes over those of another.
    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time, in milliseconds, that this part of them does not exceed; 1.0 is the longest.
    pub(crate) fn quantile(&mut self, part: f64) -> f64 {
        self.0.sort_unstable();
        let index = (self.0.len() as f64 * part).ceil() as usize;
        self.0.get(index.clamp(1, self.0.len().max(1)) - 1).map_or(f64::NAN, |&time| f64::from(time) / 1e3)
    }

    /// `p50 0.42 ms, p99 1.30 ms, longest 8.10 ms of 1000`
    pub(crate) fn describe(&mut self) -> String {
        let [half, most, all] = [0.5, 0.99, 1.0].map(|part| self.quantile(part));
        format!("p50 {half:.2} ms, p99 {most:.2} ms, longest {all:.2} ms of {}", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let mut latencies = Latencies::default();
        (1..=100).rev().for_each(|n| latencies.add(Duration::from_millis(n)));
        assert_eq!([0.5, 0.99, 1.0].map(|part| latencies.quantile(part)), [50.0, 99.0, 100.0]);
        assert!(Latencies::default().quantile(0.5).is_nan());
    }
}
