//! Plugins in Python: componentize-py runs the module once, with the SDK and bindings of the plugin's world, and puts the state
//! that its interpreter is in then into the component.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    Project, Tools,
    command::{command, output},
    embedded::put,
    project::Ask,
    venv, world,
};

/// What pip installs, with hashes.
const REQUIREMENTS: &str = include_str!("../python/requirements.txt");

/// The module that imports the plugin's and has the component's exports.
const ENTRY: &str = "gatehouse_entry";

/// Where packages of others are, in the plugin's folder: `pip install --target packages NAME`.
const PACKAGES: &str = "packages";

/// Names of modules that are told apart by their packages only if the world has both.
const TYPES: &str = "gatehouse:plugin/types@0.1.0=gatehouse_types";
const HTTP_TYPES: &str = "wasi:http/types@0.2.0=http_types";

/// Makes the component.
pub(crate) fn build(project: &Project, work: &Path, tools: &Tools) -> Result<Vec<u8>> {
    let work = &work.canonicalize().context("naming the folder of the build")?;
    let is_there = project.sdk.ends_with("gatehouse") && project.sdk.join("_component.py").is_file();
    ensure!(is_there, "the SDK is not there: `sdk` in plugin.toml names its folder, which is called `gatehouse`");
    let module = module(&project.source)?;
    let (wit, entry, component) = (work.join("wit"), work.join("entry"), work.join("component.wasm"));
    world::write(project, &wit)?;
    put(&entry.join(format!("{ENTRY}.py")), text(project, module))?;
    let folder = venv::fetched(tools, "python", "building Python", REQUIREMENTS)?;
    let mut builder = command(folder.join("venv/bin/componentize-py"));
    // Otherwise it adds what is installed on this machine to the path.
    let none = work.join("none");
    fs::create_dir_all(none.join("lib/python3/site-packages")).context("making a folder without packages")?;
    builder.env("VIRTUAL_ENV", none);
    builder.arg("--quiet").arg("--wit-path").arg(wit).args(["--world", world::WORLD]);
    builder.args(["--import-interface-name", TYPES]);
    if project.asks_for(Ask::Http) {
        builder.args(["--import-interface-name", HTTP_TYPES]);
    }
    builder.arg("componentize");
    for folder in path(project, entry) {
        builder.arg("--python-path").arg(folder);
    }
    output(builder.arg("--output").arg(&component).arg(ENTRY)).context("running the module")?;
    fs::read(&component).context("reading what componentize-py has made")
}

/// The plugin's module.
fn module(source: &Path) -> Result<&str> {
    let name = source.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_module = source.extension().is_some_and(|it| it == "py")
        && name.chars().all(is_word)
        && !name.starts_with(|c: char| c.is_ascii_digit());
    ensure!(is_module, "{} is no module of Python: its name is letters, digits, `_` and .py", source.display());
    ensure!(!["gatehouse", "wit_world", ENTRY].contains(&name), "{name}.py has the name of a module of the SDK");
    Ok(name)
}

/// Where modules are looked for.
fn path(project: &Project, entry: PathBuf) -> Vec<PathBuf> {
    let folder = |file: &Path| file.parent().unwrap_or(&project.folder).to_owned();
    let (own, packages) = (folder(&project.source), project.folder.join(PACKAGES));
    let mut path = vec![entry, own, folder(&project.sdk)];
    path.dedup();
    path.extend(Some(packages).filter(|folder| folder.is_dir()));
    path
}

/// The entry as text. A string of JSON is one of Python.
fn text(project: &Project, module: &str) -> String {
    let classes = project.hooks.iter().map(|hook| camel(hook.name())).collect::<Vec<_>>().join(", ");
    let hooks = json!(project.hooks.iter().map(|hook| hook.name()).collect::<Vec<_>>());
    let [name, version, description] = [&project.name, &project.version, &project.description].map(|text| json!(text));
    let schema = project.schema.as_ref().map_or_else(|| "None".to_owned(), |schema| json!(schema).to_string());
    // Nothing is left beside the sources.
    format!(
        "import sys\n\nsys.dont_write_bytecode = True\n\n\
         from gatehouse._component import {classes}, Lifecycle, load\n\nimport {module}\n\n\
         load({module}, {hooks}, {name}, {version}, {description}, {schema})\n"
    )
}

/// `request-filter` as `RequestFilter`.
fn camel(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_called_as_bindings_call_them() {
        assert_eq!(["logger", "request-body-filter"].map(camel), ["Logger", "RequestBodyFilter"]);
    }

    #[test]
    fn a_source_is_a_module() {
        assert_eq!(module(Path::new("/a/plugin.py")).expect("it is"), "plugin");
        for wrong in ["a-b.py", "plugin.txt", "1.py", "gatehouse.py"] {
            assert!(module(Path::new(wrong)).is_err(), "{wrong}");
        }
    }
}
