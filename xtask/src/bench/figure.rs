//! The figures that have a target, out of samples of the same rounds.

use std::fmt;

use super::{case, load::Sample, startup::Startup};

/// A figure with the most that it may be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) target: f64,
    pub(super) unit: &'static str,
}

impl Figure {
    /// Whether it meets its target.
    pub(super) fn met(&self) -> bool {
        self.value <= self.target
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missed = if self.met() { "" } else { " MISSED" };
        write!(f, "{}: {:.2} {} (at most {} {}){missed}", self.name, self.value, self.unit, self.target, self.unit)
    }
}

/// All figures.
pub(super) fn figures(rounds: &[Vec<Sample>], start: &Startup) -> Vec<Figure> {
    let cpu = |round: &[Sample], name| round[case::index(name)].cpu;
    let over = |value: &dyn Fn(&[Sample]) -> f64| median(rounds.iter().map(|round| value(round)));
    let added = |name, hooks: f64| over(&|round| (cpu(round, name) - cpu(round, "plain")) / hooks);
    vec![
        Figure {
            name: "plain route / bare proxy, CPU per request",
            value: over(&|round| cpu(round, "plain") / cpu(round, "bare")),
            target: 1.3,
            unit: "x",
        },
        Figure { name: "added by one hook", value: added("1 hook", 1.0), target: 2.0, unit: "us" },
        Figure { name: "added per hook, of two", value: added("2 hooks", 2.0), target: 2.0, unit: "us" },
        Figure { name: "added per hook, of three", value: added("3 hooks", 3.0), target: 2.0, unit: "us" },
        Figure { name: "added by a verdict-cache hit", value: added("cache hit", 1.0), target: 1.0, unit: "us" },
        Figure { name: "start to first answer, code cached", value: start.warm, target: 200.0, unit: "ms" },
        Figure { name: "peak memory of quickstart after load", value: start.memory, target: 60.0, unit: "MB" },
    ]
}

/// The middle one; 0 of none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_compare_within_a_round() {
        // The second round ran on a machine half as fast.
        let round = |speed: f64| {
            [10.0, 12.0, 13.0, 14.0, 15.0, 12.5].map(|cpu| Sample { cpu: cpu * speed, ..Sample::default() })
        };
        let rounds = vec![round(1.0).to_vec(), round(2.0).to_vec()];
        let figures = figures(&rounds, &Startup { cold: 900.0, warm: 150.0, memory: 70.0 });
        assert!((figures[0].value - 1.2).abs() < 1e-9);
        assert!((figures[1].value - 1.5).abs() < 1e-9);
        assert_eq!(figures.iter().filter(|figure| !figure.met()).count(), 1);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_ones() {
        assert_eq!(median([4.0, 1.0, 3.0, 2.0].into_iter()), 2.5);
    }
}
