//! Results as a table for people and as JSON for the next comparison, in `bench/results/`.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Result;
use serde_json::{Value, json};

use super::{Plan, case::CASES, figure::Figure, figure::median, load::Sample, machine, startup::Startup};

/// Writes both files; the text of the first.
pub(super) fn write(plan: &Plan, rounds: &[Vec<Sample>], start: &Startup, figures: &[Figure]) -> Result<String> {
    let day = machine::today();
    let folder = Path::new("bench/results");
    fs::create_dir_all(folder)?;
    let text = table(plan, &day, rounds, start, figures)?;
    fs::write(folder.join(format!("{day}.md")), &text)?;
    let json = serde_json::to_string_pretty(&data(plan, &day, rounds, start, figures))?;
    fs::write(folder.join(format!("{day}.json")), json + "\n")?;
    println!("\nwritten: bench/results/{day}.md and .json");
    Ok(text)
}

/// The medians of one case.
fn medians(rounds: &[Vec<Sample>], index: usize) -> Sample {
    let over = |value: fn(&Sample) -> f64| median(rounds.iter().map(|round| value(&round[index])));
    Sample { cpu: over(|s| s.cpu), rate: over(|s| s.rate), p50: over(|s| s.p50), p99: over(|s| s.p99) }
}

/// A case's CPU time as a multiple of the bare proxy's in the same round.
fn ratio(rounds: &[Vec<Sample>], index: usize) -> f64 {
    median(rounds.iter().map(|round| round[index].cpu / round[0].cpu))
}

fn table(plan: &Plan, day: &str, rounds: &[Vec<Sample>], start: &Startup, figures: &[Figure]) -> Result<String> {
    let mut text = format!("# Bench of {day}\n\n");
    for (name, value) in machine::describe() {
        writeln!(text, "- {name}: {value}")?;
    }
    writeln!(
        text,
        "\nOne worker on core 0; wrk (1 thread, 32 connections) and the upstream on core 1. {} interleaved rounds of {} s, \
         medians.\nCPU is the proxy process's user and system time per request; the ratio is to `bare` in the same round.\n",
        plan.rounds, plan.seconds
    )?;
    text.push_str("| case | CPU us | x bare | req/s | p50 us | p99 us | what |\n|---|---|---|---|---|---|---|\n");
    for (index, case) in CASES.iter().enumerate() {
        let Sample { cpu, rate, p50, p99 } = medians(rounds, index);
        let ratio = ratio(rounds, index);
        writeln!(text, "| {} | {cpu:.2} | {ratio:.2} | {rate:.0} | {p50:.0} | {p99:.0} | {} |", case.name, case.what)?;
    }
    writeln!(text, "\nStart to first answer with nothing cached: {:.0} ms.\n", start.cold)?;
    text.push_str("| figure | value | at most | |\n|---|---|---|---|\n");
    for figure in figures {
        let met = if figure.met() { "met" } else { "missed" };
        writeln!(
            text,
            "| {} | {:.2} {} | {} {} | {met} |",
            figure.name, figure.value, figure.unit, figure.target, figure.unit
        )?;
    }
    Ok(text)
}

fn data(plan: &Plan, day: &str, rounds: &[Vec<Sample>], start: &Startup, figures: &[Figure]) -> Value {
    let sample =
        |s: &Sample| json!({ "cpu_us": s.cpu, "requests_per_second": s.rate, "p50_us": s.p50, "p99_us": s.p99 });
    let cases = CASES.iter().enumerate().map(|(index, case)| {
        let samples: Vec<_> = rounds.iter().map(|round| sample(&round[index])).collect();
        json!({
            "name": case.name,
            "what": case.what,
            "ratio_to_bare": ratio(rounds, index),
            "median": sample(&medians(rounds, index)),
            "rounds": samples,
        })
    });
    let figures = figures.iter().map(|figure| {
        let Figure { name, value, target, unit } = figure;
        json!({ "name": name, "value": value, "at_most": target, "unit": unit, "met": figure.met() })
    });
    let machine: serde_json::Map<_, _> =
        machine::describe().into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
    json!({
        "day": day,
        "machine": machine,
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "cold_start_ms": start.cold,
        "cases": cases.collect::<Vec<_>>(),
        "figures": figures.collect::<Vec<_>>(),
    })
}
