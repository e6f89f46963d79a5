//! The plugin kit: new plugin folders, and components made of them, in every language that has an SDK.
//!
//! `gatehouse plugin new` and `build` and this project's own `cargo xtask guests` are this code. It starts the toolchains of
//! the languages and knows nothing of the gateway. Its errors are sentences for a person at a terminal.

mod binary;
mod c;
pub mod command;
mod embedded;
mod go;
mod javascript;
mod missing;
mod new;
mod project;
mod python;
pub mod rust;
mod tools;
mod venv;
mod world;

use std::path::Path;

use anyhow::{Context as _, Result};

pub use missing::Missing;
pub use new::new;
pub use project::{Hook, Language, Project};
pub use tools::Tools;

/// Makes the component of a plugin's folder. What is made on the way goes to `work`, a folder that may exist already.
pub fn build(project: &Project, work: &Path, tools: &Tools) -> Result<Vec<u8>> {
    std::fs::create_dir_all(work).with_context(|| format!("creating {}", work.display()))?;
    let component = match project.language {
        Language::Rust => rust::build(project, work),
        Language::Javascript | Language::Typescript => javascript::build(project, work, tools),
        Language::C => c::build(project, work, tools),
        Language::Go => go::build(project, work),
        Language::Python => python::build(project, work, tools),
    };
    component.with_context(|| format!("building the plugin {}", project.name))
}
