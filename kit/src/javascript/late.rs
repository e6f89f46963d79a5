//! Standard interfaces that get their names late. componentize-qjs runs a component once when it makes it, with its own
//! `wasi:io`; what is built on that, as `wasi:http` is, it can only stub, and types of the two do not fit together. Under
//! names that it does not know it stubs both. The finished component gets the standard's names: they are as long, so only
//! bytes of its imports change.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::binary;

/// What `wasi:http` is called until the component is made.
pub(super) const HTTP: &str = "late:http";

const STANDARD: [&str; 2] = ["wasi:http", "wasi:io"];

/// The number of a component's section of imports.
const IMPORTS: u8 = 10;

fn late(standard: &str) -> String {
    standard.replacen("wasi", "late", 1)
}

/// Renames the packages in the folder of WIT files that a component is made by.
pub(super) fn rename_packages(wit: &Path) -> Result<()> {
    for entry in fs::read_dir(wit).with_context(|| format!("reading {}", wit.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            rename_packages(&path)?;
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let renamed = STANDARD.iter().fold(text.clone(), |text, name| text.replace(name, &late(name)));
        if renamed != text {
            fs::write(&path, renamed).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Gives a component's imports the standard's names. What is inside of it goes by its own.
pub(super) fn rename_imports(component: &mut [u8]) -> Result<()> {
    let sections = binary::sections(component).context("the component ends within a section")?;
    for section in sections.into_iter().filter(|section| section.id == IMPORTS) {
        let content = &mut component[section.content];
        STANDARD.iter().for_each(|name| replace(content, late(name).as_bytes(), name.as_bytes()));
    }
    Ok(())
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    for at in 0..bytes.len().saturating_sub(from.len()) {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_imports_are_renamed() {
        let section = |id: u8, text: &str| [&[id, u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
        let all = |http: &str, io: &str| {
            let imports = section(IMPORTS, &format!("..{http}/types@0.2.0..{io}/poll@0.2.0.."));
            [&b"\0asm\x0d\0\x01\0"[..], &section(1, "late:http"), &imports, &section(0, "late:io")].concat()
        };
        let mut component = all("late:http", "late:io");
        rename_imports(&mut component).expect("it is whole");
        assert_eq!(component, all("wasi:http", "wasi:io"));
        assert!(rename_imports(&mut component[..12]).is_err());
    }
}
