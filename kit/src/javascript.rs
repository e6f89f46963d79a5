//! Plugins in javascript.

use std::path::Path;

use anyhow::{Result, bail};

use crate::{Project, Tools};

/// Makes the component.
pub(crate) fn build(project: &Project, _work: &Path, _tools: &Tools) -> Result<Vec<u8>> {
    bail!("plugins in {} cannot be built yet", project.language)
}
