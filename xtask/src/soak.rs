//! `cargo xtask soak`: a real gateway, run long and hard. Each part is a command that prints its figures and fails when
//! one misses its target; the short forms are steps of `cargo xtask test`.

pub(crate) mod chance;
pub(crate) mod connection;
pub(crate) mod corpus;
pub(crate) mod gateway;
pub(crate) mod kill;
pub(crate) mod latency;
pub(crate) mod ledger;
pub(crate) mod load;
pub(crate) mod random;
pub(crate) mod reload;
pub(crate) mod stop;
pub(crate) mod upstream;
pub(crate) mod upstreams;

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};

use crate::{
    demo,
    figure::Figure,
    guests::{self, Way},
};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    part: Part,
}

/// A part with what it is told. One more is a module with `Options` and `run`, and a line here and in [`run`].
#[derive(clap::Subcommand)]
enum Part {
    /// Replaces plugins and the configuration under load: no request fails, none is served by two generations
    Reload(reload::Options),
    /// Loads random components: none of them does harm
    Random(random::Options),
    /// Stops the gateway under load with SIGTERM: no exchange is lost, and it ends in time
    Stop(stop::Options),
    /// Kills the gateway at any moment: each start after that is clean, and quick when its code is kept
    Kill(kill::Options),
    /// Calls hostile components over and over beside good requests: those are served, and nothing is left behind
    Corpus(corpus::Options),
    /// Asks an upstream that breaks its answers: none looks whole that is not, and requests to others are served
    Upstreams(upstreams::Options),
}

/// Builds what is needed and runs a part.
pub(crate) fn run(options: &Options) -> Result<()> {
    guests::build(Way::Auto)?;
    demo::build(&["gatehouse"])?;
    match &options.part {
        Part::Reload(options) => reload::run(options),
        Part::Random(options) => random::run(options),
        Part::Stop(options) => stop::run(options),
        Part::Kill(options) => kill::run(options),
        Part::Corpus(options) => corpus::run(options),
        Part::Upstreams(options) => upstreams::run(options),
    }
}

/// Prints figures; an error when one misses its target.
fn judge(figures: &[Figure]) -> Result<()> {
    figures.iter().for_each(|figure| println!("  {figure}"));
    match figures.iter().filter(|figure| !figure.met()).count() {
        0 => Ok(()),
        missed => bail!("{missed} of {} figures miss their target", figures.len()),
    }
}

/// Takes a lock, also after a thread that held it has panicked: what went wrong is told by what that thread leaves out.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
