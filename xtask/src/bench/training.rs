//! The bench's requests for a gateway that counts what runs: see `release.rs`.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};

use super::{
    case::{Case, Cores, GROUPS},
    load, peer, prepare_load, round,
};

/// For each case. Many requests of few kinds are enough: what is rare is to stay apart.
const TIME: Duration = Duration::from_secs(2);

/// It may write its counts so long when it is told to end.
const END: Duration = Duration::from_secs(20);

/// Builds and installs what makes load, and starts the upstream once: so what is missing is said at once.
pub(crate) fn prepare() -> Result<()> {
    prepare_load()?;
    peer::Upstream::start(Cores::Apart).map(drop)
}

/// Sends a gateway, of this program, the requests of all cases that are of the bench's usual gateway.
pub(crate) fn train(program: &Path) -> Result<()> {
    peer::measure_gateway(program)?;
    let is_usual = |case: &&'static Case| case.peer == "gatehouse";
    let groups: Vec<_> = GROUPS.iter().map(|group| (group, group.cases.iter().filter(is_usual).collect())).collect();
    let mut peers = round::start(&groups);
    if peers.is_empty() {
        bail!("the gateway that counts does not serve");
    }
    let _upstream = peer::Upstream::start(Cores::Apart)?;
    for (group, cases) in groups {
        for case in cases {
            load::sample(case, group.cores, &peers, TIME).with_context(|| format!("{} / {}", group.name, case.name))?;
        }
    }
    match peers.remove("gatehouse").is_some_and(|gateway| gateway.stop(END)) {
        true => Ok(()),
        false => bail!("the gateway that counts did not end by itself"),
    }
}
