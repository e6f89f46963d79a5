//! The error of a plugin: a text for the gateway's log.

use std::fmt;

/// What a hook or [`Plugin::new`](crate::Plugin::new) ends with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A fault of the plugin, as a text for the gateway's log; the client never sees it.
///
/// Whatever can be displayed becomes one: `?` on any error, `Err("no key")?`. For that it must not implement `Display`
/// itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl<T: fmt::Display> From<T> for Error {
    fn from(error: T) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
