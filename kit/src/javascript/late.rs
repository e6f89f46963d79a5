//! Standard interfaces that get their names late. componentize-qjs runs a component once when it makes it, with its own
//! `wasi:io`; what is built on that, as `wasi:http` is, it can only stub, and types of the two do not fit together. Under
//! names that it does not know it stubs both. The finished component gets the standard's names: they are as long, so only
//! bytes of its imports change.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

/// What `wasi:http` is called until the component is made.
pub(super) const HTTP: &str = "late:http";

const STANDARD: [&str; 2] = ["wasi:http", "wasi:io"];

/// The id of a component's section of imports, and the length of what is before the sections.
const IMPORTS: u8 = 10;
const HEADER: usize = 8;

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
    let mut at = HEADER;
    while at < component.len() {
        let id = component[at];
        let (length, start) = leb128(component, at + 1)?;
        let end = start + length;
        let Some(section) = component.get_mut(start..end) else { bail!("the component ends within a section") };
        if id == IMPORTS {
            STANDARD.iter().for_each(|name| replace(section, late(name).as_bytes(), name.as_bytes()));
        }
        at = end;
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

/// A number as WebAssembly writes it, and where it ends.
fn leb128(bytes: &[u8], mut at: usize) -> Result<(usize, usize)> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = *bytes.get(at).context("the component ends within a number")?;
        value |= usize::from(byte & 0x7f) << shift;
        at += 1;
        shift += 7;
        if byte & 0x80 == 0 {
            return Ok((value, at));
        }
        if shift > 28 {
            bail!("the component has a number that is too long");
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
