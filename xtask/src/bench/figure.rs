//! The figures that have a target, out of samples of the same rounds.

use super::{load::Sample, round::Measured};
pub(super) use crate::figure::{Bound, Figure, median};

/// All figures of groups. One that can not be had is left out, or, if all are wanted, no number: its target is missed.
pub(super) fn figures(groups: &[Measured], all: bool) -> Vec<Figure> {
    let group = |name| groups.iter().find(|measured| measured.group.name == name);
    let ratio = |name, case, other| group(name)?.paired(case, other, |a, b| a.cpu / b.cpu);
    let added = |name, case, other| group(name)?.paired(case, other, |a, b| a.cpu - b.cpu);
    let tail = |a: &Sample, b: &Sample| a.p99 / b.p99;
    let rate = |name, case| group(name)?.median(case, |sample| sample.rate);
    let most = Bound::AtMost;
    let list = [
        ("plain route, CPU / nginx", ratio("plugins", "gatehouse", "nginx"), "x", most(1.0)),
        ("plain route, CPU / bare hyper", ratio("plugins", "gatehouse", "bare hyper"), "x", Bound::None),
        ("three plugins, CPU / nginx without any", ratio("plugins", "3 plugins", "nginx"), "x", most(1.28)),
        ("three plugins, CPU / nginx + Lua", ratio("plugins", "3 plugins", "nginx + Lua"), "x", Bound::None),
        ("one pure hook adds", added("plugins", "1 plugin", "gatehouse"), "us", most(1.0)),
        ("a verdict-cache hit adds", added("plugins", "cache hit", "gatehouse"), "us", most(0.5)),
        ("a fresh instance per request adds", added("plugins", "fresh instance", "gatehouse"), "us", most(15.0)),
        ("fresh instances, requests per second", rate("plugins", "fresh instance"), "/s", Bound::AtLeast(20_000.0)),
        (
            "p99 at 32 connections / nginx",
            group("plugins").and_then(|g| g.paired("gatehouse", "nginx", tail)),
            "x",
            most(1.0),
        ),
        ("body of 16 KiB, CPU / nginx", ratio("16 KiB", "gatehouse", "nginx"), "x", most(1.0)),
        ("body of 1 MiB, CPU / nginx", ratio("1 MiB", "gatehouse", "nginx"), "x", most(1.0)),
        (
            "body of 16 KiB, CPU / nginx with large buffers",
            ratio("16 KiB", "gatehouse", "nginx, large buffers"),
            "x",
            Bound::None,
        ),
        (
            "body of 1 MiB, CPU / nginx with large buffers",
            ratio("1 MiB", "gatehouse", "nginx, large buffers"),
            "x",
            Bound::None,
        ),
        ("10,000 routes cost more than 1", added("routes", "10,000 routes", "1 route"), "us", most(0.3)),
        ("10,000 routes in turn cost more than 1", added("routes", "in turn", "1 route"), "us", Bound::None),
        ("two workers, CPU / one worker", ratio("workers", "2 workers", "1 worker"), "x", most(1.05)),
        ("two workers, CPU / two gateways of one", ratio("workers", "2 workers", "2 gateways"), "x", Bound::None),
    ];
    let list = list.into_iter().filter(|(_, value, _, _)| all || value.is_some());
    list.map(|(name, value, unit, bound)| Figure { name, value: value.unwrap_or(f64::NAN), unit, bound }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::case::GROUPS;

    /// The second round ran on a machine half as fast.
    fn measured() -> Measured {
        let cases =
            GROUPS[0].cases.iter().filter(|case| ["nginx", "gatehouse", "1 plugin"].contains(&case.name)).collect();
        let round =
            |speed: f64| [16.0, 16.8, 18.4].map(|cpu| Sample { cpu: cpu * speed, p99: cpu, ..Sample::default() });
        Measured { group: &GROUPS[0], cases, rounds: vec![round(1.0).into(), round(2.0).into(), round(1.0).into()] }
    }

    #[test]
    fn figures_compare_within_a_round() {
        let figures = figures(&[measured()], false);
        let lines: Vec<_> = figures.iter().map(Figure::to_string).collect();
        assert_eq!(
            lines,
            [
                "plain route, CPU / nginx: 1.05 x (at most 1.00 x) MISSED",
                "one pure hook adds: 1.60 us (at most 1.00 us) MISSED",
                "p99 at 32 connections / nginx: 1.05 x (at most 1.00 x) MISSED",
            ]
        );
    }

    #[test]
    fn what_was_not_measured_misses_its_target() {
        let figures = figures(&[], true);
        assert_eq!(figures[0].to_string(), "plain route, CPU / nginx: not measured (at most 1.00 x) MISSED");
        assert!(figures.iter().all(|figure| figure.met() == (figure.bound == Bound::None)));
    }

    #[test]
    fn a_figure_can_have_a_least_value_or_none() {
        let figure = |bound| Figure { name: "a", value: 20_000.0, unit: "/s", bound };
        assert!(figure(Bound::AtLeast(20_000.0)).met() && !figure(Bound::AtLeast(20_001.0)).met());
        assert_eq!(figure(Bound::None).to_string(), "a: 20000 /s (no target)");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_ones() {
        assert_eq!(median([4.0, 1.0, 3.0, 2.0].into_iter()), 2.5);
    }
}
