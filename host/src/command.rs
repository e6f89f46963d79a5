//! What the commands do: serving, and what an author of plugins does at a terminal.

pub(crate) mod check;
pub(crate) mod dev;
pub(crate) mod import;
pub(crate) mod key;
pub(crate) mod plugin;
mod report;
mod request;
pub(crate) mod serve;
mod watching;

/// The stage that is asked for: by the option, else by `GATEHOUSE_STAGE`.
pub(crate) fn stage(option: Option<&String>) -> Option<String> {
    let asked = option.cloned().or_else(|| std::env::var("GATEHOUSE_STAGE").ok());
    asked.filter(|stage| !stage.is_empty())
}
