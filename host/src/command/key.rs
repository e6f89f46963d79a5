//! `gatehouse key`: values of API keys and their digests, which are all that a configuration needs of them.

use std::io::{Read as _, stdin};

use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use sha2::{Digest as _, Sha256};

/// Random bytes of a value: 40 letters and digits, as AWS's have.
const RANDOM: usize = 25;

/// The longest value that is read.
const MOST: u64 = 1024;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes a new API key: its value, for the client, and its digest, for `sha256` of `[api_keys.NAME]`.
    New,
    /// Digests an API key: its value is one line on the standard input.
    Digest,
}

pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::New => {
            let mut random = [0; RANDOM];
            getrandom::fill(&mut random).map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
            let value = BASE32_NOPAD.encode(&random).to_ascii_lowercase();
            println!("value  = \"{value}\"\nsha256 = \"{}\"", digest(&value));
        }
        Command::Digest => {
            let mut text = String::new();
            stdin().take(MOST + 1).read_to_string(&mut text).context("the key cannot be read")?;
            let value = text.trim_end_matches(['\r', '\n']);
            if value.is_empty() || value.len() as u64 > MOST || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                bail!("a key is one line of 1 to {MOST} printable ASCII characters");
            }
            println!("sha256 = \"{}\"", digest(value));
        }
    }
    Ok(())
}

fn digest(value: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(value.as_bytes()))
}
