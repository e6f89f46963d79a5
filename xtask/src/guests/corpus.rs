//! The corpus of hostile components: from text to `target/guests/corpus/NAME.wasm`.
//!
//! A text says in comments what is to be done with it:
//! `;; world: A B` names the worlds of `wit/` whose hooks a core module exports, and makes it a component ·
//! `;; with: A B` adds files of `tests/corpus/preludes` to a module · `;; repeat N: TEXT` stands for that many lines, with
//! `{n}` as their number · `;; truncate: N` keeps so many bytes · `;; append: TEXT` adds bytes · `;; encode: none` takes the
//! text as it is for the file · `;; before: TEXT` makes a file of DEL and this text, as ELF begins. Memory and allocator are added to a module that has none of its own.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use gatehouse_corpus::Guest;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::{FOLDER, write};

const SOURCES: &str = "tests/corpus";

/// Encodes all of it.
pub(super) fn build() -> Result<()> {
    let folder = Path::new(FOLDER).join("corpus");
    fs::create_dir_all(&folder)?;
    let mut failed = 0;
    for guest in Guest::ALL {
        let name = guest.name();
        match encode(guest.source()) {
            Ok(bytes) => write(&folder.join(format!("{name}.wasm")), &bytes)?,
            Err(error) => {
                println!("  corpus/{name}.wat failed: {error:#}");
                failed += 1;
            }
        }
    }
    ensure!(failed == 0, "{failed} of the corpus can not be encoded");
    println!("  {:<24}{:>6} hostile or broken components", "corpus", Guest::ALL.len());
    Ok(())
}

fn encode(source: &str) -> Result<Vec<u8>> {
    if directive(source, "encode").is_some() {
        return Ok(source.as_bytes().to_vec());
    }
    if let Some(start) = directive(source, "before") {
        return Ok([b"\x7f", start.as_bytes()].concat());
    }
    let text = repeated(source)?;
    let mut bytes = match directive(source, "world") {
        Some(worlds) => component(&text, worlds)?,
        None => wat::parse_str(&text)?,
    };
    if let Some(length) = directive(source, "truncate") {
        bytes.truncate(length.parse()?);
    }
    bytes.extend(directive(source, "append").unwrap_or_default().bytes());
    Ok(bytes)
}

/// What a comment asks for.
fn directive<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    source.lines().find_map(|line| line.trim().strip_prefix(";; ")?.strip_prefix(name)?.strip_prefix(": "))
}

fn repeated(source: &str) -> Result<String> {
    let mut text = String::with_capacity(source.len());
    for line in source.lines() {
        match line.trim().strip_prefix(";; repeat ") {
            Some(repeat) => {
                let (times, line) = repeat.split_once(": ").context("`;; repeat N: TEXT`")?;
                (0..times.parse::<u32>()?).for_each(|n| text.extend([&line.replace("{n}", &n.to_string()), "\n"]));
            }
            None => text.extend([line, "\n"]),
        }
    }
    Ok(text)
}

/// Makes a component of the text of a core module.
fn component(text: &str, worlds: &str) -> Result<Vec<u8>> {
    let mut module = wat::parse_str(with_preludes(text)?)?;
    let mut resolve = Resolve::default();
    resolve.push_dir("wit")?;
    for package in ["io", "clocks", "cli"] {
        let path = Path::new(SOURCES).join("wit").join(format!("{package}.wit"));
        resolve.push_str(&path, &fs::read_to_string(&path)?)?;
    }
    let includes: String =
        worlds.split_whitespace().map(|world| format!("include gatehouse:plugin/{world}-plugin@0.1.0;\n")).collect();
    let world = format!("package corpus:guest;\nworld guest {{\n{includes}{IMPORTS}}}\n");
    let package = resolve.push_str("guest.wit", &world)?;
    let world = resolve.select_world(&[package], Some("guest"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    ComponentEncoder::default().validate(false).module(&module)?.encode()
}

/// What any of them may import; those that it does not use are left out of the component.
const IMPORTS: &str = "import wasi:io/poll@0.2.0;
import wasi:io/streams@0.2.0;
import wasi:clocks/monotonic-clock@0.2.0;
import wasi:clocks/wall-clock@0.2.0;
import wasi:cli/environment@0.2.0;
import wasi:cli/exit@0.2.0;
import wasi:cli/stdout@0.2.0;
import wasi:keyvalue/store@0.2.0-draft2;
";

fn with_preludes(text: &str) -> Result<String> {
    let module = text.trim_end().strip_suffix(')').context("a module")?;
    let own = |what| module.lines().any(|line| !line.trim_start().starts_with(";;") && line.contains(what));
    let mut names: Vec<_> = directive(text, "with").unwrap_or_default().split_whitespace().collect();
    names.extend((!own("(memory ")).then_some("memory"));
    names.extend((!own("\"cabi_realloc\"")).then_some("realloc"));
    names.push("text");
    let mut whole = module.to_owned();
    for name in names {
        let path = Path::new(SOURCES).join("preludes").join(format!("{name}.wat"));
        whole += &fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    }
    Ok(whole + ")")
}
