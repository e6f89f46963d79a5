//! Limits: what a client and an upstream may do, each just within and just beyond.

mod answer;
mod client;
mod connect;
mod documented;
mod endless;
mod header;
mod kept;

/// A route that takes everything, behind these sections.
fn all(sections: &str) -> String {
    format!("{sections}\n[routes.all]\nupstream = \"up\"\n")
}

/// The same with more in `[upstreams.up]`.
fn upstream(lines: &str) -> String {
    all(&format!("[upstreams.up]\nurl = \"http://{{upstream}}\"\n{lines}"))
}
