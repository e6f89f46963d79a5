//! What the commands do: serving, and what an author of plugins does at a terminal.

pub(crate) mod dev;
pub(crate) mod key;
pub(crate) mod plugin;
mod report;
mod request;
pub(crate) mod serve;
mod watching;
