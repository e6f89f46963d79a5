//! Components as files that are replaced: other versions of one, and how a file takes another's place in one step.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

/// What the probe of the tests says of itself, and what stands for its number.
const VERSION: &[u8] = b"version of the probe: ";

/// A component with a custom section at its end: other bytes, so to the gateway it is another one.
pub(crate) fn numbered(component: &[u8], version: u64) -> Vec<u8> {
    let mut section = vec![0, 15, 6];
    section.extend(b"number");
    section.extend(version.to_le_bytes());
    [component, &section].concat()
}

/// The probe of the tests as another version, which its act `version` tells.
pub(crate) fn version(probe: &[u8], version: u8) -> Result<Vec<u8>> {
    let mut places = probe.windows(VERSION.len()).enumerate().filter(|(_, bytes)| *bytes == VERSION);
    let (Some((place, _)), None) = (places.next(), places.next()) else {
        bail!("the probe does not say its version in one place: `cargo xtask guests` builds it");
    };
    let mut other = probe.to_vec();
    let number = place + VERSION.len();
    other[number..number + 2].copy_from_slice(format!("{:02}", version % 100).as_bytes());
    Ok(other)
}

/// Puts a file into the place of another in one step.
pub(crate) fn replace(file: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, bytes)
        .and_then(|()| fs::rename(&new, file))
        .with_context(|| format!("replacing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_component_has_one_section_more() {
        // Identifier 0, then the length of what follows.
        let section = &numbered(b"component", 1)[9..];
        assert_eq!((section[0], usize::from(section[1])), (0, section.len() - 2));
    }

    #[test]
    fn a_version_is_written_where_the_probe_says_it() {
        assert_eq!(version(b"-version of the probe: 00-", 7).expect("one place"), b"-version of the probe: 07-");
        assert!(version(b"nothing", 7).is_err());
    }
}
