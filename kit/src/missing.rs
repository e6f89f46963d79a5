//! Something that has to be on the machine and is not.

use std::fmt;

/// A program or library that a build needs, and where it comes from. It is an error whose text is an instruction; who can
/// install packages finds their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What needs it: `building JavaScript`.
    pub purpose: &'static str,
    /// What is missing, with its version: `npm (Node.js 18 or later)`.
    pub what: String,
    /// Debian's packages with it.
    pub packages: &'static [&'static str],
    /// Where else it comes from, as the end of "or get it ...": `from nodejs.org`.
    pub elsewhere: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { purpose, what, packages, elsewhere } = self;
        write!(f, "{purpose} needs {what}: on Debian `apt-get install {}`, or get it {elsewhere}", packages.join(" "))
    }
}

impl std::error::Error for Missing {}
