//! Peers that Debian has: installed when they are missing.

use std::path::Path;

use anyhow::Result;

use crate::apt;

pub(super) const NGINX: &str = "/usr/sbin/nginx";
pub(super) const HAPROXY: &str = "/usr/sbin/haproxy";

/// nginx, which is the upstream too.
pub(super) fn nginx() -> Result<()> {
    bring(NGINX, &["nginx"])
}

pub(super) fn nginx_lua() -> Result<()> {
    bring("/usr/lib/nginx/modules/ngx_http_lua_module.so", &["nginx", "libnginx-mod-http-lua"])
}

pub(super) fn haproxy() -> Result<()> {
    bring(HAPROXY, &["haproxy"])
}

/// Installs packages if a file of theirs is not there.
pub(super) fn bring(file: &str, packages: &[&str]) -> Result<()> {
    if Path::new(file).exists() { Ok(()) } else { apt::install(packages, "a peer of the bench") }
}
