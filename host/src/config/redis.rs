//! Where several gateways count together.

use std::{fmt, path::PathBuf, time::Duration};

/// `[redis.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Its name.
    pub name: String,
    /// A name or an address, of `url`.
    pub host: String,
    /// Of `url`; default 6379.
    pub port: u16,
    /// Whether TLS is spoken: `rediss://`.
    pub tls: bool,
    /// Those whom its certificate may come from, in PEM; default Mozilla's list.
    pub ca: Option<PathBuf>,
    /// Of `url`.
    pub user: Option<String>,
    /// Of `url`.
    pub password: Option<Secret>,
    /// Of `url`; default 0.
    pub database: u32,
    /// What a decision may take; default 50 ms.
    pub timeout: Duration,
    /// What decides while it is away; default `local`.
    pub when_away: WhenAway,
    /// What all its keys begin with; default `gatehouse`.
    pub prefix: String,
}

/// What nobody is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What decides while a Redis is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenAway {
    /// All pass.
    Open,
    /// None passes.
    Closed,
    /// Each gateway counts by itself.
    Local,
}

impl WhenAway {
    /// As the configuration has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Local => "local",
        }
    }
}
