//! Hostile and broken components, as text, and what must become of each.
//!
//! The enum [`Guest`] is made of the folder `guests`, so that a file without an expectation does not compile. What a guest
//! does is the first line of its text; `cargo xtask guests` makes components of them.

mod expectation;

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

pub use expectation::{Expectation, Outcome};

/// What the upstream answers, and so what a client reads where a guest does no harm.
pub const SERVED: &str = "hello";

/// A route on which no guest is.
pub const FREE_ROUTE: &str = "[routes.free]\npath = \"/free\"\nupstream = \"up\"\n";

/// What the upstream answers for a target. What breaks off in the middle needs an answer of several pieces.
pub fn upstream_body(target: &str) -> Vec<u8> {
    if target.ends_with("mid-stream") { vec![b'a'; 256 << 10] } else { SERVED.into() }
}

impl Guest {
    /// What it does, in one sentence.
    pub fn does(self) -> &'static str {
        self.source().lines().next().unwrap_or_default().trim_start_matches(";; ")
    }

    /// Whether a gateway starts with it.
    pub fn is_loaded(self) -> bool {
        !matches!(self.expectation().outcome, Outcome::Refused(_))
    }

    /// The tables of a configuration that put it on the route `/NAME`; `component` is its file.
    pub fn configuration(self, component: &str) -> String {
        let (name, settings) = (self.name(), self.expectation().settings);
        format!(
            "[plugins.{name}]\ncomponent = {component:?}\ncache = {{ ttl = \"0s\" }}\n{settings}\n\
             [routes.{name}]\npath = \"/{name}\"\nupstream = \"up\"\nplugins = [{name:?}]\n\
             upstream_headers = {{ x-principal = \"${{auth.principal}}\" }}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Guest;

    #[test]
    fn every_threat_is_shown_more_than_once() {
        for row in 1..=21 {
            let shown = Guest::ALL.iter().filter(|guest| guest.expectation().threats.contains(&row)).count();
            assert!(shown > 1, "P{row} is shown by {shown}");
        }
        assert!(Guest::ALL.len() >= 64);
    }

    #[test]
    fn every_guest_says_what_it_does() {
        for guest in Guest::ALL {
            assert!(guest.does().ends_with('.') && guest.does().len() > 5, "{}", guest.name());
        }
    }
}
