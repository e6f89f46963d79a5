//! Plugins in Go: compiled by Go itself for WASI with the SDK, whose functions are the contract's, then made a component.
//!
//! There are no generated bindings: the SDK declares imports and exports itself, and the encoder checks them against the plugin's
//! world. What wit-bindgen generates for Go needs a module of its project: version 0.2 allocates from the collected heap while the
//! gateway hands something over, where the collector may ask for the time, which ends the instance; 0.4 needs Go 1.27.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::json;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::{
    Missing, Project,
    command::{command, output},
    embedded::put,
    project::Ask,
    tools::program,
    world,
};

/// The first version whose exported functions a component can have.
const GO: (u32, u32) = (1, 24);

/// The SDK takes memory from the runtime by a name that is not exported. Names of functions are kept: a fiftieth of the component.
const LINKER: &str = "-checklinkname=0 -w";

/// Makes the component.
pub(crate) fn build(project: &Project, work: &Path) -> Result<Vec<u8>> {
    // The compiler runs in the plugin's folder.
    let work = &work.canonicalize().context("naming the folder of the build")?;
    let go = go()?;
    ensure!(
        project.sdk.join("go.mod").is_file(),
        "the SDK is not there: `sdk` in plugin.toml names its folder, by default `gatehouse`"
    );
    // The folder may be in the plugin's, and Go takes what begins so for no part of it.
    let (manifest_file, overlay, module) =
        (work.join("_manifest.go"), work.join("overlay.json"), work.join("plugin.wasm"));
    put(&manifest_file, manifest(project))?;
    // A file that only this build sees in the SDK's package.
    let place = project.sdk.join("manifest_wasip1.go").display().to_string();
    put(&overlay, json!({ "Replace": { place: manifest_file } }).to_string())?;
    let mut compiler = command(go);
    compiler.env("GOOS", "wasip1").env("GOARCH", "wasm").env("GOWORK", "off");
    compiler.args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags", LINKER]);
    compiler.arg("-overlay").arg(overlay).arg("-o").arg(&module).arg(".");
    compiler.current_dir(project.source.parent().unwrap_or(&project.folder));
    // What it says is shown as it comes.
    let status = compiler.status().context("starting Go")?;
    ensure!(status.success(), "the compiler has found errors ({status})");
    component(project, work, &module)
}

/// Go, which is recent enough.
fn go() -> Result<PathBuf> {
    let missing = || Missing {
        purpose: "building Go",
        what: format!("Go {}.{} or later (Debian has it since 13)", GO.0, GO.1),
        packages: &["golang-go"],
        elsewhere: "from go.dev",
    };
    let go = program("go", missing)?;
    let version = output(command(&go).args(["env", "GOVERSION"]))?;
    if is_older(&version) {
        bail!(missing());
    }
    Ok(go)
}

/// Whether a version such as `go1.26.8` is too old; one that is not of that form is a development version.
fn is_older(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches("go").split(['.', 'r', 'b', '-', ' ']).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < GO,
        _ => false,
    }
}

/// What the component says of itself, as a Go source of the SDK's package.
fn manifest(project: &Project) -> String {
    let hooks = project.hooks.iter().map(|hook| quoted(hook.name())).collect::<Vec<_>>().join(", ");
    let mut text = String::from("package gatehouse\n\nfunc init() {\n");
    let schema = project.schema.as_deref().unwrap_or_default();
    for (name, value) in [
        ("name", project.name.as_str()),
        ("version", &project.version),
        ("description", &project.description),
        ("schema", schema),
    ] {
        text += &format!("\tmanifest.{name} = {}\n", quoted(value));
    }
    text + &format!("\tmanifest.hooks = []string{{{hooks}}}\n}}\n")
}

/// A string of Go: all but plain characters as the bytes that they are.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte) || byte == b' ';
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("\\x{byte:02x}") };
    format!("\"{}\"", text.bytes().map(one).collect::<String>())
}

/// Makes a component of the module, which is to have no more than the plugin's world.
fn component(project: &Project, work: &Path, module: &Path) -> Result<Vec<u8>> {
    let folder = work.join("wit");
    world::write(project, &folder)?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&folder)?;
    let world = resolve.select_world(&[package], Some(world::WORLD))?;
    let mut bytes = fs::read(module).with_context(|| format!("reading {}", module.display()))?;
    embed_component_metadata(&mut bytes, &resolve, world, StringEncoding::UTF8, false)?;
    encoded(&bytes).map_err(|error| match unasked(&format!("{error:#}")) {
        Some(ask) => anyhow!("the code needs what plugin.toml does not have: asks = [\"{}\"]", ask.name()),
        None => error,
    })
}

fn encoded(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.adapter(ADAPTER_NAME, ADAPTER)?.encode()
}

/// What a module imports beyond its world, by what the encoder says of it.
fn unasked(error: &str) -> Option<Ask> {
    let asks =
        [("`wasi:http/", Ask::Http), ("`wasi:keyvalue/", Ask::Keyvalue), ("`gatehouse:plugin/output@", Ask::Output)];
    let (_, needed) = error.split_once("requires an import interface named ")?;
    asks.into_iter().find_map(|(interface, ask)| needed.starts_with(interface).then_some(ask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_its_first_two_numbers() {
        for (version, older) in [
            ("go1.26.8\n", false),
            ("go1.24", false),
            ("go1.24rc1", false),
            ("go1.23.12", true),
            ("go1.9", true),
            ("devel go1.27-abc", false),
        ] {
            assert_eq!(is_older(version), older, "{version}");
        }
    }

    #[test]
    fn an_import_without_its_ask_is_told_by_the_ask() {
        let says = "failed to resolve import `a::b`: module requires an import interface named ";
        assert_eq!(unasked(&format!("{says}`gatehouse:plugin/output@0.1.0`")), Some(Ask::Output));
        assert_eq!(unasked(&format!("{says}`wasi:sockets/tcp@0.2.0`")), None);
        assert_eq!(unasked("failed to encode"), None);
    }

    #[test]
    fn a_text_is_the_same_as_a_string_of_go() {
        assert_eq!(quoted("a \"b\"\\\n7é"), r#""a \x22b\x22\x5c\x0a7\xc3\xa9""#);
    }
}
