//! The report for programs: every sample, so that later questions can be answered.

use serde_json::{Map, Value, json};

use super::{Report, ratio};
use crate::bench::{
    figure::{Bound, Figure},
    load::Sample,
    round::Measured,
};

pub(super) fn data(report: &Report<'_>) -> Value {
    let machine: Map<_, _> = report.machine.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "day": report.day,
        "machine": machine,
        "seconds": report.plan.time.as_secs_f64(),
        "groups": report.groups.iter().map(group).collect::<Vec<_>>(),
        "figures": report.figures.iter().map(figure).collect::<Vec<_>>(),
    })
}

fn group(measured: &Measured) -> Value {
    let cases = measured.cases.iter().enumerate().map(|(index, case)| {
        json!({
            "name": case.name,
            "peer": case.peer,
            "what": case.what,
            "ratio": ratio(measured, case.name),
            "rounds": measured.rounds.iter().map(|round| sample(&round[index])).collect::<Vec<_>>(),
        })
    });
    json!({ "name": measured.group.name, "what": measured.group.what, "cases": cases.collect::<Vec<_>>() })
}

fn sample(sample: &Sample) -> Value {
    let Sample { cpu, rate, p50, p99, p999, memory } = sample;
    // Thousandths are noise already.
    let round = |value: &f64| (value * 1e3).round() / 1e3;
    json!({
        "cpu_us": round(cpu),
        "requests_per_second": rate.round(),
        "p50_us": p50,
        "p99_us": p99,
        "p99_9_us": p999,
        "peak_mb": round(memory),
    })
}

fn figure(figure: &Figure) -> Value {
    let Figure { name, value, unit, bound } = figure;
    let (most, least) = match bound {
        Bound::AtMost(most) => (Some(most), None),
        Bound::AtLeast(least) => (None, Some(least)),
        Bound::None => (None, None),
    };
    json!({ "name": name, "value": value, "unit": unit, "at_most": most, "at_least": least, "met": figure.met() })
}
