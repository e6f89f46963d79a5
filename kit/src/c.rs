//! Plugins in C and C++: bindings by wit-bindgen, compiled with the SDK by Zig's C compiler, made a component.
//!
//! Zig brings its own linker and C library, so a build needs no more of a machine than Python's installer. A plugin that keeps
//! to the SDK has no WASI imports; what prints or reads files gets the adapter to WASI 0.2, whose standard output is the log.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
};
use wit_bindgen_core::{Files, wit_parser::Resolve};
use wit_component::ComponentEncoder;

use crate::{
    Project, Tools,
    binary::{self, Section},
    command::command,
    embedded::put,
    venv, world,
};

/// What pip installs, with hashes.
const REQUIREMENTS: &str = include_str!("../c/requirements.txt");

/// Enough for deep calls of plugins; the linker's own 16 MiB would count against the plugin's memory.
const STACK: &str = "-Wl,-z,stack-size=262144";

/// The bindings free what they have handed over; in the SDK's arenas there is nothing to free.
const BINDINGS: &str = "#include <stdlib.h>\n#define free(memory) ((void)(memory))\n#include \"plugin.c\"\n";

/// What sources end with.
const C: [&str; 1] = ["c"];
const CPLUSPLUS: [&str; 3] = ["cc", "cpp", "cxx"];

/// What the compiler is asked for in any case. Zig would leave out asserts where it optimizes; in C that is said by NDEBUG.
const OPTIONS: [&str; 6] =
    ["--target=wasm32-wasi", "-mexec-model=reactor", "-O2", "-UNDEBUG", "-fno-exceptions", STACK];

/// Makes the component.
pub(crate) fn build(project: &Project, work: &Path, tools: &Tools) -> Result<Vec<u8>> {
    // The compiler runs in the plugin's folder.
    let work = &work.canonicalize().context("naming the folder of the build")?;
    let zig = zig(tools)?;
    bindings(project, work)?;
    put(&work.join("manifest.c"), manifest(project))?;
    let module = work.join("plugin.wasm");
    let mut compiler = command(&zig.program);
    compiler.args(["-m", "ziglang", "cc", "-Wall", "-Wextra"]).args(OPTIONS).current_dir(&project.folder);
    compiler.env("ZIG_GLOBAL_CACHE_DIR", &zig.cache).env("ZIG_LOCAL_CACHE_DIR", work.join("cache"));
    // What `assert` says of a place is no path of this machine.
    compiler.arg(format!("-fmacro-prefix-map={}/=", project.folder.display()));
    if project.debug_info {
        compiler.arg("-gline-tables-only");
    }
    compiler.arg("-I").arg(&project.sdk).arg("-I").arg(work).args(defines(project));
    let sources = sources(project)?;
    if sources.iter().any(|source| is_source(source, &CPLUSPLUS)) {
        compiler.arg("-lc++");
    }
    compiler.args(sources).args(sdk(project)?);
    compiler.args(["bindings.c", "manifest.c", "plugin_component_type.o"].map(|file| work.join(file)));
    // What it says is shown as it comes.
    let status = compiler.arg("-o").arg(&module).status().context("starting the compiler")?;
    ensure!(status.success(), "the compiler has found errors ({status})");
    component(&module, project.debug_info)
}

/// The compiler: a module of a Python environment.
struct Zig {
    /// The environment's Python.
    program: PathBuf,
    /// Where it keeps the libraries that it compiles once.
    cache: PathBuf,
}

fn zig(tools: &Tools) -> Result<Zig> {
    let folder = venv::fetched(tools, "c", "building C", REQUIREMENTS)?;
    Ok(Zig { program: folder.join("venv/bin/python"), cache: folder.join("cache") })
}

/// Writes what wit-bindgen makes of the plugin's world: `plugin.h`, `plugin.c` and an object with the world's type.
fn bindings(project: &Project, work: &Path) -> Result<()> {
    let folder = work.join("wit");
    world::write(project, &folder)?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&folder)?;
    let world = resolve.select_world(&[package], Some(world::WORLD))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    for (name, content) in files.iter() {
        put(&work.join(name), content)?;
    }
    put(&work.join("bindings.c"), BINDINGS)
}

