//! The report as a picture: CPU time per request, a bar per case, each group with a scale of its own.

use std::fmt::Write as _;

use anyhow::Result;

use super::{Report, ratio};
use crate::bench::{peer, round::Measured};

const WIDTH: f64 = 860.0;

/// Where bars begin, and the longest.
const LEFT: f64 = 170.0;
const LONGEST: f64 = 540.0;

/// From one bar to the next, and how thick it is.
const STEP: f64 = 22.0;
const THICK: f64 = 15.0;

/// Above a group's first bar: its title and what it is.
const TITLE: f64 = 46.0;

const GAP: f64 = 18.0;
const TOP: f64 = 80.0;

/// Attributes of texts.
const HEADING: &str = "font-size=\"17\" font-weight=\"bold\"";
const BOLD: &str = "font-weight=\"bold\"";
const NOTE: &str = "font-size=\"12\" fill=\"#616e7c\"";

/// Others, and the gateway.
const COLOURS: [&str; 2] = ["#9aa5b1", "#0b7285"];

pub(super) fn chart(report: &Report<'_>) -> Result<String> {
    let bottom = TOP + report.groups.iter().map(height).sum::<f64>() + GAP;
    let machine = report.machine.iter().filter(|(name, _)| ["processor", "system", "commit"].contains(name));
    let machine = machine.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ");
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {bottom}\" width=\"{WIDTH}\" \
         height=\"{bottom}\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"13\" fill=\"#1f2933\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    text(&mut svg, [16.0, 28.0], HEADING, "CPU time per request, in microseconds: less is better")?;
    text(&mut svg, [16.0, 47.0], NOTE, "One worker on one core, medians. In brackets: times the first of the group.")?;
    text(&mut svg, [16.0, 63.0], NOTE, &format!("{}; {machine}", report.day))?;
    let mut y = TOP;
    for measured in report.groups {
        group(&mut svg, measured, y)?;
        y += height(measured);
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn height(measured: &Measured) -> f64 {
    TITLE + measured.cases.len() as f64 * STEP + GAP
}

fn group(svg: &mut String, measured: &Measured, top: f64) -> Result<()> {
    text(svg, [16.0, top + 18.0], BOLD, measured.group.name)?;
    text(svg, [16.0, top + 35.0], NOTE, measured.group.what)?;
    let cpu = |name| measured.median(name, |sample| sample.cpu).unwrap_or_default();
    let most = measured.cases.iter().map(|case| cpu(case.name)).fold(f64::MIN_POSITIVE, f64::max);
    for (index, case) in measured.cases.iter().enumerate() {
        let y = top + TITLE + index as f64 * STEP;
        let length = cpu(case.name) / most * LONGEST;
        let colour = COLOURS[usize::from(peer::is_gateway(case.peer))];
        writeln!(svg, "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{THICK}\" fill=\"{colour}\"/>")?;
        text(svg, [LEFT - 8.0, y + 12.0], "text-anchor=\"end\"", case.name)?;
        let value = format!("{:.1} ({:.2} x)", cpu(case.name), ratio(measured, case.name));
        text(svg, [LEFT + length + 6.0, y + 12.0], "", &value)?;
    }
    Ok(())
}

fn text(svg: &mut String, [x, y]: [f64; 2], attributes: &str, text: &str) -> Result<()> {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('`', "");
    Ok(writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{text}</text>")?)
}
