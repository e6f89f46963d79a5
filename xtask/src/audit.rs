//! `cargo xtask audit`: what the dependencies are, held against `deny.toml` by cargo-deny. Advisories come from the network:
//! without it the rest is checked, and the command says that they were not.

use anyhow::{Result, bail};

use crate::{process, tool::Tool};

const DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Checks licences, bans and sources only, and asks no network
    #[arg(long)]
    offline: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let program = DENY.bring()?;
    let deny = |arguments: &[&str]| {
        let mut command = process::command(&program);
        command.args(["--locked"]).args(arguments);
        println!("{}", process::line(&command));
        process::run(&mut command)
    };
    let rest = deny(&["--offline", "check", "licenses", "bans", "sources"]);
    let advisories = match options.offline {
        true => {
            println!("advisories: NOT CHECKED, for `--offline` was given");
            Ok(())
        }
        false => deny(&["check", "advisories"]),
    };
    if let Err(error) = &advisories {
        println!("advisories: {error:#}; either there are some, or their database could not be had (see above)");
    }
    match (rest, advisories) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(error), _) => Err(error),
        (Ok(()), Err(_)) => bail!("licenses, bans and sources are good; advisories are not, or were not checked"),
    }
}