/// For each hook and each thing asked for, what the SDK's sources look for.
fn defines(project: &Project) -> impl Iterator<Item = String> {
    let upper = |kind: &str, name: &str| format!("-DGH_{kind}_{}", name.to_uppercase().replace('-', "_"));
    let asks = project.asks.iter().map(move |ask| upper("ASK", ask.name()));
    project.hooks.iter().map(move |hook| upper("HOOK", hook.name())).chain(asks)
}

/// The plugin's own sources: those beside the one that is named, without tests.
fn sources(project: &Project) -> Result<Vec<PathBuf>> {
    let folder = project.source.parent().unwrap_or(&project.folder);
    let mut sources = in_folder(folder)?;
    sources.retain(|path| !path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("_test")));
    if !sources.contains(&project.source) {
        bail!("{} is no source of C (.c) or C++ (.{})", project.source.display(), CPLUSPLUS.join(", ."));
    }
    Ok(sources)
}

fn sdk(project: &Project) -> Result<Vec<PathBuf>> {
    let folder = project.sdk.join("src");
    in_folder(&folder).context("the SDK is not there: `sdk` in plugin.toml names its folder, by default `gatehouse`")
}

/// The C and C++ sources right in a folder, by their names.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut sources: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    sources.retain(|path| is_source(path, &C) || is_source(path, &CPLUSPLUS));
    sources.sort();
    Ok(sources)
}

fn is_source(path: &Path, suffixes: &[&str]) -> bool {
    path.extension().is_some_and(|it| suffixes.iter().any(|suffix| it == *suffix))
}

/// What the component says of itself, as a C source.
fn manifest(project: &Project) -> String {
    let mut text = String::from("#include <stddef.h>\n");
    for (name, value) in [("name", &project.name), ("version", &project.version), ("description", &project.description)]
    {
        let _ = writeln!(text, "const char gh_{name}[] = {};", quoted(value));
    }
    let schema = project.schema.as_deref().map_or_else(|| "NULL".to_owned(), quoted);
    text + "const char *const gh_schema = " + &schema + ";\n"
}

/// A C string. Escapes are octal: they end after three digits, whatever follows.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\?".contains(&byte) || byte == b' ';
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("\\{byte:03o}") };
    format!("\"{}\"", text.bytes().map(one).collect::<String>())
}

/// Makes a component of the module: its world is in a section of it.
fn component(module: &Path, debug_info: bool) -> Result<Vec<u8>> {
    let mut bytes = fs::read(module).with_context(|| format!("reading {}", module.display()))?;
    if !debug_info {
        bytes = without_debug(&bytes).context("reading the module's sections")?;
    }
    ComponentEncoder::default().validate(true).module(&bytes)?.adapter(ADAPTER_NAME, ADAPTER)?.encode()
}

/// A module without its debug information, which Zig's C library brings in any case. The linker's own way to leave it out takes
/// the names of functions along, which the gateway's log shows when a plugin traps.
fn without_debug(module: &[u8]) -> Option<Vec<u8>> {
    let mut kept = module.get(..binary::HEADER)?.to_vec();
    for Section { id, whole, content } in binary::sections(module)? {
        // Of a custom section, which has the number 0, the content begins with its name, and that with its length.
        let name = module[content].get(1..).unwrap_or_default();
        if id != 0 || !name.starts_with(b".debug_") {
            kept.extend(&module[whole]);
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debug_sections_go() {
        let custom = |name: &str, length: usize| {
            let content = [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), &vec![7; length]].concat();
            let size = [u8::try_from(content.len() % 128 + 128).unwrap(), u8::try_from(content.len() / 128).unwrap()];
            [&[0], size.as_slice(), &content].concat()
        };
        let (head, types) = (b"\0asm\x01\0\0\0".to_vec(), [1, 2, 0, 0]);
        let [name, debug, last] = [custom("name", 300), custom(".debug_info", 1000), custom(".debug", 0)];
        let module = [&head, types.as_slice(), &debug, &name, &debug, &last].concat();
        assert_eq!(without_debug(&module), Some([&head, types.as_slice(), &name, &last].concat()));
        assert_eq!(without_debug(&module[..module.len() - 1]), None);
        assert_eq!(without_debug(&head[..4]), None);
    }

    #[test]
    fn a_text_is_the_same_as_a_string_of_c() {
        assert_eq!(quoted("a \"b\"\\?\n7é"), r#""a \042b\042\134\077\0127\303\251""#);
    }
}
