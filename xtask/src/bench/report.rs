//! Results: a table for people, JSON for the next comparison, a chart; in `bench/results/`.

mod chart;
mod data;
mod table;

use std::{fs, path::Path};

use anyhow::Result;

use super::{Plan, figure::Figure, machine, round::Measured};

/// What a report says.
struct Report<'a> {
    plan: &'a Plan,
    day: String,
    machine: Vec<(&'static str, String)>,
    groups: &'a [Measured],
    figures: &'a [Figure],
}

/// The table; and all of it as files, if they are wanted.
pub(super) fn finish(plan: &Plan, groups: &[Measured], figures: &[Figure], write: bool) -> Result<String> {
    let report = Report { plan, day: machine::today(), machine: machine::describe(), groups, figures };
    let text = table::table(&report)?;
    if write {
        let folder = Path::new("bench/results");
        fs::create_dir_all(folder)?;
        let file = |ending: &str| folder.join(format!("{}.{ending}", report.day));
        fs::write(file("md"), &text)?;
        fs::write(file("json"), serde_json::to_string_pretty(&data::data(&report))? + "\n")?;
        fs::write(file("svg"), chart::chart(&report)?)?;
        println!("\nwritten: {}, .json and .svg", file("md").display());
    }
    Ok(text)
}

/// A case's CPU time as a multiple of that of the group's first case in the same round.
fn ratio(measured: &Measured, case: &str) -> f64 {
    let first = measured.cases.first().map_or("", |case| case.name);
    measured.paired(case, first, |a, b| a.cpu / b.cpu).unwrap_or_default()
}
