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

/// Installs and starts what the cases need. A peer that can not be had is said and left out.
pub(super) fn start(groups: &[(&'static Group, Vec<&'static Case>)]) -> Peers {
    let mut running = Peers::new();
    for peer in PEERS.iter().filter(|peer| groups.iter().any(|(_, cases)| needed(cases, peer.name))) {
        match peer.install().and_then(|()| peer.start()) {
            Ok(started) => drop(running.insert(peer.name, started)),
            Err(error) => println!("{} is left out: {error:#}", peer.name),
        }
    }
    running
}

fn needed(cases: &[&Case], peer: &str) -> bool {
    cases.iter().any(|case| case.needs(peer))
}

/// Starts anew what the cases need. Where the memory of a process happens to lie makes two of the same program differ by
/// up to three per cent, for as long as they live; so that no figure depends on one such draw, each round has its own.
fn restart(cases: &[&Case], peers: &mut Peers) -> Result<()> {
    for peer in PEERS.iter().filter(|peer| needed(cases, peer.name)) {
        drop(peers.remove(peer.name));
        let started = peer.start().with_context(|| format!("starting {} again", peer.name))?;
        peers.insert(peer.name, started);
    }
    Ok(())
}

/// Measures a group.
pub(super) fn measure(
    plan: &Plan,
    group: &'static Group,
    cases: Vec<&'static Case>,
    peers: &mut Peers,
) -> Result<Measured> {
    let there = |case: &&Case| PEERS.iter().all(|peer| !case.needs(peer.name) || peers.contains_key(peer.name));
    let cases: Vec<_> = cases.into_iter().filter(there).collect();
    let rounds = if group.target { plan.rounds } else { plan.rounds.div_ceil(2) };
    println!("\n{}: {} cases, {rounds} rounds of {:?} each", group.name, cases.len(), plan.time);
    let _upstream = Upstream::start(group.cores)?;
    for case in &cases {
        peers[case.peer].prove(case).with_context(|| format!("trying {} / {}", group.name, case.name))?;
    }
    let mut measured = Measured { group, cases, rounds: Vec::new() };
    for round in 0..rounds {
        if plan.restart && round > 0 {
            restart(&measured.cases, peers)?;
        }
        let samples = one(plan, &measured, round, peers)?;
        let line = measured.cases.iter().zip(&samples).map(|(case, sample)| format!("{} {:.1}", case.name, sample.cpu));
        println!("  {}: CPU us per request: {}", round + 1, line.collect::<Vec<_>>().join(", "));
        measured.rounds.push(samples);
    }
    Ok(measured)
}

/// One round, after a warm-up where the peers are new.
fn one(plan: &Plan, Measured { group, cases, .. }: &Measured, round: usize, peers: &Peers) -> Result<Vec<Sample>> {
    let sample = |case: &Case, time| {
        let failed = || format!("measuring {} / {}", group.name, case.name);
        load::sample(case, group.cores, peers, time).with_context(failed)
    };
    if plan.restart || round == 0 {
        cases.iter().try_for_each(|case| sample(case, WARM_UP).map(drop))?;
    }
    let mut samples = vec![Sample::default(); cases.len()];
    for position in 0..cases.len() {
        let index = (position + round) % cases.len();
        samples[index] = sample(cases[index], plan.time)?;
    }
    Ok(samples)
}
