//! A new plugin's folder: the template of its language and hook, with the SDK beside it, so that it builds anywhere.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{
    Hook, Language,
    embedded::{SDK_C, SDK_GO, SDK_JS, SDK_PYTHON, SDK_RUST, TEMPLATES, WIT, put, write},
    project::check_name,
};

/// Where the SDK goes in the folder.
const SDK: &str = "gatehouse";

/// Makes the folder. What is there already is not touched: then it is an error.
pub fn new(language: Language, hook: Hook, name: &str, folder: &Path) -> Result<()> {
    check_name(name)?;
    let sdk = match language {
        Language::Javascript | Language::Typescript => SDK_JS,
        Language::C => SDK_C,
        Language::Go => SDK_GO,
        Language::Python => SDK_PYTHON,
        Language::Rust => SDK_RUST,
    };
    fs::create_dir(folder).with_context(|| format!("creating the folder {}", folder.display()))?;
    let filled = |text: &str| text.replace("{{name}}", name).replace("{{hook}}", hook.name());
    let cases = format!("cases/{}.toml", hook.name());
    for (_, text) in TEMPLATES.iter().filter(|(path, _)| *path == cases) {
        put(&folder.join("cases.toml"), filled(text))?;
    }
    // A language may have cases of its own for a hook.
    for place in ["common", hook.name()] {
        let prefix = format!("{language}/{place}/");
        for (path, text) in TEMPLATES.iter().filter_map(|(path, text)| Some((path.strip_prefix(&prefix)?, text))) {
            put(&folder.join(path), filled(text))?;
        }
    }
    let sdk_folder = folder.join(SDK);
    write(sdk, &sdk_folder)?;
    if language == Language::Rust {
        // Its bindings are made when it is compiled, so it brings the contract; and its manifest stands alone.
        write(WIT, &sdk_folder.join("contract"))?;
        let manifest = sdk_folder.join("Cargo.toml");
        put(&manifest, standalone(&fs::read_to_string(&manifest).context("reading the SDK's manifest")?))?;
    }
    Ok(())
}

/// The manifest of a package of this workspace, as one without it.
fn standalone(manifest: &str) -> String {
    let own = |line: &str| match line {
        "version.workspace = true" => Some(format!("version = \"{}\"\n", env!("CARGO_PKG_VERSION"))),
        "edition.workspace = true" => Some("edition = \"2024\"\n".to_owned()),
        _ if line.contains("workspace") || line == "[lints]" => None,
        _ => Some(format!("{line}\n")),
    };
    manifest.lines().filter_map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Project;

    #[test]
    fn each_hook_has_a_template_in_each_language_that_has_any() {
        let place = tempfile::tempdir().expect("a folder");
        for language in
            [Language::Rust, Language::Javascript, Language::Typescript, Language::C, Language::Go, Language::Python]
        {
            for hook in Hook::ALL {
                let folder = place.path().join(format!("{language}-{}", hook.name()));
                new(language, hook, "gate", &folder).expect("it is made");
                let project = Project::read(&folder).expect("it is a plugin's folder");
                assert_eq!((project.language, project.name.as_str()), (language, "gate"));
                // Rust says them in its code.
                assert_eq!(project.hooks, if language == Language::Rust { Vec::new() } else { vec![hook] });
                assert!(
                    ["gatehouse/README.md", "README.md", "cases.toml"].iter().all(|file| folder.join(file).exists())
                );
                let source = fs::read_to_string(&project.source).expect("it has its source");
                assert!(!source.contains("{{name}}") && !source.contains("{{hook}}"), "{source}");
            }
        }
    }

    #[test]
    fn a_folder_that_is_there_is_left_alone_and_a_bad_name_is_refused() {
        let place = tempfile::tempdir().expect("a folder");
        let made = new(Language::C, Hook::Authorizer, "gate", place.path());
        assert!(made.expect_err("it is there").to_string().contains("creating the folder"));
        let made = new(Language::C, Hook::Authorizer, "a gate", &place.path().join("x"));
        assert!(made.expect_err("it is no name").to_string().contains("letters, digits"));
        assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 0);
    }
}
