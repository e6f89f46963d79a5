//! The world of one plugin: what it exports and imports, as text for the tools that make bindings. A component made by them
//! asks for all that its world imports, so the world has no more than `plugin.toml` says.

use std::path::Path;

use anyhow::Result;

use crate::{
    embedded::{SDK_RUST, WIT, put},
    project::{Ask, Project},
};

/// The world's name in the package `local:plugin`.
pub(crate) const WORLD: &str = "plugin";

/// The contract's package with its version, as wit/types.wit says it.
const CONTRACT: &str = "gatehouse:plugin";
const VERSION: &str = "0.1.0";

/// Writes `plugin.wit` and all that it names, in the form that WIT's tools read: the packages below `deps`.
pub(crate) fn write(project: &Project, folder: &Path) -> Result<()> {
    put(&folder.join("plugin.wit"), text(project))?;
    for (path, text) in WIT {
        let path = path.strip_prefix("deps/").map_or_else(|| format!("gatehouse/{path}"), ToOwned::to_owned);
        put(&folder.join("deps").join(path), text)?;
    }
    let packages = SDK_RUST.iter().filter_map(|(path, text)| Some((path.strip_prefix("wit/deps/")?, text)));
    packages.into_iter().try_for_each(|(path, text)| put(&folder.join("deps").join(path), text))
}

/// The world as text.
fn text(project: &Project) -> String {
    let mut imports: Vec<_> =
        ["request", "response", "attributes", "outcome", "log"].iter().map(|name| contract(name)).collect();
    imports.extend(["wasi:clocks/wall-clock@0.2.0", "wasi:random/random@0.2.0"].map(ToOwned::to_owned));
    if project.asks_for(Ask::Output) {
        imports.push(contract("output"));
    }
    if project.asks_for(Ask::Http) {
        imports.push("wasi:http/outgoing-handler@0.2.0".to_owned());
    }
    if project.asks_for(Ask::Keyvalue) {
        imports.extend(["store", "atomics"].map(|name| format!("wasi:keyvalue/{name}@0.2.0-draft2")));
    }
    let exports = ["lifecycle"].into_iter().chain(project.hooks.iter().map(|hook| hook.name())).map(contract);
    let lines = imports.into_iter().map(|name| format!("    import {name};\n"));
    let lines = lines.chain(exports.map(|name| format!("    export {name};\n")));
    format!("package local:plugin;\n\nworld {WORLD} {{\n{}}}\n", lines.collect::<String>())
}

fn contract(interface: &str) -> String {
    format!("{CONTRACT}/{interface}@{VERSION}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wit_parser::Resolve;

    use super::*;

    fn world(more: &str) -> (Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("plugin.c"), "").expect("written");
        let plugin = "name = \"gate\"\nversion = \"0.1.0\"\nlanguage = \"c\"\n";
        fs::write(folder.path().join("plugin.toml"), format!("{plugin}{more}\n")).expect("written");
        let project = Project::read(folder.path()).expect("it is right");
        write(&project, &folder.path().join("wit")).expect("written");
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(folder.path().join("wit")).expect("the packages fit together");
        let world = resolve.select_world(&[package], Some(WORLD)).expect("it has the world");
        let world = &resolve.worlds[world];
        let names = |items: &wit_parser::IndexMap<wit_parser::WorldKey, wit_parser::WorldItem>| {
            items.keys().map(|key| resolve.name_world_key(key)).collect::<Vec<_>>()
        };
        (names(&world.imports), names(&world.exports))
    }

    #[test]
    fn it_has_what_is_asked_for_and_no_more() {
        let (imports, exports) = world("hooks = [\"authorizer\", \"logger\"]");
        assert_eq!(exports, ["lifecycle", "authorizer", "logger"].map(contract));
        assert!(
            !imports.iter().any(|name| name.contains("http") || name.contains("keyvalue") || name.contains("output"))
        );
    }

    #[test]
    fn what_needs_a_grant_is_imported_when_it_is_asked_for() {
        let (imports, _) = world("hooks = [\"logger\"]\nasks = [\"http\", \"keyvalue\", \"output\"]");
        for name in
            ["wasi:http/outgoing-handler@0.2.0", "wasi:keyvalue/atomics@0.2.0-draft2", "gatehouse:plugin/output@0.1.0"]
        {
            assert!(imports.iter().any(|import| import == name), "{name}: {imports:?}");
        }
    }
}
