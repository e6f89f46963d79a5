//! Plugins in JavaScript and TypeScript: esbuild bundles the source with the SDK, and componentize-qjs puts the bundle into
//! the engine QuickJS (`kit/javascript/build.mjs`). TypeScript's types are checked before.

mod late;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    Language, Missing, Project, Tools,
    command::{command, output, run},
    embedded::put,
    tools::program,
    world,
};

const PACKAGE: &str = include_str!("../javascript/package.json");
const LOCK: &str = include_str!("../javascript/package-lock.json");
const BUILD: &str = include_str!("../javascript/build.mjs");

/// Makes the component.
pub(crate) fn build(project: &Project, work: &Path, tools: &Tools) -> Result<Vec<u8>> {
    let node = program("node", || missing("node"))?;
    let is_there = project.sdk.join("component.js").is_file();
    ensure!(is_there, "the SDK is not in {}: `sdk` in plugin.toml names its folder", project.sdk.display());
    let tools = tools.fetched("javascript", LOCK, fetch)?;
    let work = work.canonicalize().context("naming the folder for what is made")?;
    if project.language == Language::Typescript {
        check_types(project, &work, &node, &tools)?;
    }
    let wit = work.join("wit");
    world::write(project, &wit)?;
    late::rename_packages(&wit)?;
    let script = work.join("build.mjs");
    put(&script, BUILD)?;
    let component = work.join("component.wasm");
    let job = json!({
        "tools": tools,
        "folder": project.folder,
        "source": project.source,
        "sdk": project.sdk,
        "work": work,
        "wit": wit,
        "world": world::WORLD,
        "http": late::HTTP,
        "component": component,
        "hooks": project.hooks.iter().map(|hook| camel(hook.name())).collect::<Vec<_>>(),
        "asks": project.asks.iter().map(|ask| ask.name()).collect::<Vec<_>>(),
        "manifest": {
            "name": project.name,
            "version": project.version,
            "description": project.description,
            "configSchema": project.schema,
        },
    });
    let file = work.join("job.json");
    put(&file, job.to_string())?;
    run(command(node).arg(script).arg(file))?;
    let mut bytes = fs::read(&component).context("reading what componentize-qjs has made")?;
    late::rename_imports(&mut bytes)?;
    Ok(bytes)
}

fn missing(program: &str) -> Missing {
    Missing {
        purpose: "building JavaScript",
        what: format!("{program} (Node.js 18 or later with npm)"),
        packages: &["npm"],
        elsewhere: "from the makers of Node.js",
    }
}

/// The tools' own packages only: none of them needs a script of its own to be installed.
fn fetch(folder: &Path) -> Result<()> {
    let npm = program("npm", || missing("npm"))?;
    put(&folder.join("package.json"), PACKAGE)?;
    put(&folder.join("package-lock.json"), LOCK)?;
    output(command(npm).current_dir(folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])).map(drop)
}

/// By the author's `tsconfig.json` where there is one; what a component has in the place of a browser or Node comes from
/// the SDK. That the hooks take and return what they should is checked even where the author has written no types.
fn check_types(project: &Project, work: &Path, node: &Path, tools: &Path) -> Result<()> {
    let own = Some(project.folder.join("tsconfig.json")).filter(|file| file.exists());
    let mut options = json!({
        "noEmit": true,
        "rootDir": project.folder.ancestors().last(),
        "skipLibCheck": true,
        "allowImportingTsExtensions": true,
        "types": [],
        "lib": ["es2024"],
        "paths": { "@gatehouse/plugin": [project.sdk.join("index.d.ts")] },
    });
    if own.is_none() {
        for (key, value) in [("strict", json!(true)), ("target", json!("es2024")), ("module", json!("nodenext"))] {
            options[key] = value;
        }
    }
    let hooks = work.join("hooks.ts");
    let import =
        |names: &str, from: &dyn std::fmt::Display| format!("import {names} from {};\n", json!(from.to_string()));
    let imports = import("* as plugin", &project.source.display()) + &import("type { Plugin }", &"@gatehouse/plugin");
    put(&hooks, format!("{imports}plugin satisfies Plugin;\n"))?;
    let mut config = json!({
        "compilerOptions": options,
        "files": [hooks, project.sdk.join("component/globals.d.ts")],
        "include": [],
    });
    if let Some(own) = own {
        config["extends"] = json!(own);
    }
    let file = work.join("tsconfig.json");
    put(&file, config.to_string())?;
    let compiler: PathBuf = tools.join("node_modules/typescript/bin/tsc");
    run(command(node).current_dir(&project.folder).arg(compiler).arg("--project").arg(file))
        .context("the source has errors of types")
}

/// `request-filter` as `requestFilter`, which bindings for JavaScript call it.
fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |all, word| all + &word[..1].to_uppercase() + &word[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_called_as_bindings_call_them() {
        assert_eq!(["logger", "request-body-filter"].map(camel), ["logger", "requestBodyFilter"]);
    }
}
