//! Who may use answers from another origin.

use std::time::Duration;

use http::{HeaderName, Method};

/// `[cors.NAME]`: which other origins' pages may use the answers of a route (Fetch standard, section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Its name.
    pub name: String,
    /// At least one.
    pub allow_origins: Vec<AllowedOrigin>,
    /// Default: those of the route, or the one that is asked for.
    pub allow_methods: Option<Vec<Method>>,
    /// Beyond those that are always allowed; default none.
    pub allow_headers: Names,
    /// Beyond those that a page can always read; default none.
    pub expose_headers: Names,
    /// Whether cookies and other credentials may be sent along; default false.
    pub allow_credentials: bool,
    /// How long a browser keeps the answer to a preflight; default: as it likes (5 s).
    pub max_age: Option<Duration>,
}

/// Which origins are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`
    Any,
    /// As a browser serializes it.
    Exact(Box<str>),
    /// `https://*.example.com`: one or more labels between the scheme and the rest.
    Below {
        /// With `://`.
        scheme: Box<str>,
        /// From the first dot, with the port.
        suffix: Box<str>,
    },
}

/// Names of headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// `*`
    Any,
    /// These.
    These(Vec<HeaderName>),
}

impl Default for Names {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}
