//! What comes in from outside: paths, headers, hosts, framing, protocols.

mod framing;
mod header;
mod host;
mod http2;
mod message;
mod method;
mod path;
mod suite;

/// A route that takes everything.
const ALL: &str = "[routes.all]\nupstream = \"up\"\n";

/// The same, with more in `[server]`.
fn server(lines: &str) -> String {
    format!("[server]\nworkers = 1\ndrain_timeout = \"1s\"\n{lines}\n{ALL}")
}
