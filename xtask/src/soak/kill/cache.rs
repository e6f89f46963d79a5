//! A code cache as a crash may leave it, or as a disk may spoil it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

use crate::soak::chance::Chance;

/// The files whose names end so.
fn files(cache: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(cache)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|found| found == ending));
    files.sort();
    Ok(files)
}

/// How many files of code there are.
pub(super) fn kept(cache: &Path) -> Result<usize> {
    Ok(files(cache, "cwasm")?.len())
}

/// How many files there are that were not written to their end.
pub(super) fn halves(cache: &Path) -> Result<usize> {
    Ok(files(cache, "half")?.len())
}

/// Spoils some files: cut short, emptied, a byte changed, or filled with zeros, as after a power cut; and leaves half ones.
pub(super) fn spoil(cache: &Path, chance: &Chance) -> Result<()> {
    let files = files(cache, "cwasm")?;
    for _ in 0..=chance.below(2) {
        let file = &files[chance.below(files.len() as u64) as usize];
        let mut bytes = fs::read(file)?;
        let place = chance.below(bytes.len().max(1) as u64) as usize;
        match chance.below(4) {
            0 => bytes.truncate(place),
            1 => bytes.clear(),
            2 => bytes.iter_mut().skip(place).for_each(|byte| *byte = 0),
            _ => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1),
        }
        fs::write(file, &bytes)?;
        fs::write(file.with_extension("1.half"), &bytes[..bytes.len() / 2])?;
    }
    Ok(())
}
