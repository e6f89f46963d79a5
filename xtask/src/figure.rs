//! A figure with its target, as the bench and the soak print them.

use std::fmt;

/// A figure, with what it must not pass.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) bound: Bound,
}

/// A target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// For information.
    None,
}

impl Figure {
    /// A figure with its target.
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str, bound: Bound) -> Self {
        Self { name, value, unit, bound }
    }

    /// A count of what must not be.
    pub(crate) fn none(name: &'static str, count: f64) -> Self {
        Self::new(name, count, "", Bound::AtMost(0.0))
    }

    /// Whether it meets its target.
    pub(crate) fn met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.value <= most,
            Bound::AtLeast(least) => self.value >= least,
            Bound::None => true,
        }
    }

    /// `1.02 x`
    pub(crate) fn reading(&self) -> String {
        number(self.value, self.unit)
    }

    /// `at most 1.00 x`
    pub(crate) fn target(&self) -> String {
        match self.bound {
            Bound::AtMost(most) => format!("at most {}", number(most, self.unit)),
            Bound::AtLeast(least) => format!("at least {}", number(least, self.unit)),
            Bound::None => "no target".to_owned(),
        }
    }
}

/// Two decimals where they say something.
fn number(value: f64, unit: &str) -> String {
    if value.is_nan() {
        return "not measured".to_owned();
    }
    if value.abs() < 100.0 { format!("{value:.2} {unit}") } else { format!("{value:.0} {unit}") }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missed = if self.met() { "" } else { " MISSED" };
        write!(f, "{}: {} ({}){missed}", self.name, self.reading(), self.target())
    }
}

/// The middle one; 0 of none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}
