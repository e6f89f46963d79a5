//! The rule for the contract: every item says what it is. Only our own package; a standard's text is documented there.

use std::path::PathBuf;

use anyhow::Result;

use super::{Finding, read};

/// The files of the package.
const FILES: [&str; 3] = ["wit/types.wit", "wit/hooks.wit", "wit/worlds.wit"];

/// Lines that begin so are no items.
const NO_ITEMS: [&str; 7] = ["///", "}", "use ", "import ", "export ", "include ", "package "];

/// All findings.
pub(super) fn check() -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for path in FILES {
        let file = read(PathBuf::from(path))?;
        let bare = undocumented(&file.text);
        findings.extend(bare.into_iter().map(|line| file.finding(line, "an item of the contract without a `///`")));
    }
    Ok(findings)
}

/// The numbers of lines with an item that has no documentation above it.
fn undocumented(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_item = |line: &str| !line.is_empty() && !NO_ITEMS.iter().any(|start| line.starts_with(start));
    let is_bare = |&(above, line): &(&str, &str)| is_item(line) && !above.starts_with("///");
    let pairs = lines.iter().copied().zip(lines.iter().copied().skip(1)).enumerate();
    pairs.filter(|(_, pair)| is_bare(pair)).map(|(above, _)| above + 2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_without_documentation_is_found_by_its_line() {
        let text = "/// A thing.\nrecord thing {\n    /// Its name.\n    name: string,\n    size: u8,\n}\n";
        assert_eq!(undocumented(text), [5]);
    }
}
