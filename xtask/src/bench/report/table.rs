//! The report for people, in Markdown.

use std::fmt::Write as _;

use anyhow::Result;

use super::{Report, ratio};
use crate::bench::{load::Sample, round::Measured};

pub(super) fn table(report: &Report<'_>) -> Result<String> {
    let mut text = format!("# Bench of {}\n\n", report.day);
    for (name, value) in &report.machine {
        writeln!(text, "- {name}: {value}")?;
    }
    let (rounds, time) = (report.plan.rounds, report.plan.time.as_secs_f64());
    writeln!(
        text,
        "\nEach proxy with one worker, alone on core 0; wrk (1 thread, 32 connections) and the upstream on core 1. \
         Interleaved rounds of {time} s,\n{rounds} of groups with a target and half as many of others; medians. CPU is \
         the proxy process's user and system time per\nrequest; ratios are to the first case of the group in the same \
         round; memory is the peak of resident memory."
    )?;
    for measured in report.groups {
        group(&mut text, measured)?;
    }
    text.push_str("\n## Figures\n\n| figure | value | target | |\n|---|---|---|---|\n");
    for figure in report.figures {
        let met = if figure.met() { "" } else { "missed" };
        writeln!(text, "| {} | {} | {} | {met} |", figure.name, figure.reading(), figure.target())?;
    }
    Ok(text)
}

fn group(text: &mut String, measured: &Measured) -> Result<()> {
    let first = measured.cases.first().map_or("", |case| case.name);
    writeln!(text, "\n## {}\n\n{}\n", measured.group.name, measured.group.what)?;
    writeln!(text, "| case | CPU us | x {first} | req/s | p50 us | p99 us | p99.9 us | MB | what |")?;
    text.push_str("|---|---|---|---|---|---|---|---|---|\n");
    for case in &measured.cases {
        let median = |value: fn(&Sample) -> f64| measured.median(case.name, value).unwrap_or_default();
        writeln!(
            text,
            "| {} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {} |",
            case.name,
            median(|s| s.cpu),
            ratio(measured, case.name),
            median(|s| s.rate),
            median(|s| s.p50),
            median(|s| s.p99),
            median(|s| s.p999),
            median(|s| s.memory),
            case.what,
        )?;
    }
    Ok(())
}
