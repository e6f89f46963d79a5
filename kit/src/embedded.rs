//! The contract, the SDKs and the templates, as files of this program (see `build.rs`).

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Writes files into a folder.
pub(crate) fn write(files: &[(&str, &str)], folder: &Path) -> Result<()> {
    files.iter().try_for_each(|(path, text)| put(&folder.join(path), text))
}

/// Writes a file, with the folders above it, unless it says that already: builders look at its time.
pub(crate) fn put(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == text.as_ref()) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .with_context(|| format!("writing {}", path.display()))
}
