//! Rounds: each measures every case of a group once, in an order that rotates. Cases are compared within a round only.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{
    Plan,
    case::{Case, Group},
    figure::median,
    load::{self, Sample},
    peer::{PEERS, Peers, Upstream},
};

/// Load before the first round: connections and instances are there, and nothing is compiled any more.
const WARM_UP: Duration = Duration::from_millis(400);

/// A group with its samples.
pub(super) struct Measured {
    pub(super) group: &'static Group,
    /// Those whose peer is there.
    pub(super) cases: Vec<&'static Case>,
    /// A vector per round, in the order of the cases.
    pub(super) rounds: Vec<Vec<Sample>>,
}

impl Measured {
    /// The median over the rounds of something of one case.
    pub(super) fn median(&self, case: &str, value: fn(&Sample) -> f64) -> Option<f64> {
        let index = self.index(case)?;
        Some(median(self.rounds.iter().map(|round| value(&round[index]))))
    }

    /// The median over the rounds of a comparison of two cases in the same round.
    pub(super) fn paired(&self, case: &str, other: &str, value: impl Fn(&Sample, &Sample) -> f64) -> Option<f64> {
        let (case, other) = (self.index(case)?, self.index(other)?);
        Some(median(self.rounds.iter().map(|round| value(&round[case], &round[other]))))
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.cases.iter().position(|case| case.name == name)
    }
}

/// Starts what the cases need. A peer that can not be installed or started is said and left out.
pub(super) fn start(groups: &[(&'static Group, Vec<&'static Case>)]) -> Peers {
    let mut running = Peers::new();
    for peer in
        PEERS.iter().filter(|peer| groups.iter().any(|(_, cases)| cases.iter().any(|case| case.needs(peer.name))))
    {
        match peer.start() {
            Ok(started) => drop(running.insert(peer.name, started)),
            Err(error) => println!("{} is left out: {error:#}", peer.name),
        }
    }
    running
}

/// Measures a group.
pub(super) fn measure(
    plan: &Plan,
    group: &'static Group,
    cases: Vec<&'static Case>,
    upstream: &Upstream,
    peers: &Peers,
) -> Result<Measured> {
    let cases: Vec<_> = cases
        .into_iter()
        .filter(|case| PEERS.iter().all(|peer| !case.needs(peer.name) || peers.contains_key(peer.name)))
        .collect();
    let rounds = if group.target { plan.rounds } else { plan.rounds.div_ceil(2) };
    println!("\n{}: {} cases, {rounds} rounds of {:?} each", group.name, cases.len(), plan.time);
    upstream.move_to(group.cores)?;
    let sample = |case: &Case, time| {
        let failed = || format!("measuring {} / {}", group.name, case.name);
        load::sample(case, group.cores, peers, time).with_context(failed)
    };
    for case in &cases {
        peers[case.peer].prove(case).with_context(|| format!("trying {} / {}", group.name, case.name))?;
        sample(case, WARM_UP)?;
    }
    let mut measured = Measured { group, cases, rounds: Vec::new() };
    let cases = &measured.cases;
    for round in 0..rounds {
        let mut samples = vec![Sample::default(); cases.len()];
        for position in 0..cases.len() {
            let index = (position + round) % cases.len();
            samples[index] = sample(cases[index], plan.time)?;
        }
        let line = cases.iter().zip(&samples).map(|(case, sample)| format!("{} {:.1}", case.name, sample.cpu));
        println!("  {}: CPU us per request: {}", round + 1, line.collect::<Vec<_>>().join(", "));
        measured.rounds.push(samples);
    }
    Ok(measured)
}
