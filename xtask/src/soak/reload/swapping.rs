//! Replacing the component and the configuration in turn, each in one step, and waiting until the gateway has loaded it.

use std::{fs, net::SocketAddr, path::Path, thread, time::Duration};

use anyhow::{Result, bail};

use super::{Mark, Marks};
use crate::{
    component, guests,
    soak::{
        gateway::{Folder, Gateway, Has},
        load::Load,
        lock,
    },
};

/// The phases of the load: with swaps, and without.
pub(super) const PHASES: [usize; 2] = [0, 1];

/// After so many swaps it is quiet for a while, to compare with.
const BLOCK: u64 = 20;

/// For so long.
const QUIET: Duration = Duration::from_millis(500);

/// Versions of the component.
const VERSIONS: u8 = 3;

/// Replaces what a gateway serves.
pub(super) struct Swapping<'a> {
    folder: &'a Folder,
    upstream: SocketAddr,
    probe: Vec<u8>,
    marks: Marks,
    mark: Mark,
    generation: u64,
}

impl<'a> Swapping<'a> {
    /// Puts the first generation in its place.
    pub(super) fn new(folder: &'a Folder, upstream: SocketAddr, marks: Marks) -> Result<Self> {
        let probe = fs::read(Path::new(guests::FOLDER).join("probe.wasm"))?;
        let mark = Mark { configuration: 1, component: 1 };
        let mut this = Self { folder, upstream, probe, marks, mark, generation: 0 };
        this.expect();
        this.put_component()?;
        this.put_configuration()?;
        Ok(this)
    }

    /// Has every version compiled once, so that a swap is a swap.
    pub(super) fn warm_up(&mut self, gateway: &mut Gateway) -> Result<()> {
        (0..VERSIONS).try_for_each(|_| self.other_component(gateway))
    }

    /// Replaces what is served so many times; what the process had half way and at the end.
    pub(super) fn swap(&mut self, swaps: u64, gateway: &mut Gateway, load: &Load) -> Result<[Has; 2]> {
        let mut half = gateway.has()?;
        for number in 1..=swaps {
            match number % 2 {
                1 => self.other_component(gateway)?,
                _ => self.other_configuration(gateway)?,
            }
            if number == swaps.div_ceil(2) {
                half = gateway.has()?;
            }
            if number % BLOCK == 0 || number == swaps {
                load.enter(PHASES[1]);
                thread::sleep(QUIET);
                load.enter(PHASES[0]);
            }
            if number % 1_000 == 0 {
                println!("  {number} swaps, {} requests, {} failed, {}", load.made(), load.failed(), gateway.has()?);
            }
        }
        Ok([half, gateway.has()?])
    }

    fn other_component(&mut self, gateway: &mut Gateway) -> Result<()> {
        self.mark.component = self.mark.component % VERSIONS + 1;
        self.expect();
        self.put_component()?;
        self.loaded(gateway)
    }

    fn other_configuration(&mut self, gateway: &mut Gateway) -> Result<()> {
        self.mark.configuration += 1;
        self.expect();
        self.put_configuration()?;
        self.loaded(gateway)
    }

    /// Says what the next generation will say of itself, before anything can be served by it.
    fn expect(&mut self) {
        self.generation += 1;
        lock(&self.marks).insert(self.generation, self.mark);
    }

    fn put_component(&self) -> Result<()> {
        component::replace(&self.folder.file("probe.wasm"), component::version(&self.probe, self.mark.component)?)
    }

    fn put_configuration(&self) -> Result<()> {
        let upstream = format!("[upstreams.up]\nurl = \"http://{}\"\n\n", self.upstream);
        self.folder.configure("", &(upstream + &self.mark.configuration()))
    }

    fn loaded(&self, gateway: &mut Gateway) -> Result<()> {
        match gateway.loaded()? {
            generation if generation == self.generation => Ok(()),
            generation => bail!("generation {generation} is loaded, not {}", self.generation),
        }
    }
}
