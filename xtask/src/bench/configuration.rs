//! Configurations of the gateway that are too long or too alike to be written by hand; they are made in `target/bench`.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::FOLDER;

/// The bench's plugins, in the order of a chain of three.
const THREE: [&str; 3] = ["authorizer", "filter", "logger"];

/// A configuration to be written.
pub(super) struct Configuration {
    name: String,
    text: String,
}

impl Configuration {
    /// One that listens, has the bench's upstream `json`, and writes no lines.
    pub(super) fn new(name: &str, port: u16, workers: usize) -> Self {
        let text = format!(
            "[server]\nworkers = {workers}\ncode_cache = \"gatehouse\"\n\n[log]\nlevel = \"warn\"\naccess = false\n\n\
             [listeners.bench]\naddress = \"127.0.0.1:{port}\"\n\n[upstreams.json]\nurl = \"http://127.0.0.1:19000\"\n"
        );
        Self { name: name.to_owned(), text }
    }

    /// With more at its end.
    pub(super) fn with(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// A plugin of the bench's own. No verdict is kept.
    fn with_plugin(self, name: &str, component: &str) -> Self {
        let cache = if component == THREE[0] { "cache = { ttl = \"0s\" }\n" } else { "" };
        let component = format!("component = \"../guests/bench-{component}.wasm\"\n");
        self.with(&format!("\n[plugins.{name}]\n{component}{cache}"))
    }

    /// Writes it; where it is.
    pub(super) fn write(&self) -> Result<PathBuf> {
        let path = Path::new(FOLDER).join(format!("{}.toml", self.name));
        fs::write(&path, &self.text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

/// So many routes `/service-N/items/{id}`, and the first of them once more, alone for a host as long as an address.
pub(super) fn routes(port: u16, count: usize) -> Configuration {
    let route = |name: &str, n, host| {
        format!("\n[routes.{name}]\npath = \"/service-{n}/items/{{id}}\"\n{host}upstream = \"json\"\n")
    };
    let mut text = route("one", 0, "host = \"one-route.bench\"\n");
    (0..count).for_each(|n| text.push_str(&route(&format!("service-{n}"), n, "")));
    Configuration::new("routes", port, 1).with(&text)
}

/// A route `/plain`, and so many workers.
pub(super) fn workers(port: u16, count: usize) -> Configuration {
    let plain = "\n[routes.plain]\npath = \"/plain\"\nupstream = \"json\"\n";
    Configuration::new(&format!("workers-{count}-{port}"), port, count).with(plain)
}

/// So many plugins, no two of one kind and configuration, in chains of three: `/chain-0`, `/chain-1` and so on.
pub(super) fn plugins(port: u16, count: usize) -> Configuration {
    let mut configuration = Configuration::new(&format!("plugins-{count}"), port, 1);
    for n in 0..count {
        // What differs is a limit that is never reached: the bench's plugins have no configuration of their own.
        configuration = configuration.with_plugin(&format!("plugin-{n}"), THREE[n % 3]);
        configuration = configuration.with(&format!("limits = {{ uses = {} }}\n", 1_000_000 + n));
    }
    for n in 0..count / 3 {
        let chain = (n * 3..n * 3 + 3).map(|plugin| format!("\"plugin-{plugin}\"")).collect::<Vec<_>>().join(", ");
        configuration = configuration
            .with(&format!("\n[routes.chain-{n}]\npath = \"/chain-{n}\"\nplugins = [{chain}]\nupstream = \"json\"\n"));
    }
    configuration
}

/// So many plugins that check tokens, which are much larger, and a route through them: the end of a configuration.
pub(super) fn tokens(count: usize) -> String {
    let mut text = String::new();
    for n in 0..count {
        let secret = format!("a secret of the bench, and of nothing else, number {n}");
        let key = format!("keys = [{{ algorithms = [\"HS256\"], secret = \"{secret}\" }}]");
        let _ = write!(text, "\n[plugins.token-{n}]\ncomponent = \"../guests/jwt.wasm\"\nconfig = {{ {key} }}\n");
    }
    let chain = (0..count).map(|n| format!("\"token-{n}\"")).collect::<Vec<_>>().join(", ");
    text + &format!("\n[routes.tokens]\npath = \"/tokens\"\nplugins = [{chain}]\nupstream = \"json\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_an_authorizer_a_filter_and_a_logger() {
        let text = plugins(1, 7).text;
        assert!(text.contains("[plugins.plugin-6]\ncomponent = \"../guests/bench-authorizer.wasm\"\n"));
        assert!(text.contains("plugins = [\"plugin-3\", \"plugin-4\", \"plugin-5\"]"));
        assert_eq!(text.matches("[routes.").count(), 2);
    }
}
