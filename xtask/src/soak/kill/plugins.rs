//! Twenty plugins, each of a component of its own: eighteen that stay and two that change while the gateway runs.

use std::{fs, path::Path};

use anyhow::Result;

use crate::{component, guests, soak::gateway::Folder};

/// The components that stay: a guest and how many versions of it.
const STAYING: [(&str, u64); 4] = [("probe", 12), ("probe-body", 3), ("probe-chunks", 1), ("jwt", 2)];

/// Those that change.
const CHANGING: u64 = 2;

/// All of them.
pub(super) struct Plugins<'a> {
    folder: &'a Folder,
    upstream: String,
    probe: Vec<u8>,
    /// The number that the configuration says, in its answers.
    pub(super) configuration: u64,
    versions: u64,
}

impl<'a> Plugins<'a> {
    /// Puts them and a first configuration in their places.
    pub(super) fn new(folder: &'a Folder, upstream: String) -> Result<Self> {
        let guest = |name: &str| fs::read(Path::new(guests::FOLDER).join(name).with_extension("wasm"));
        for (name, count) in STAYING {
            let bytes = guest(name)?;
            for number in 0..count {
                component::replace(
                    &folder.file(&format!("{name}-{number}.wasm")),
                    component::numbered(&bytes, number),
                )?;
            }
        }
        let mut this = Self { folder, upstream, probe: guest("probe")?, configuration: 0, versions: 1_000 };
        (0..CHANGING).try_for_each(|which| this.change_component(which))?;
        this.change_configuration()?;
        Ok(this)
    }

    /// Replaces a component by one that nobody has compiled.
    pub(super) fn change_component(&mut self, which: u64) -> Result<()> {
        self.versions += 1;
        let bytes = component::numbered(&self.probe, self.versions);
        component::replace(&self.folder.file(&format!("changing-{}.wasm", which % CHANGING)), bytes)
    }

    /// Replaces the configuration by the next one.
    pub(super) fn change_configuration(&mut self) -> Result<()> {
        self.configuration += 1;
        let mut text = format!("[upstreams.up]\nurl = \"http://{}\"\n\n", self.upstream);
        let mut plugin = |name: String, config: &str| {
            text.push_str(&format!("[plugins.{name}]\ncomponent = \"{name}.wasm\"\n{config}\n"));
        };
        for (name, count) in STAYING {
            let secret = "config = { keys = [{ algorithms = [\"HS256\"], secret = \"a secret of nothing but the soak, and long\" }] }\n";
            (0..count).for_each(|number| plugin(format!("{name}-{number}"), if name == "jwt" { secret } else { "" }));
        }
        let mark = format!("config.on_response.set_headers.x-configuration = \"{}\"\n", self.configuration);
        (0..CHANGING).for_each(|which| plugin(format!("changing-{which}"), if which == 0 { &mark } else { "" }));
        text.push_str(
            "[routes.all]\nplugins = [\"probe-0\", \"probe-1\", \"changing-0\", \"changing-1\"]\nupstream = \"up\"\n",
        );
        self.folder.configure("", &text)
    }
}
