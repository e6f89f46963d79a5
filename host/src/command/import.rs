//! `gatehouse import`: a configuration from an OpenAPI document.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use gatehouse::import::{self, Options};

/// What `gatehouse import` is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The document: OpenAPI 3.0 or 3.1, in YAML or JSON.
    document: PathBuf,
    /// The file to write, which must not be there yet; without it, the standard output.
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Where requests go, instead of to what the document's `servers` say: `http://10.0.0.1:3000`.
    #[arg(long)]
    upstream: Option<String>,
    /// The folder with the components of the plugins that ship, as the configuration is to name it.
    #[arg(long, default_value = "plugins")]
    plugins: PathBuf,
    /// Exit code 2 when something is left out.
    #[arg(long)]
    strict: bool,
}

/// Exit code of `--strict` when something was left out.
pub(crate) const LEFT_OUT: u8 = 2;

/// Whether all of the document was taken over, or nobody asked for that.
pub(crate) fn run(args: Args) -> anyhow::Result<bool> {
    let folder = args.output.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
    let options = Options { document: args.document, folder, upstream: args.upstream, plugins: args.plugins };
    let imported = import::import(&options).map_err(anyhow::Error::msg)?;
    match &args.output {
        Some(file) => {
            let open = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
            let mut open = open.with_context(|| format!("{} cannot be written", file.display()))?;
            open.write_all(imported.text.as_bytes())?;
        }
        None => std::io::stdout().write_all(imported.text.as_bytes())?,
    }
    for line in &imported.left_out {
        eprintln!("{line}");
    }
    Ok(!args.strict || imported.left_out.is_empty())
}
