//! A new plugin's folder: the template of its language and hook, with the SDK beside it, so that it builds anywhere.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use crate::{
    Hook, Language,
    embedded::{SDK_C, SDK_JS, TEMPLATES, put, write},
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
        Language::Rust => bail!("there is no template for {language} yet: javascript, typescript and c have one"),
    };
    fs::create_dir(folder).with_context(|| format!("creating the folder {}", folder.display()))?;
    for place in ["common", hook.name()] {
        let prefix = format!("{language}/{place}/");
        for (path, text) in TEMPLATES.iter().filter_map(|(path, text)| Some((path.strip_prefix(&prefix)?, text))) {
            put(&folder.join(path), &text.replace("{{name}}", name).replace("{{hook}}", hook.name()))?;
        }
    }
    write(sdk, &folder.join(SDK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Project;

    #[test]
    fn each_hook_has_a_template_in_each_language_that_has_any() {
        let place = tempfile::tempdir().expect("a folder");
        for language in [Language::Javascript, Language::Typescript, Language::C] {
            for hook in Hook::ALL {
                let folder = place.path().join(format!("{language}-{}", hook.name()));
                new(language, hook, "gate", &folder).expect("it is made");
                let project = Project::read(&folder).expect("it is a plugin's folder");
                assert_eq!((project.language, project.name.as_str()), (language, "gate"));
                assert_eq!(project.hooks, [hook]);
                assert!(folder.join("gatehouse/README.md").exists() && folder.join("README.md").exists());
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
