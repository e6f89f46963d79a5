//! Figures that are not the cost of a request: start, memory, a plugin's swap. Each measure starts gateways of its own.

mod memory;
mod start;
mod swap;

use anyhow::{Context as _, Result};

use super::{Plan, figure::Figure};

/// Something to measure.
pub(super) struct Measure {
    /// For `--case`.
    pub(super) name: &'static str,
    measure: fn(&Plan) -> Result<Vec<Figure>>,
}

/// All of them. The bench's upstream runs meanwhile.
pub(super) const MEASURES: [Measure; 3] = [
    Measure { name: "start", measure: start::measure },
    Measure { name: "memory", measure: memory::measure },
    Measure { name: "swap", measure: swap::measure },
];

impl Measure {
    pub(super) fn run(&self, plan: &Plan) -> Result<Vec<Figure>> {
        println!("\n{}", self.name);
        let figures = (self.measure)(plan).with_context(|| format!("measuring {}", self.name))?;
        figures.iter().for_each(|figure| println!("  {figure}"));
        Ok(figures)
    }
}
